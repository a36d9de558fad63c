"""bench/python/wrap_defaults.py on two of its tasks: the arms are what their names say."""

import json
import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def report(esper, tmp_path_factory):
    path = tmp_path_factory.mktemp("defaults") / "defaults.json"
    done = subprocess.run([sys.executable, ROOT / "bench/python/wrap_defaults.py", "--seeds", "2",
                           "--tasks", "labels,spirals", "--json", path], capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text()), done.stdout


def test_the_arms_differ_in_width_and_in_nothing_else(report):
    arms = report[0]["arms"]
    assert {run["parameters"] for run in arms["spirals"]["never"]} == {354}
    assert {run["parameters"] for run in arms["spirals"]["wider"]} == {722}
    assert all(run["said"].startswith("nothing grew: ") for run in arms["labels"]["default"])
    assert [run["loss"] for run in arms["labels"]["default"]] == \
        [run["loss"] for run in arms["labels"]["never"]], "what does not grow is not changed"
    grown = arms["spirals"]["default"]
    assert any("became wider" in run["said"] and run["parameters"] == 722 for run in grown)
    assert all(0 <= run["measured"] <= 0.1 for run in grown)


def test_each_task_has_its_rows_and_its_line(report):
    cases = {row["case"]: row for row in report[0]["rows"]}
    for task in ("labels", "spirals"):
        for what in ("loss", "seconds"):
            for peer in ("never growing", "the wider net"):
                assert cases[f"{task}: {what} against {peer}"]["n"] == 2
        assert f"\n| {task} | " in report[1]
