"""What logging.* makes a run and a server write down."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from conftest import BINARY, needs_esper

pytestmark = needs_esper

RUN = ["data.kind=drawn", "data.train_examples=200",
       "model.host=mlp", "model.width=8", "model.depth=1", "run.epochs=2", "run.threads=1",
       "growth.enabled=false"]


def train(tmp_path, *words, expect=0):
    done = subprocess.run([BINARY, "train", *RUN, *words, "--run", "run", "-q"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == expect, done.stderr
    return done


def test_a_run_logs_only_where_it_is_asked_to(tmp_path):
    train(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"run"}


def test_a_runs_log_has_its_beginning_and_its_end(tmp_path):
    train(tmp_path, "logging.file=run.log", "logging.format=json", "logging.level=debug")
    lines = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    messages = [line["message"] for line in lines]
    assert messages[0] == "training begins" and messages[-1] == "training ended"
    assert lines[-1]["status"] == "done" and lines[-1]["level"] == "info"
    assert lines[0]["step"] == 0 and lines[-1]["step"] > 0


def test_below_its_level_nothing_is_written(tmp_path):
    train(tmp_path, "logging.file=run.log", "logging.level=warning")
    assert (tmp_path / "run.log").read_text() == ""


def test_a_log_that_cannot_be_opened_is_refused_by_name(tmp_path):
    done = train(tmp_path, "logging.file=nowhere/run.log", expect=2)
    assert "nowhere/run.log" in done.stderr


@pytest.mark.parametrize("traced", [False, True])
def test_a_servers_log_has_every_answer(tmp_path, traced):
    trace = "0af7651916cd43dd8448eb211c80319c"
    server = subprocess.Popen(
        [BINARY, "urza", "serve", "--port", "0", "--library", "library", "logging.file=urza.log",
         "logging.format=json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    try:
        address = server.stdout.readline().strip()
        # A thread that does not block the signal would be ended by it, and the server with it.
        # The main thread waits for it, and the kernel shows what is waited for as not blocked.
        others = [task for task in Path(f"/proc/{server.pid}/task").iterdir()
                  if task.name != str(server.pid)]
        assert others
        for task in others:
            blocked = next(line for line in (task / "status").read_text().splitlines()
                           if line.startswith("SigBlk:"))
            assert int(blocked.split()[1], 16) >> (signal.SIGTERM - 1) & 1, task
        request = urllib.request.Request(address + "/openapi.json")
        if traced:
            request.add_header("traceparent", f"00-{trace}-b7ad6b7169203331-01")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0, server.stderr.read()
    lines = [json.loads(line) for line in (tmp_path / "urza.log").read_text().splitlines()]
    answered = [line for line in lines if line["message"] == "answered"]
    assert [(a["method"], a["path"], a["status"]) for a in answered] == [
        ("GET", "/openapi.json", 200)]
    assert answered[0]["ms"] >= 0
    assert answered[0].get("trace") == (trace if traced else None)


def test_a_server_refuses_a_key_that_is_not_its_own(tmp_path):
    done = subprocess.run([BINARY, "urza", "serve", "--library", "library", "run.epochs=2"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "logging.level" in done.stderr
