"""`telemetry.samples`: what the network makes, noted between epochs."""

import random
import signal
import struct
import subprocess
import time

import pytest

from conftest import ESPER, needs_esper
from kill_sweep import checkpoint, metrics
from small_runs import GROW, TINY, esper, events_of, record_of, train, write_text

pytestmark = needs_esper


def write_idx(path, shape, values):
    path.write_bytes(struct.pack(">BBBB", 0, 0, 8, len(shape)) +
                     struct.pack(f">{len(shape)}I", *shape) + bytes(values))


def test_images_are_noted_with_what_the_network_takes_them_for(tmp_path):
    draw, count, side = random.Random(0), 240, 40  # shown with 32 a side
    labels = [draw.randrange(3) for _ in range(count)]
    write_idx(tmp_path / "train-images-idx3-ubyte", (count, side, side),
              [60 * label + draw.randrange(60) for label in labels for _ in range(side * side)])
    write_idx(tmp_path / "train-labels-idx1-ubyte", (count,), labels)
    short = ["run.threads=1", "run.precision=fp32", "run.epochs=4", "run.steps_per_epoch=3",
             "growth.enabled=false", "model.width=4"]
    runs = {}
    for every in (0, 2):
        done = esper("train", tmp_path / "train-images-idx3-ubyte", *short,
                     f"telemetry.samples={every}", "--run", f"run-{every}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        runs[every] = tmp_path / f"run-{every}"
    # To the bit the run that it would have been.
    for key in ("program_sha256", "train_loss", "val_loss", "test_loss"):
        assert record_of(runs[0])[key] == record_of(runs[2])[key]
    assert not [e for e in events_of(runs[0]) if e["event"] == "pictures"]
    noted = [e for e in events_of(runs[2]) if e["event"] == "pictures"]
    assert [e["when"] for e in noted] == ["after epoch 2", "after epoch 4"]
    for event in noted:
        assert (event["height"], event["width"], event["channels"]) == (32, 32, 1)
        assert [p["why"] for p in event["pictures"]] == 4 * ["first"] + 4 * ["greatest loss"]
        assert [p["example"] for p in event["pictures"][:4]] == [0, 1, 2, 3]
        losses = [p["loss"] for p in event["pictures"][4:]]
        assert losses == sorted(losses, reverse=True)
        for picture in event["pictures"]:
            pixels = bytes.fromhex(picture["pixels"])
            assert len(pixels) == 32 * 32
            # Means of the areas under them, so of the class's own shade.
            shade = sum(pixels) / len(pixels)
            assert abs(shade - (60 * int(picture["class"]) + 30)) < 4
            assert 1 / 3 - 1e-6 <= picture["probability"] <= 1


NOTES = ["telemetry.samples=2", "telemetry.event_times=true"]


def same_run(one, two):
    """Whether two runs made the same network by the same steps, whatever they noted on the way."""
    assert (one / "journal.jsonl").read_bytes() == (two / "journal.jsonl").read_bytes()
    rows = [[{k: v for k, v in row.items() if k != "flops_total"} for row in metrics(run)]
            for run in (one, two)]
    assert rows[0] == rows[1]
    names = [sorted(p.name for p in (run / "checkpoints").glob("*.ckpt")) for run in (one, two)]
    assert names[0] == names[1] and names[0]
    for name in names[0]:
        (_, tensors, values), (_, others, other_values) = (
            checkpoint(run / "checkpoints" / name) for run in (one, two))
        assert tensors == others and values == other_values, name
    return True


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The same run without notes and with them."""
    folder = tmp_path_factory.mktemp("samples")
    data = write_text(folder / "text.txt")
    return (train(folder, *GROW, data=data, run="without"),
            train(folder, *GROW, *NOTES, data=data, run="with"), data)


def test_samples_leave_the_bits_of_a_run_as_they_are(grown):
    without, noted, _ = grown
    assert same_run(without, noted)
    assert [e for e in events_of(without) if e.get("command") == "germinate"]
    times = [e["when"] for e in events_of(noted) if e["event"] == "sample"]
    assert sorted(times) == sorted(["before the first growth", "at the end"] +
                                   [f"after epoch {n}" for n in range(2, 17, 2)])
    assert all(len(e["text"]) >= 160 for e in events_of(noted) if e["event"] == "sample")
    assert not (without / "event_times.csv").exists()
    spent = [record_of(run)["flops"] for run in (without, noted)]
    assert spent[1]["sampling"] > spent[0]["sampling"]
    assert {k: v for k, v in spent[0].items() if k != "sampling"} == {
        k: v for k, v in spent[1].items() if k != "sampling"}


def test_a_stopped_run_notes_what_an_undisturbed_one_does(grown, tmp_path):
    _, noted, data = grown
    run = tmp_path / "run"
    command = [ESPER, "train", *GROW, *NOTES, f"data.path={data}", "--run", run, "-q"]
    stops = 0
    for epochs in (3, 8, None):
        process = subprocess.Popen(list(map(str, command)), cwd=tmp_path)
        while process.poll() is None:
            if epochs and run.exists() and len(metrics_lines(run)) > epochs:
                process.send_signal(signal.SIGINT)
                process.wait(60)
                stops += process.returncode == 130
                break
            time.sleep(0.005)
        command = [ESPER, "resume", run, "-q"]
    assert stops >= 1 and record_of(run)["status"] == "done"
    assert same_run(noted, run)
    assert (noted / "events.jsonl").read_bytes() == (run / "events.jsonl").read_bytes()
    # One time for each event, in order, whatever was cut off in between.
    times = [tuple(map(int, line.split(",")))
             for line in (run / "event_times.csv").read_text().splitlines()]
    starts, at = [], 0
    for line in (run / "events.jsonl").read_bytes().splitlines(keepends=True):
        starts.append(at)
        at += len(line)
    assert [at for at, _ in times] == starts
    assert [ns for _, ns in times] == sorted(ns for _, ns in times)


def metrics_lines(run):
    path = run / "metrics.csv"
    return path.read_text().splitlines() if path.exists() else []


def test_samples_are_no_part_of_a_budget(tmp_path):
    data = write_text(tmp_path / "text.txt")
    runs = [train(tmp_path, *TINY, "growth.enabled=false", "run.budget=3e8", *notes, data=data,
                  run=f"run-{len(notes)}") for notes in ([], NOTES)]
    assert same_run(*runs)
    assert [e for e in events_of(runs[1]) if e["event"] == "sample"
            and e["when"].startswith("after")]


def test_a_run_goes_on_without_the_times_of_its_events(tmp_path):
    run = train(tmp_path, *TINY, *NOTES, "growth.enabled=false",
                data=write_text(tmp_path / "text.txt"))
    (run / "event_times.csv").unlink()
    done = esper("resume", run, "run.epochs=6", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_text_in_between_is_for_the_page_and_not_for_the_end(tmp_path):
    data = write_text(tmp_path / "text.txt")
    done = esper("train", *TINY, "growth.enabled=false", "telemetry.samples=1",
                 f"data.path={data}", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    noted = [e["when"] for e in events_of(tmp_path / "run") if e["event"] == "sample"]
    assert noted == [f"after epoch {n}" for n in (1, 2, 3, 4)] + ["at the end"]
    assert "after epoch" not in done.stdout and "Text sampled at the end" in done.stdout


def test_a_number_below_zero_is_refused(tmp_path):
    bad = esper("train", "telemetry.samples=-1", cwd=tmp_path)
    assert bad.returncode == 2 and "telemetry.samples" in bad.stderr
