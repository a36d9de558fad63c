"""The run of `make run` as it stands, made short (tests/short_default_run.txt), killed with SIGKILL
at chosen moments, also while a boundary measures, and resumed."""

import json
import signal
import subprocess
import time

import kill_sweep
import pytest
from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper

STEPS_PER_EPOCH = 8


def overrides(folder):
    text = folder / "text.txt"
    if not text.exists():
        text.write_text((ROOT / "data" / "tinyshakespeare.txt").read_text()[:84_000])
    lines = (ROOT / "tests" / "short_default_run.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")] + [f"data.path={text}"]


def events_of(run):
    path = run / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    # A line without its end is still being written.
    return [json.loads(line) for line in text.split("\n")[:-1]]


def rows_of(run):
    path = run / "metrics.csv"
    return max(path.read_text().count("\n") - 1, 0) if path.exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undisturbed run: no configuration named, so it is the one that `make run` takes."""
    folder = tmp_path_factory.mktemp("default")
    subprocess.run([ESPER, "train", *overrides(folder), "--run", "run", "-q"], cwd=folder,
                   check=True, timeout=240)
    return folder / "run"


def is_moment(event, kind):
    return event["event"] == kind or event.get("command") == kind


def kill_at(command, cwd, run, line):
    """Starts the command and kills it when events.jsonl has come beyond that line; False when it
    ended first."""
    process = subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 200
        while process.poll() is None and time.monotonic() < deadline:
            if len(events_of(run)) > line:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    return process.returncode == -signal.SIGKILL


def test_it_grows_and_replays(whole):
    seeds = json.loads((whole / "run.json").read_text())["seeds"]
    assert seeds["germinated"] >= 2 and seeds["fossilized"] >= 1 and seeds["culled"] >= 1
    resolved = (whole / "config.yaml").read_text()
    assert "policy: periodic" in resolved and "isolation: shadow" in resolved
    assert "seeds_per_anchor: 2" in resolved
    replayed = subprocess.run([ESPER, "replay", str(whole)], capture_output=True, text=True,
                              timeout=60)
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads((whole / "run.json").read_text())["program_sha256"] in replayed.stdout


def test_killed_at_each_kind_of_moment_and_resumed_it_ends_with_the_same_bits(whole):
    folder = whole.parent
    run = folder / "killed"
    expected = events_of(whole)
    killed = []
    inside = 0
    # Among the fits of the first candidates, between a look and what follows from it, while a seed
    # is blended in, and after one was kept. A resumed run writes the same lines again, so the line
    # of the undisturbed run tells when.
    for moment in ["readout", "germinate", "scale", "gate", "graft", "fossilize"]:
        there = len(events_of(run))
        line = next((i for i, event in enumerate(expected)
                     if i > there and is_moment(event, moment)), None)
        if line is None:
            continue
        command = [ESPER, "resume", str(run), "-q"]
        if not (run / "run.json").exists():
            command = [ESPER, "train", *overrides(folder), "--run", str(run), "-q"]
        assert kill_at(command, folder, run, line), f"{moment}: it ended before"
        killed.append(moment)
        # A boundary's row is written when its measuring is over.
        inside += events_of(run)[-1]["step"] // STEPS_PER_EPOCH > rows_of(run)
    assert len(killed) >= 4, killed
    assert inside >= 2, "too few kills fell inside the measuring of a boundary"
    subprocess.run([ESPER, "resume", str(run), "-q"], cwd=folder, check=True, timeout=240)
    assert kill_sweep.differences(whole, run) == []
