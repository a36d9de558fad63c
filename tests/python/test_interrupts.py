"""Signals to a running run, as docs/reliability.md promises them: Ctrl-C and SIGTERM once and twice,
resuming after them, SIGUSR1 and `esper rollback`, also in the first moments."""

import json
import signal
import subprocess
import time
from pathlib import Path

import kill_sweep
import pytest
from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper

GROWS = [str(ROOT / "configs" / "testing.yaml"), "controller.policy=periodic",
         "controller.period=1ep", "growth.start=0.1", "growth.graft_steps=30"]
ENDLESS = [*GROWS, "run.epochs=100000"]


def events_of(run, kind=None):
    path = run / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    events = [json.loads(line) for line in text.split("\n")[:-1]]
    return [e for e in events if kind in (None, e["event"], e.get("command"))]


def rows_of(run):
    path = run / "metrics.csv"
    return max(path.read_text().count("\n") - 1, 0) if path.exists() else 0


def status_of(run):
    return json.loads((run / "run.json").read_text())["status"]


class Running:
    """`esper` with these words in a process of its own, ended with the block."""

    def __init__(self, cwd, *words):
        self.process = subprocess.Popen([ESPER, *words], cwd=cwd, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def wait_until(self, reached, seconds=120):
        deadline = time.monotonic() + seconds
        while not reached():
            assert self.process.poll() is None, "it ended: " + self.process.communicate()[1]
            assert time.monotonic() < deadline, "it did not come so far"
            time.sleep(0.01)

    def send(self, number):
        self.process.send_signal(number)

    def ended(self, seconds=120):
        """(exit code, standard error)"""
        _, errors = self.process.communicate(timeout=seconds)
        return self.process.returncode, errors


def resume_to_the_end(cwd, run, *overrides):
    return subprocess.run([ESPER, "resume", str(run), *overrides, "-q"], cwd=cwd,
                          capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_a_checkpoint_and_resume_really_goes_on(tmp_path, number):
    words = [*GROWS, "run.epochs=10"]
    subprocess.run([ESPER, "train", *words, "--run", "whole", "-q"], cwd=tmp_path, check=True,
                   timeout=240)
    run = tmp_path / "run"
    with Running(tmp_path, "train", *words, "--run", "run") as training:
        training.wait_until(lambda: rows_of(run) >= 3)
        training.send(number)
        code, said = training.ended()
    assert code == 130, said
    assert "esper resume run" in said
    assert status_of(run) == "stopped"
    stopped = json.loads((run / "run.json").read_text())
    assert 3 * 20 <= stopped["steps"] < 10 * 20
    resumed = resume_to_the_end(tmp_path, "run")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((run / "run.json").read_text())["steps"] == 10 * 20
    assert kill_sweep.differences(tmp_path / "whole", run) == []


def takes(process, number):
    """Whether the process has a handler of its own for the signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1],
                 16)
    return bool(caught >> (number - 1) & 1)


@pytest.mark.parametrize("seconds", [0, 0.1, 0.2, 0.4, 0.8])
def test_an_interrupt_before_training_starts_has_its_exit_code_and_leaves_nothing_half(tmp_path,
                                                                                      seconds):
    run = tmp_path / "run"
    with Running(tmp_path, "train", *ENDLESS, "--run", "run") as training:
        training.wait_until(lambda: takes(training.process, signal.SIGINT))
        time.sleep(seconds)
        training.send(signal.SIGINT)
        code, said = training.ended()
    assert code == 130, said
    if run.exists():
        assert status_of(run) == "stopped"
        assert resume_to_the_end(tmp_path, "run", "run.epochs=2").returncode == 0


def test_an_interrupt_while_a_run_is_made_stops_it_before_its_first_step(tmp_path):
    # The data of this run take longer to draw than the signal takes to come.
    drawn = ["data.kind=drawn", "data.path=", "data.train_examples=50000", "model.host=mlp",
             "run.precision=fp32"]
    with Running(tmp_path, "train", *GROWS, *drawn, "--run", "run") as training:
        training.wait_until(lambda: takes(training.process, signal.SIGTERM))
        training.send(signal.SIGTERM)
        code, said = training.ended()
    assert code == 130, said
    assert "stopped after step 0" in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["steps"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_run_at_once(tmp_path, number):
    run = tmp_path / "run"
    # A step of a second or more: the first signal waits for the end of one, the second does not.
    slow = ["run.epochs=3", "run.steps_per_epoch=50", "data.kind=drawn", "data.path=",
            "model.host=resnet", "model.depth=20", "model.width=32", "data.batch_size=256",
            "data.train_examples=2000", "run.threads=1", "run.precision=fp32"]
    with Running(tmp_path, "train", *GROWS, *slow, "--run", "run") as training:
        training.wait_until(lambda: (run / "run.json").exists())
        time.sleep(0.5)
        training.send(number)
        # Two that come before the process runs again are one.
        training.wait_until(lambda: not takes(training.process, number))
        training.send(number)
        code, said = training.ended()
    # By the signal itself, or by a clean stop where the step was over in between.
    assert code in (-number, 130), said
    assert status_of(run) == ("running" if code == -number else "stopped")


def test_after_a_second_signal_a_run_can_be_resumed(tmp_path):
    words = [*GROWS, "run.epochs=6"]
    subprocess.run([ESPER, "train", *words, "--run", "whole", "-q"], cwd=tmp_path, check=True,
                   timeout=240)
    run = tmp_path / "run"
    with Running(tmp_path, "train", *words, "--run", "run") as training:
        training.wait_until(lambda: rows_of(run) >= 1)
        training.send(signal.SIGINT)
        training.send(signal.SIGINT)
        training.ended()
    if status_of(run) != "done":
        assert resume_to_the_end(tmp_path, "run").returncode == 0
    assert kill_sweep.differences(tmp_path / "whole", run) == []


def test_where_signals_are_not_taken_the_first_one_ends_the_run_without_a_checkpoint(tmp_path):
    run = tmp_path / "run"
    with Running(tmp_path, "train", *ENDLESS, "checkpoint.on_signal=false", "--run",
                 "run") as training:
        training.wait_until(lambda: rows_of(run) >= 2)
        training.send(signal.SIGTERM)
        code, _ = training.ended()
    assert code == -signal.SIGTERM
    assert status_of(run) == "running"
    assert not list((run / "checkpoints").glob("stopped-*.ckpt"))


@pytest.mark.parametrize("ask", ["rollback", "SIGUSR1"])
def test_a_run_goes_back_when_it_is_asked_to(tmp_path, ask):
    run = tmp_path / "run"
    with Running(tmp_path, "train", *ENDLESS, "--run", "run") as training:
        training.wait_until(lambda: rows_of(run) >= 4)
        before = len(events_of(run, "rollback"))
        if ask == "rollback":
            asked = subprocess.run([ESPER, "rollback", "run"], cwd=tmp_path, capture_output=True,
                                   text=True, timeout=60)
            assert asked.returncode == 0, asked.stderr
            assert str(training.process.pid) in asked.stderr
        else:
            training.send(signal.SIGUSR1)
        training.wait_until(lambda: len(events_of(run, "rollback")) > before)
        rows = rows_of(run)
        training.wait_until(lambda: rows_of(run) > rows + 1)  # it trains on
        training.send(signal.SIGINT)
        code, said = training.ended()
    assert code == 130, said
    event = events_of(run, "rollback")[before]
    assert event["trouble"] == "request"
    assert event["to_step"] <= event["step"]
    assert json.loads((run / "run.json").read_text())["rollbacks"] > before
    replayed = subprocess.run([ESPER, "replay", "run"], cwd=tmp_path, capture_output=True,
                              text=True, timeout=60)
    assert replayed.returncode == 0, replayed.stderr


def test_a_run_that_is_not_running_cannot_be_asked_to_go_back(tmp_path):
    subprocess.run([ESPER, "train", *GROWS, "run.epochs=2", "--run", "run", "-q"], cwd=tmp_path,
                   check=True, timeout=120)
    asked = subprocess.run([ESPER, "rollback", "run"], cwd=tmp_path, capture_output=True, text=True,
                           timeout=60)
    assert asked.returncode != 0
    assert "is not running here" in asked.stderr and "esper resume" in asked.stderr


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1, 0.25, 0.5, 1.0])
def test_a_request_in_the_first_moments_does_no_harm(tmp_path, delay):
    """Before the process reads its first line it has no handler of any kind: `esper rollback`
    cannot reach it then, for there is no lock to name it. From the lock on, the signal is safe."""
    run = tmp_path / "run"
    with Running(tmp_path, "train", *GROWS, "run.epochs=3", "--run", "run", "-q") as training:
        training.wait_until(lambda: (run / "lock").exists() or rows_of(run))
        time.sleep(delay)
        if training.process.poll() is None:
            training.send(signal.SIGUSR1)
        code, said = training.ended()
    assert code == 0, said
    assert status_of(run) == "done"
