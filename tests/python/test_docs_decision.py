"""The decision that docs/growth.md shows is one of a run: made by the commands beside it."""

import json
import re
import subprocess

from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper


def shape(value):
    """The value with every number and every sentence taken out: those are the machine's."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def test_the_shown_decision_has_the_form_of_the_first_cull_of_the_named_run(tmp_path):
    page = (ROOT / "docs" / "growth.md").read_text()
    section = page.split("## What is written down", 1)[1].split("\n## ", 1)[0]
    shown = json.loads(re.search(r"```json\n(.*?)```", section, re.S).group(1))
    command = re.search(r"`esper (train configs/\S+ [^`]*?) --run runs/example`", section).group(1)
    subprocess.run([ESPER, *command.split(), "--run", str(tmp_path / "run"), "-q"], cwd=ROOT,
                   check=True, timeout=120)
    events = [json.loads(line)
              for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    culls = [e for e in events if e.get("command") == "cull"]
    assert culls, "the named run culls nothing"
    assert shape(shown) == shape(culls[0])
    assert shown["anchor"] in {e["anchor"] for e in events if e["event"] == "health"}
    assert shown["seed"] in {e.get("seed") for e in events if e.get("command") == "germinate"}
