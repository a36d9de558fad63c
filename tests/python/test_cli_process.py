"""The program as a process: signals, standard output, memory, help."""

import json
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import needs_esper
from test_cli import ESPER, GROWS, TEXT, esper

pytestmark = needs_esper


def limited(words, cwd, **limits):
    def set_limits():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return subprocess.run([ESPER, *words], cwd=cwd, capture_output=True, text=True, timeout=240,
                          preexec_fn=set_limits)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    done = esper("train", *TEXT, "controller.policy=never", "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("words", [
    ["train", "--dry-run"], ["doctor"], ["doctor", "--json"], ["data", "list"], ["--help"],
    ["inspect", "run"], ["eval", "run", "--json"], ["replay", "run"],
    ["train", *TEXT, "controller.policy=never", "--run", "full", "--json"],
])
def test_a_full_disk_behind_standard_output_is_an_error(trained, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ESPER, *words], cwd=trained, stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=240)
    assert done.returncode == 1, done.stderr
    assert "standard output could not be written: No space left on device" in done.stderr


def test_a_closed_standard_output_wants_nothing(trained):
    done = subprocess.run(["sh", "-c", f"'{ESPER}' replay run >&-"], cwd=trained, timeout=240)
    assert done.returncode == 0


def test_a_network_too_large_for_memory_is_one_line(tmp_path):
    done = limited(["train", *TEXT, "model.width=4096", "model.depth=12", "model.heads=4",
                    "--run", "run"], tmp_path, RLIMIT_AS=3_000_000_000)
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("esper: not enough memory; a smaller model.width")
    assert len(lines) <= 2 and not (tmp_path / "run").exists()


def test_a_text_too_large_for_memory_is_one_line(tmp_path):
    with open(tmp_path / "large.txt", "wb") as file:
        file.write(b"abc " * 100_000_000)
    done = limited(["data", "info", "large.txt"], tmp_path, RLIMIT_AS=1_500_000_000)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "not enough memory" in done.stderr


def test_a_limit_on_file_sizes_is_an_error_of_writing(tmp_path):
    done = limited(["train", *TEXT, "--run", "run"], tmp_path, RLIMIT_FSIZE=20_000)
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert not list(tmp_path.glob("**/*.tmp"))


@pytest.mark.parametrize("wait", [0, 0.02, 0.05, 0.1, 0.25, 0.5])
def test_a_request_to_go_back_in_the_first_moments_does_not_end_the_run(tmp_path, wait):
    process = subprocess.Popen([ESPER, "train", *GROWS, "run.epochs=2", "--run", "run"],
                               cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    # The loader maps the libraries first; nothing of ours can run before that.
    deadline = time.time() + 60
    status = Path(f"/proc/{process.pid}/status")
    while time.time() < deadline and not ignores_usr1(status):
        assert process.poll() is None
    time.sleep(wait)
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said


def ignores_usr1(status):
    ignored = int(re.search(r"SigIgn:\s*(\w+)", status.read_text()).group(1), 16)
    return ignored >> (signal.SIGUSR1 - 1) & 1


def test_help_and_version_are_found_under_the_words_people_type(tmp_path):
    whole = esper("--help", cwd=tmp_path)
    assert whole.returncode == 0 and "train" in whole.stdout
    assert esper("help", cwd=tmp_path).stdout == whole.stdout
    one = esper("help", "train", cwd=tmp_path)
    assert (one.returncode, one.stdout) == (0, esper("train", "--help", cwd=tmp_path).stdout)
    assert "--dry-run" in one.stdout
    assert esper("-v", cwd=tmp_path).stdout == esper("--version", cwd=tmp_path).stdout
    assert esper("help", "trian", cwd=tmp_path).returncode == 2


def test_an_epoch_says_how_long_it_took_and_what_is_left(tmp_path):
    done = esper("train", *GROWS, "run.epochs=3", "--run", "run", "--json", cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert len(lines) == 3
    for line in lines[:-1]:
        assert re.search(r" %  [\d.]+(ms|s|m\d+s), [\d.]+( \w)? examples/s, \S+ left$", line), line
    assert lines[-1].endswith("examples/s")
    epochs = [json.loads(line) for line in done.stdout.splitlines()]
    epochs = [e for e in epochs if e["event"] == "epoch"]
    assert all(e["seconds"] > 0 and e["examples_per_second"] > 0 for e in epochs)


def checks_of(cwd, **environment):
    about = json.loads(esper("doctor", "--json", cwd=cwd, **environment).stdout)
    return {check["what"]: check for check in about["checks"]}, about


def test_doctor_tries_what_it_says(tmp_path):
    checks, about = checks_of(tmp_path)
    machine = about["machine"]
    assert 1 <= machine["cores"] <= machine["hardware_threads"]
    assert machine["memory_bytes"] > 1e8
    for what in ("training in fp32", "training in bf16", "bundled text", "runs here"):
        assert checks[what]["works"], checks[what]
    for what in ("training in fp32", "training in bf16"):
        loss, gradient = map(float, re.findall(r"(?:loss|gradient) ([\d.]+)", checks[what]["why"]))
        # A network that knows nothing of four classes.
        assert 0.5 < loss < 4 and gradient > 0
    assert not checks["training on a GPU"]["works"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_what_is_broken(tmp_path):
    (tmp_path / "data" / "cifar-10-batches-bin").mkdir(parents=True)
    (tmp_path / "data" / "tinyshakespeare.txt").write_bytes(b"\x1f\x8b\x00\x00" * 100)
    checks, _ = checks_of(tmp_path, ESPER_FAULTS="files.write@1+")
    assert not checks["bundled text"]["works"] and "gzip" in checks["bundled text"]["why"]
    assert not checks["cifar10"]["works"] and "data_batch_1.bin" in checks["cifar10"]["why"]
    assert not checks["runs here"]["works"] and "--run" in checks["runs here"]["why"]
