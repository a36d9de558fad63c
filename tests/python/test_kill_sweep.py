"""Killed and resumed runs end as undisturbed ones do (the short form of `make kill-sweep`)."""

import json
import struct
import subprocess
import sys

import kill_sweep
from conftest import ESPER, ROOT, needs_esper


@needs_esper
def test_runs_killed_at_random_moments_end_bit_equal():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "kill_sweep.py"), "--binary",
         ESPER, "--kills", "10", "--per-run", "3"],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills" in done.stdout


def write_checkpoint(path, state, tensor):
    header = json.dumps({"state": state, "tensors": [{"name": "w"}]}).encode()
    payload = struct.pack("<Q", len(header)) + header
    payload += bytes(-len(payload) % 64) + tensor
    path.write_bytes(bytes(20) + payload + bytes(32))


def write_run(folder, loss=1.0, rows_loss=1.0, tensor=b"abcd", events="{}\n", seconds=1.0):
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("journal.jsonl", "config.yaml"):
        (folder / name).write_text("x\n")
    (folder / "metrics.csv").write_text(f"epoch,val_loss,seconds\n1,{rows_loss},{seconds}\n")
    (folder / "events.jsonl").write_text(events)
    (folder / "run.json").write_text(json.dumps({"val_loss": loss, "wall_seconds": seconds}))
    write_checkpoint(folder / "checkpoints" / "step-1.ckpt", {"step": 1, "wall_seconds": seconds},
                     tensor)
    return folder


def test_only_the_time_may_differ(tmp_path):
    one = write_run(tmp_path / "one")
    assert kill_sweep.differences(one, write_run(tmp_path / "two", seconds=22.25)) == []
    assert kill_sweep.differences(one, write_run(tmp_path / "three", loss=2)) == ["run.json"]
    assert kill_sweep.differences(one, write_run(tmp_path / "four", tensor=b"abce")) == [
        "checkpoints/step-1.ckpt"]
    assert kill_sweep.differences(one, write_run(tmp_path / "five", events="")) == ["events.jsonl"]
    assert kill_sweep.differences(one, write_run(tmp_path / "six", rows_loss=2)) == ["metrics.csv"]
