import json
import sys
from pathlib import Path

import nightly
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def call(monkeypatch, tmp_path, steps, *arguments):
    monkeypatch.setattr(nightly, "steps", lambda soak: steps)
    monkeypatch.setattr(nightly, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(sys, "argv", ["nightly.py", *arguments])
    return nightly.main()


def test_a_failing_step_is_named_and_does_not_stop_the_others(monkeypatch, tmp_path, capsys):
    steps = {"bad": (["sh", "-c", "echo broken; exit 3"], ["true"]),
             "good": (["sh", "-c", "echo fine"], ["true"])}
    assert call(monkeypatch, tmp_path, steps) == 1
    text = capsys.readouterr().out
    assert "bad: FAILED (3)" in text and "broken" in text and "good: passed" in text
    assert text.endswith("nightly: 2 steps, failed: bad\n")
    report = json.loads((tmp_path / "logs" / "report.json").read_text())
    assert [(d["step"], d["status"]) for d in report] == [("bad", 3), ("good", 0)]


def test_steps_can_be_chosen(monkeypatch, tmp_path, capsys):
    steps = {n: (["true"], ["false"]) for n in "abc"}
    assert call(monkeypatch, tmp_path, steps, "--from", "b") == 0
    assert "nightly: 2 steps" in capsys.readouterr().out
    assert call(monkeypatch, tmp_path, steps, "--only", "a") == 0
    assert "nightly: 1 steps" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no step d"):
        call(monkeypatch, tmp_path, steps, "--only", "d")


def test_every_step_is_a_command_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for name, forms in nightly.steps("1h").items():
        for command in forms:
            assert command[0] == "make", name
            assert f"\n{command[1]}:" in makefile, command


def test_the_short_form_runs_every_step_and_fails_with_one(monkeypatch, tmp_path, capsys):
    """Its figures are not those that `make goals` reads, but `goals` judges the real ones."""
    say = ["sh", "-c", "echo bench is ${ESPER_BENCH:-where it was}"]
    steps = {"long": (["false"], say), "bad": (["true"], ["sh", "-c", "exit 7"]),
             "goals": (["false"], say)}
    monkeypatch.delenv("ESPER_BENCH", raising=False)
    assert call(monkeypatch, tmp_path, steps, "--short") == 1
    text = capsys.readouterr().out
    assert f"bench is {tmp_path / 'logs' / 'bench'}\nlong: passed" in text
    assert "bad: FAILED (7)" in text and "bench is where it was\ngoals: passed" in text
    assert text.endswith("nightly: 3 steps, failed: bad\n")


def test_what_nightly_is_told_does_not_reach_its_steps(monkeypatch, tmp_path, capsys):
    """make hands a variable of its command line on to every make below it."""
    (tmp_path / "Makefile").write_text("step:\n\t@echo told: $(ARGS)\n")
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=--short")
    call(monkeypatch, tmp_path, {"one": (["make", "-C", str(tmp_path), "step"], [])})
    assert "told:\n" in capsys.readouterr().out.replace("told: \n", "told:\n")
