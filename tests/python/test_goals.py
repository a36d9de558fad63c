"""`make goals` on planted benchmark files."""

import json
import subprocess
import sys
from pathlib import Path

import goals
import pytest
from goal_rows import TARGETS

ROOT = Path(__file__).resolve().parent.parent.parent


def plant(folder, bench, *rows):
    folder.mkdir(exist_ok=True)
    (folder / f"{bench}.json").write_text(json.dumps({"name": bench, "commit": "abc", "rows": [
        {"case": case, "unit": "ns", "peer": 1, "ratio": 1, "ci_low": 1, "ci_high": 1, "n": 9,
         "ours": 1, **values} for case, values in rows]}))


def run(folder, *arguments):
    output = folder.parent / "goals.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "goals.py"), "--bench", str(folder), "--output",
         str(output), *arguments], capture_output=True, text=True)
    judged = json.loads(output.read_text()) if output.exists() else None
    return done.returncode, done.stdout + done.stderr, judged


def target(judged, what):
    return next(t for t in judged["targets"] if t["target"] == what)


def test_every_target_is_printed_and_none_holds_without_a_measurement(tmp_path):
    (tmp_path / "bench").mkdir()
    status, text, judged = run(tmp_path / "bench")
    assert status == 0
    assert all(f"| {t.what} | {t.floor} | {t.goal} |" in text for t in TARGETS)
    assert {t["state"] for t in judged["targets"]} == {"not measured"}
    assert "not measured: make bench NAME=logging" in text
    assert run(tmp_path / "bench", "--all")[0] == 1


@pytest.mark.parametrize("nanoseconds, state, status", [
    (299, "reached", 0), (301, "holds", 0), (100_001, "below its floor", 1)])
def test_a_measurement_lies_above_the_goal_or_the_floor_or_fails(tmp_path, nanoseconds, state,
                                                                 status):
    plant(tmp_path / "bench", "logging", ("call with three fields, async", {"ours": 12}),
          ("call below the level", {"ours": nanoseconds}))
    ended, text, judged = run(tmp_path / "bench")
    assert ended == status, text
    assert target(judged, "a log call")["state"] == state
    if nanoseconds > 300:
        assert f"call below the level: {nanoseconds:.4g} ns (worst of 2)" in text


def test_an_interval_that_ends_below_one_is_a_loss(tmp_path):
    folder = tmp_path / "bench"
    plant(folder, "dormant", ("mlp", {"ratio": 0.99, "ci_high": 0.999}))
    check = TARGETS[6].checks[0]
    assert goals.judge(check, goals.read_benches(folder))[0] == "holds"
    plant(folder, "dormant", ("mlp", {"ratio": 0.94, "ci_high": 0.95}))
    assert goals.judge(check, goals.read_benches(folder))[0] == "below its floor"
    plant(folder, "dormant", ("mlp", {"ratio": 0.999, "ci_high": 1.002}))
    assert goals.judge(check, goals.read_benches(folder))[0] == "reached"


def test_a_target_is_not_reached_while_a_part_of_it_is_not_measured(tmp_path):
    plant(tmp_path / "bench", "state_layout", ("transition p50, alone", {"ours": 10}),
          ("transition p99, rival on the next seed", {"ours": 20}))
    judged = goals.judge_all(goals.read_benches(tmp_path / "bench"))
    one = next(t for t in judged if t["target"] == "a seed's state changes")
    assert [c["state"] for c in one["checks"]][:2] == ["reached", "reached"]
    assert one["state"] == "not measured"


def test_a_goal_without_a_floor_can_be_missed_but_does_not_fail(tmp_path):
    plant(tmp_path / "bench", "build", ("target esper, from nothing", {"ours": 361, "unit": "s"}))
    status, _, judged = run(tmp_path / "bench")
    assert (status, target(judged, "building")["state"]) == (0, "short")


def test_too_few_runs_do_not_reach_the_goal(tmp_path):
    case = "killed runs that end as undisturbed ones"
    plant(tmp_path / "bench", "completion", (case, {"ours": 1.0, "n": 20}))
    judged = goals.judge_all(goals.read_benches(tmp_path / "bench"))
    one = next(t for t in judged if t["target"] == "runs that complete")
    assert [c["state"] for c in one["checks"]] == ["reached", "short"]


def test_a_soak_of_two_hours_is_short_of_the_goal_and_fails_nothing(tmp_path):
    plant(tmp_path / "bench", "soak_training", ("memory, files and threads: flat", {"ours": 1}),
          ("hours", {"ours": 2.0}))
    status, _, judged = run(tmp_path / "bench")
    assert status == 0
    assert [c["state"] for c in target(judged, "leaks")["checks"]][-2:] == ["reached", "short"]


def test_architectures_are_judged_by_all_that_were_tried(tmp_path):
    (tmp_path / "bench").mkdir()
    report = {"total": 488, "failed": 9, "models": []}
    (tmp_path / "compat.json").write_text(json.dumps(report))
    one = target(run(tmp_path / "bench")[2], "architectures")
    assert [c["state"] for c in one["checks"]] == ["reached", "not measured"]
    (tmp_path / "compat.json").write_text(json.dumps({**report, "not_built": 282}))
    one = target(run(tmp_path / "bench")[2], "architectures")
    assert [c["state"] for c in one["checks"]] == ["reached", "short"]
    assert "0.6221 share" in one["checks"][1]["measured"]


def test_a_file_that_is_no_benchmark_is_named(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "engine.json").write_text('{"rows": [{"case": "x"}]}')
    status, text, _ = run(tmp_path / "bench")
    assert status == 1 and "engine.json is no benchmark's file" in text


def test_what_the_targets_read_is_what_commands_write():
    """Benchmarks that are named exist; what waits for something has none yet."""
    import bench
    made_elsewhere = {"tests_tsan", "tests_release", "state_walk", "cuda", "compat", "completion",
                      "leaks", "soak", "soak_training", "sham", "coverage"}
    there = set(bench.benchmarks())
    for one in TARGETS:
        for check in one.checks:
            if check.waits:
                continue
            assert check.bench in there or check.bench in made_elsewhere, check
            assert (check.bench in made_elsewhere) == bool(check.command), check


def head_commit():
    return subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, text=True,
                          capture_output=True, check=True).stdout.strip()


def test_figures_are_shown_over_the_commits_at_which_they_were_measured(tmp_path):
    folder, kept = tmp_path / "bench", tmp_path / "kept.jsonl"
    case = "call <b>with</b> three fields"
    kept.write_text(json.dumps({"commit": "0123456789ab", "at": 1, "bench": "logging",
                                "rows": [[case, 500.0, "ns"]]}) + "\n")
    plant(folder, "logging", (case, {"ours": 250}))
    file = folder / "logging.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "commit": head_commit()}))
    plant(folder, "memory", ("peak", {"ours": 3}))
    (folder / "memory.json").write_text((folder / "memory.json").read_text().replace(
        '"abc"', f'"{head_commit()}-dirty"'))
    assert run(folder, "--kept", str(kept))[0] == 0
    assert len(kept.read_text().splitlines()) == 1  # unless it is asked for nothing is kept
    assert run(folder, "--kept", str(kept), "--keep")[0] == 0
    records = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(r["commit"], r["rows"][0][1]) for r in records] == [
        ("0123456789ab", 500), (head_commit(), 250)]
    here = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert {r["commit"] for r in here} == {"0123456789ab", head_commit(), head_commit() + "-dirty"}
    page = (tmp_path / "goals.html").read_text()
    assert "call &lt;b&gt;with&lt;/b&gt; three fields" in page and "<b>with" not in page
    assert f"0123456789ab: 500 ns, {head_commit()}: 250 ns" in page
    assert "250 to 500" in page and "http" not in page and "<script" not in page
    for section in ("Performance against goals", "Coverage and tests", "Memory",
                    "Errors and recovery", "Throughput"):
        assert f"<h2>{section}</h2>" in page
    # The last measurement of a commit is the one that counts.
    plant(folder, "logging", (case, {"ours": 240}))
    file.write_text(file.read_text().replace('"abc"', f'"{head_commit()}"'))
    assert run(folder, "--kept", str(kept), "--keep")[0] == 0
    assert [json.loads(line)["rows"][0][1] for line in kept.read_text().splitlines()] == [500, 240]


def test_a_history_that_is_none_is_named(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "kept.jsonl").write_text('{"commit": "a", "at": 1, "bench": "b", "rows": [[1]]}\n')
    status, text, _ = run(tmp_path / "bench", "--kept", str(tmp_path / "kept.jsonl"))
    assert status == 1 and "kept.jsonl:1 is no line of a history" in text


def test_what_this_repository_keeps_is_a_history():
    import goals_history
    records = goals_history.read_history(ROOT / "bench" / "history.jsonl")
    assert records and not [r for r in records if r["commit"].endswith("-dirty")]
