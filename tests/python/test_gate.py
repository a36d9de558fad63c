"""The gate's judgement, on programs whose speed is known."""

import json
import stat
import sys

import gate
import pytest


@pytest.mark.parametrize("ratios, expected", [
    ([1.0, 1.01, 0.99, 1.0, 1.0], "same"),
    ([1.09, 1.08, 1.09, 1.10, 1.07], "same"),
    ([1.20, 1.21, 1.19, 1.22, 1.20], "slower"),
    ([0.8, 0.81, 0.79, 0.8, 0.8], "faster"),
    # Half of the rounds show nothing: a disturbed machine, not a slower program.
    ([1.0, 1.0, 1.5, 1.5, 1.5], "same"),
    # One quiet outlier does not hide a slower program.
    ([1.2, 1.2, 1.2, 1.2, 1.0], "slower"),
])
def test_a_verdict_needs_size_and_agreement(ratios, expected):
    assert gate.verdict(ratios) == expected


def test_a_rate_that_falls_is_a_slowdown():
    assert gate.slowdowns([100.0], [50.0], "higher") == [2.0]
    assert gate.slowdowns([100.0], [50.0], "lower") == [0.5]


def program(folder, name, values, cases=("x",)):
    """A benchmark that reports the next of `values` for each case each time it is run."""
    path = folder / name
    path.write_text(f"""#!{sys.executable}
import json, pathlib, sys
count = pathlib.Path(__file__ + ".count")
turn = int(count.read_text()) if count.exists() else 0
count.write_text(str(turn + 1))
values = {values!r}
value = values[min(turn, len(values) - 1)]
rows = [{{"case": case, "ours": value, "better": "lower"}} for case in {cases!r}]
open(sys.argv[2], "w").write(json.dumps({{"rows": rows}}))
""")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def in_scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "WORK", tmp_path)
    return tmp_path


def judge(folder, base, change):
    programs = {"base": program(folder, "base", base), "change": program(folder, "change", change)}
    return gate.judge("b", programs, 4)[0]


def test_a_slower_program_is_confirmed_and_reported(in_scratch):
    row = judge(in_scratch, [10.0], [12.0])
    assert row["verdict"] == "slower" and row["rounds"] == 8
    assert row["slowdown"] == pytest.approx(1.2)


def test_a_slowdown_that_does_not_come_back_is_none(in_scratch):
    row = judge(in_scratch, [10.0], [12.0] * 4 + [10.0])
    assert row["verdict"] == "same"


def test_an_equal_program_is_measured_once(in_scratch):
    row = judge(in_scratch, [10.0], [10.1])
    assert row["verdict"] == "same" and row["rounds"] == 4
    assert json.loads((in_scratch / "base.json").read_text())["rows"]


def verdicts(folder, base_cases, change_cases):
    programs = {"base": program(folder, "base", [10.0], base_cases),
                "change": program(folder, "change", [10.0], change_cases)}
    return gate.judge("b", programs, 2)


def test_a_case_that_the_change_lost_fails_unless_it_was_meant(in_scratch, capsys):
    lines = verdicts(in_scratch, ("x", "old name"), ("x", "new name"))
    assert {row["case"]: row["verdict"] for row in lines} == {
        "x": "same", "old name": "missing", "new name": "new"}
    assert "| b | old name | – | – | missing |" in capsys.readouterr().out
    assert [row["case"] for row in gate.failures(lines, [])] == ["old name"]
    assert gate.failures(lines, ["b/old name"]) == []
    assert gate.failures(lines, ["b"]) == []
    assert [row["case"] for row in gate.failures(lines, ["b/x"])] == ["old name"]


def test_a_new_case_does_not_fail(in_scratch):
    assert gate.failures(verdicts(in_scratch, ("x",), ("x", "y")), []) == []
