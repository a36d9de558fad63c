"""What the commands tell of a run: which checkpoint, which seeds, which edits."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import needs_esper

from small_runs import ESPER, GROW, TINY, esper, events_of, record_of, train, write_text

pytestmark = needs_esper


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("data") / "small.txt")


@pytest.fixture(scope="module")
def grown(tmp_path_factory, text):
    return train(tmp_path_factory.mktemp("grown"), *GROW, data=text)


@pytest.fixture(scope="module")
def gone_back(tmp_path_factory, text):
    """A run that was asked to go back, six times in a row: each time to a checkpoint before the one
    it had just gone back to, so that it loses seeds that germinated between them."""
    folder = tmp_path_factory.mktemp("back")
    run = folder / "run"
    process = subprocess.Popen([ESPER, "train", *GROW, "run.epochs=60", f"data.path={text}",
                                "--run", str(run)], cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_for_events(run, process, '"epoch":14,', 1)
        for times in range(1, 7):
            process.send_signal(signal.SIGUSR1)
            wait_for_events(run, process, '"event":"rollback"', times)
        assert process.wait(timeout=200) == 0
    finally:
        process.kill()
    return run


def wait_for_events(run, process, words, times):
    deadline = time.time() + 120
    while time.time() < deadline and process.poll() is None:
        file = run / "events.jsonl"
        if file.exists() and file.read_text().count(words) >= times:
            return
        time.sleep(0.001)
    raise AssertionError(f"{words} did not come")


@pytest.fixture
def copy(grown, tmp_path):
    return Path(shutil.copytree(grown, tmp_path / "copy"))


def inspect(run, *words):
    done = esper("inspect", run, "--json", *words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def report_data(run, out):
    done = esper("report", run, "-o", out, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text().split('id="data">', 1)[1].split("</script>", 1)[0])


def steps_of_edits(run):
    return [json.loads(line)["step"] for line in (run / "journal.jsonl").read_text().splitlines()]


def lineage(run, out, *words):
    done = esper("export", run, "-o", out, *words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "lineage.json").read_text()), done


# --- one rule for which checkpoint ---


def test_every_command_takes_the_best_checkpoint_and_says_so(grown, tmp_path):
    evaluated = esper("eval", grown, cwd=tmp_path)
    said = json.loads(esper("eval", grown, "--json", cwd=tmp_path).stdout)
    exported, done = lineage(grown, tmp_path / "out")
    assert said["checkpoint"] == exported["checkpoint"] == inspect(grown)["checkpoint"] == "best"
    assert said["step"] == exported["step"] == inspect(grown)["step"]
    for out in (evaluated.stdout, done.stderr, esper("inspect", grown, cwd=tmp_path).stdout):
        assert f"best checkpoint (step {said['step']})" in out


@pytest.mark.parametrize("which", ["best", "last", "40"])
def test_a_checkpoint_can_be_named_on_each_command(grown, tmp_path, which):
    step = json.loads(esper("eval", grown, "--json", "--checkpoint", which,
                            cwd=tmp_path).stdout)["step"]
    exported, _ = lineage(grown, tmp_path / "out", "--checkpoint", which)
    shown = inspect(grown, "--checkpoint", which)
    assert (exported["checkpoint"], exported["step"]) == (which, step)
    assert (shown["checkpoint"], shown["step"]) == (which, step)
    assert shown["program_sha256"] == exported["program_sha256"]


def test_the_last_checkpoint_is_what_run_json_describes(grown):
    assert inspect(grown, "--checkpoint", "last")["program_sha256"] == \
        record_of(grown)["program_sha256"]


# --- lineage agrees with what was exported ---


def test_lineage_holds_the_edits_that_led_to_the_checkpoint(grown, tmp_path):
    steps = steps_of_edits(grown)
    at = next(s for s in range(10, 160, 10) if 0 < sum(x <= s for x in steps[1:]) < len(steps) - 1)
    exported, _ = lineage(grown, tmp_path / "out", "--checkpoint", str(at))
    assert [e["step"] for e in exported["edits"]] == [s for s in steps[1:] if s <= at]
    shown = inspect(grown, "--checkpoint", str(at))
    assert [e["step"] for e in shown["lineage"]] == [s for s in steps if s <= at]


@pytest.mark.parametrize("words", [["export", "-o", "out"], ["inspect"], ["report", "-o", "r.html"],
                                   ["replay"]])
def test_a_journal_without_its_last_line_is_refused(copy, tmp_path, words):
    lines = (copy / "journal.jsonl").read_text().splitlines(keepends=True)
    (copy / "journal.jsonl").write_text("".join(lines[:-1]))
    last = ["--checkpoint", "last"] if words[0] in ("export", "inspect") else []
    done = esper(words[0], copy, *words[1:], *last, cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr


@pytest.mark.parametrize("words", [["export", "-o", "out"], ["inspect"], ["report", "-o", "r.html"]])
def test_another_runs_checkpoint_is_refused(copy, text, tmp_path, words):
    other = train(tmp_path, *GROW, "run.seed=7", data=text, run="other")
    for name in ("best.ckpt", "step-160.ckpt"):
        shutil.copy(other / "checkpoints" / name, copy / "checkpoints" / name)
    done = esper(words[0], copy, *words[1:], cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "not of one run" in done.stderr or "missing" in done.stderr


# --- rollbacks ---


def test_views_know_what_a_rollback_took_back(gone_back, tmp_path):
    events = events_of(gone_back)
    lives = {life["seed"]: life for life in inspect(gone_back)["lives"]}
    back = [(i, e) for i, e in enumerate(events) if e["event"] == "rollback"]
    gone = {b["seed"] for i, e in back for b in events[:i]
            if b.get("command") == "germinate" and b["step"] > e["to_step"]}
    assert gone, "the run went back without losing a seed"
    assert {lives[seed]["outcome"] for seed in gone} == {"rolled back"}
    data = report_data(gone_back, tmp_path / "r.html")
    assert {life["seed"]: life["outcome"] for life in data["lives"]} == \
        {seed: life["outcome"] for seed, life in lives.items()}
    present = {s["seed"] for s in inspect(gone_back, "--checkpoint", "last")["seeds"]}
    assert {s for s, life in lives.items() if life["outcome"] in ("alive", "kept")} == present


def test_counts_of_the_views_are_those_of_run_json(gone_back, grown):
    for run in (grown, gone_back):
        outcomes = [life["outcome"] for life in inspect(run)["lives"]]
        seeds = record_of(run)["seeds"]
        assert len(outcomes) == seeds["germinated"]
        for word, key in (("kept", "fossilized"), ("culled", "culled"),
                          ("cancelled", "cancelled"), ("rolled back", "rolled_back")):
            assert outcomes.count(word) == seeds[key], word


# --- readers name what is wrong, and never end in an exception ---


@pytest.mark.parametrize("line, named", [
    ('{"event":"decison","step":1,"epoch":0}', "decision"),
    ('{"event":"sample","step":1,"epoch":0,"when":"x"}', "'text'"),
    ('{"event":"sample","step":"x","epoch":0,"when":"x","text":"y"}', "'step'"),
    ("[" * 100_000, "JSON"), ("\x00", "JSON"),
])
@pytest.mark.parametrize("command", ["inspect", "report"])
def test_a_bad_event_is_named_by_line_and_field(copy, tmp_path, line, named, command):
    events = (copy / "events.jsonl").read_text()
    (copy / "events.jsonl").write_text(events + line + "\n")
    done = esper(command, copy, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert f"line {events.count(chr(10)) + 1}" in done.stderr
    assert named in done.stderr or "nested" in done.stderr


@pytest.mark.parametrize("field, value", [("status", 1), ("name", None), ("steps", "<b>"),
                                          ("seeds", []), ("val_loss", "low")])
@pytest.mark.parametrize("command", ["inspect", "report", "replay", "eval", "export", "resume"])
def test_a_field_of_another_type_in_run_json_is_refused(copy, tmp_path, field, value, command):
    record = record_of(copy)
    record[field] = value
    (copy / "run.json").write_text(json.dumps(record))
    done = esper(command, copy, cwd=tmp_path)
    assert done.returncode == 3, (done.returncode, done.stderr)
    assert f"'{field}'" in done.stderr


def test_empty_checkpoints_are_said_to_be_empty(copy, tmp_path):
    shutil.rmtree(copy / "checkpoints")
    (copy / "checkpoints").mkdir()
    done = esper("eval", copy, cwd=tmp_path)
    assert done.returncode == 3
    assert "holds no checkpoint" in done.stderr and "there are" not in done.stderr


# --- the end of a run ---


def test_the_last_screen_tells_best_last_and_test(text, tmp_path):
    done = esper("train", *TINY, "controller.policy=never", f"data.path={text}", "--run", "run",
                 cwd=tmp_path)
    record = record_of(tmp_path / "run")
    assert f"validation, last  loss {record['val_loss']:.4f}" in done.stdout
    assert f"validation, best  loss {record['best_val_loss']:.4f}" in done.stdout
    assert f"accuracy {record['test_accuracy'] * 100:.2f} %" in done.stdout
    assert "Nothing grew in this run: controller.policy is never." in done.stdout


def test_the_tests_figures_are_those_of_the_best_checkpoint(grown, tmp_path):
    record = record_of(grown)
    said = json.loads(esper("eval", grown, "--json", cwd=tmp_path).stdout)
    assert record["test_checkpoint"] == "best"
    assert record["test_step"] == said["step"] == record["best_step"]
    assert record["test_accuracy"] == pytest.approx(said["test_accuracy"], abs=1e-7)
    assert record["test_loss"] == pytest.approx(said["test_loss"], rel=1e-6)


def test_each_epoch_says_how_long_it_took(grown):
    rows = (grown / "metrics.csv").read_text().splitlines()
    columns = rows[0].split(",")
    assert columns[-3:] == ["seconds", "examples_per_second", "resident_bytes"]
    seconds = [float(row.split(",")[-3]) for row in rows[1:]]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert all(float(row.split(",")[-2]) > 0 for row in rows[1:])
    assert all(float(row.split(",")[-1]) > 20e6 for row in rows[1:])  # libtorch alone is more
    record = record_of(grown)
    assert seconds[-1] <= record["wall_seconds"]
    assert max(float(row.split(",")[-1]) for row in rows[1:]) <= record["peak_resident_bytes"]
