"""The short form of the sanitizers names rooms and tests that are there."""

import fnmatch
import json
import re
from pathlib import Path

import pytest
import sanitize

ROOT = Path(__file__).resolve().parent.parent.parent


def suites(room):
    text = "".join(p.read_text() for p in (ROOT / "tests" / room).rglob("*_test.cpp"))
    return set(re.findall(r"^TEST(?:_F|_P)?\((\w+),", text, re.M))


@pytest.mark.parametrize("preset", sanitize.CHOSEN)
def test_every_preset_room_and_filter_is_there(preset):
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    assert preset in [p["name"] for p in presets]
    cmake = (ROOT / "tests" / "CMakeLists.txt").read_text()
    for room, only in sanitize.CHOSEN[preset].items():
        assert re.search(rf"\((?:esper_)?{room} ", cmake.replace("esper_room_tests(", "(")), room
        for pattern in (only or "").strip("-").split(":"):
            assert not pattern or fnmatch.filter(suites(room), pattern), (room, pattern)
