"""Event files for TensorBoard, read here byte by byte as their formats are published: TFRecord framing
and the protocol buffers Event and Summary."""

import json
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, needs_esper
from small_runs import TINY, esper, train, write_text

pytestmark = needs_esper

SMALL = [*TINY, "growth.enabled=false", "telemetry.tensorboard=true"]
FILE = "tb/events.out.tfevents.esper"
TAGS = {"loss/train": "train_loss", "loss/validation": "val_loss",
        "accuracy/validation": "val_accuracy", "learning_rate": "learning_rate",
        "parameters": "parameters", "flops/total": "flops_total"}


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def message(data):
    """[(number of the field, its value)]"""
    fields, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            form, size = {1: ("<d", 8), 5: ("<f", 4)}[kind]
            value, at = struct.unpack(form, data[at:at + size])[0], at + size
        fields.append((key >> 3, value))
    return fields


def events(path):
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        head = data[at:at + 8]
        size, = struct.unpack("<Q", head)
        assert struct.unpack("<I", data[at + 8:at + 12])[0] == masked(head)
        content = data[at + 12:at + 12 + size]
        assert struct.unpack("<I", data[at + 12 + size:at + 16 + size])[0] == masked(content)
        found.append(message(content))
        at += 16 + size
    return found


def scalars(path):
    """{step: {tag: value}}, and the time of each step."""
    rows, times = {}, []
    first, *rest = events(path)
    assert dict(first)[3] == b"brain.Event:2"
    for event in rest:
        fields = dict(event)
        times.append(fields[1])
        values = [dict(message(value)) for number, value in message(fields[5]) if number == 1]
        rows[fields[2]] = {value[1].decode(): value[2] for value in values}
    return rows, times


def table(run):
    head, *lines = (run / "metrics.csv").read_text().splitlines()
    return [dict(zip(head.split(","), map(float, line.split(",")))) for line in lines]


def assert_the_same(run):
    rows, times = scalars(run / FILE)
    metrics = table(run)
    assert list(rows) == [row["step"] for row in metrics]
    for row in metrics:
        for tag, column in TAGS.items():
            assert rows[row["step"]][tag] == pytest.approx(row[column], rel=1e-6)
    seconds = [row["seconds"] for row in metrics]
    assert [t - times[0] for t in times] == pytest.approx([s - seconds[0] for s in seconds],
                                                          abs=1e-3)
    assert 0 <= time.time() - times[-1] < 3600, "TensorBoard's wall times are those of the calendar"
    return times


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tensorboard")
    return train(folder, *SMALL, data=write_text(folder / "text.txt"))


def test_every_epoch_is_an_event(trained):
    assert len(assert_the_same(trained)) == 4


READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
print(json.dumps({tag: [(e.step, e.value) for e in events.Scalars(tag)]
                  for tag in events.Tags()["scalars"]}))
"""


def test_tensorboard_itself_reads_it(trained):
    """With the code that TensorBoard loads event files with."""
    python = ROOT / ".venv-test" / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import tensorboard"],
                                             capture_output=True).returncode:
        pytest.skip("no tensorboard in .venv-test (make setup)")
    done = subprocess.run([python, "-c", READ, trained / "tb"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    curves = json.loads(done.stdout)
    metrics = table(trained)
    for tag, column in TAGS.items():
        assert curves[tag] == [[row["step"], pytest.approx(row[column], rel=1e-6)]
                               for row in metrics]


def test_a_resume_goes_on_without_gap_or_repetition(trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    before = (run / FILE).read_bytes()
    done = esper("resume", run, "run.epochs=7", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(assert_the_same(run)) == 7
    assert (run / FILE).read_bytes().startswith(before)


def test_no_file_is_written_unless_it_is_asked_for(tmp_path):
    run = train(tmp_path, *TINY, "growth.enabled=false", "run.epochs=1",
                data=write_text(tmp_path / "text.txt"))
    assert not (run / "tb").exists()
