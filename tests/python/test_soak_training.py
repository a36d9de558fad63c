"""`make soak DURATION=…`: what it measures and what it finds."""

import argparse
import json

import pytest
import soak
from conftest import ESPER, needs_esper


def watched(values):
    watch = soak.Watch()
    watch.samples = [(float(i), kib, files, 3) for i, (kib, files) in enumerate(values)]
    return watch


def test_a_leak_of_memory_and_of_files_is_a_slope():
    kib, files, threads = watched([(1000 + 10 * i, 5 + i // 100) for i in range(300)]).growth()
    assert kib == pytest.approx(1800, rel=0.05) and files == 1 and threads == 0


def test_a_moment_of_memory_for_a_checkpoint_is_none():
    kib, files, _ = watched([(1000 + (5000 if i % 7 == 0 else 0), 5) for i in range(300)]).growth()
    assert (kib, files) == (0, 0)


def test_too_few_samples_show_no_trend():
    assert watched([(1000, 5)] * 20).growth() is None


def test_what_a_process_left_behind_is_named(tmp_path):
    run, scratch = tmp_path / "run", tmp_path / "tmp"
    (run / "checkpoints").mkdir(parents=True)
    scratch.mkdir()
    (run / "checkpoints" / "step-1.ckpt").write_text("")
    assert soak.left_behind(run, scratch) == []
    (run / "run.json.tmp").write_text("")
    (scratch / "esper-1").write_text("")
    assert soak.left_behind(run, scratch) == [str(run / "run.json.tmp"), str(scratch / "esper-1")]
    assert "1 checkpoints" in soak.left_behind(run, scratch, keep=0)[1]


@pytest.mark.parametrize("text, seconds", [("90s", 90), ("10m", 600), ("48h", 172800)])
def test_a_duration_carries_a_unit(text, seconds):
    assert soak.seconds_of(text) == seconds
    with pytest.raises(argparse.ArgumentTypeError, match="such as 90s"):
        soak.seconds_of(text[:-1])


@pytest.mark.parametrize("steps, culled, over", [(35, 0, False), (35, 1, True), (400, 0, True)])
def test_a_slow_machine_is_given_time_until_a_seed_was_culled(tmp_path, steps, culled, over):
    one = soak.TrainingSoak("esper", 60, 1, tmp_path)
    run = tmp_path / "long"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"steps": steps, "seeds": {"culled": culled}}))
    assert one.has_culled(run) == over


@needs_esper
def test_a_run_is_stopped_resumed_and_watched(tmp_path):
    """A few segments, until a seed was culled, and a whole run; too short for a trend."""
    one = soak.TrainingSoak(ESPER, 60, 1, tmp_path)
    run = tmp_path / "long"
    for segment in range(10):
        one.segment(run, 5)
        assert one.problems == []
        record = json.loads((run / "run.json").read_text())
        if segment > 0 and record["seeds"]["culled"] > 0:
            break
    one.short_run()
    assert one.problems == []
    assert record["status"] == "stopped"
    assert record["seeds"]["germinated"] > record["seeds"]["fossilized"] == 0
    assert record["seeds"]["culled"] > 0
