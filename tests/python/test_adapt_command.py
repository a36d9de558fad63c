"""esper adapt, esper adapters and esper eval --adapter, as a user gives them."""

import hashlib
import json
import signal
import subprocess
import time

import pytest
from conftest import ESPER, ROOT, needs_esper

from small_runs import TINY, esper, train, write_text

pytestmark = needs_esper

HOST = [*TINY, "growth.enabled=false", "run.epochs=4", "run.steps_per_epoch=50",
        "optimization.learning_rate=0.01"]
ADAPT = ["--parameters", "100%", "--epochs", "1", "--rate", "0.02"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapted")
    write_text(folder / "code.txt")
    verse = (ROOT / "data/tinyshakespeare.txt").read_text()
    (folder / "verse.txt").write_text(verse[:60_000])
    return folder


@pytest.fixture(scope="module")
def host(folder):
    return train(folder, *HOST, data=folder / "code.txt", run="host")


@pytest.fixture(scope="module")
def adapted(folder, host):
    """(what the run's best checkpoint was before, the command's lines)."""
    before = digest(host / "checkpoints/best.ckpt")
    done = esper("adapt", "host", "verse.txt", *ADAPT, "--name", "verse", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return before, [json.loads(line) for line in done.stdout.splitlines()]


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def evaluated(folder, *words):
    done = esper("eval", "host", *words, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_finished_run_is_adapted_and_leaves_one_small_file(folder, host, adapted):
    _, lines = adapted
    assert [line["event"] for line in lines[:2]] == ["place", "look"]
    end = lines[-1]
    assert end["event"] == "end" and end["kept"] and end["gate"]["verdict"] == "keep"
    assert end["losses"]["new"] < end["losses"]["new, host"] - 0.15
    assert end["parameters"] <= end["host_parameters"]
    assert end["flops"]["training"] > end["flops"]["measuring"] > 0
    file, = (host / "adapters").iterdir()
    assert str(file) == str(folder / end["file"]) and file.name == "verse.esper"
    assert file.stat().st_size < 4 * end["parameters"] + 4096


def test_with_the_adapter_off_nothing_of_the_host_has_changed(folder, host, adapted):
    before, lines = adapted
    assert digest(host / "checkpoints/best.ckpt") == before
    off, = evaluated(folder)
    first, on = evaluated(folder, "--adapter", "verse")
    assert first == off and "adapter" not in first
    assert on["adapter"] == "verse"
    assert off["test_loss"] == lines[-1]["losses"]["old, host"]
    assert on["test_loss"] == pytest.approx(lines[-1]["losses"]["old"], rel=1e-5)


def test_eval_measures_it_on_other_data_with_and_without(folder, adapted):
    losses = adapted[1][-1]["losses"]
    off, on = evaluated(folder, "--adapter", "verse", "--on", "verse.txt")
    assert off["test_loss"] == pytest.approx(losses["new, host"], rel=1e-5)
    assert on["test_loss"] == pytest.approx(losses["new"], rel=1e-5)


def test_adapters_are_listed_taken_over_and_removed(folder, adapted):
    listed = esper("adapters", "ls", "host", cwd=folder)
    assert listed.returncode == 0 and "verse: for host" in listed.stdout
    assert "adapted to verse.txt" in listed.stdout
    file = folder / "host/adapters/verse.esper"
    assert esper("adapters", "add", "host", file, cwd=folder).returncode == 2
    again = esper("adapters", "add", "host", file, "--name", "again", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["name"] == "again"
    assert evaluated(folder, "--adapter", "again")[1]["adapter"] == "again"
    assert esper("adapters", "remove", "host", "again", cwd=folder).returncode == 0
    gone = esper("adapters", "remove", "host", "again", cwd=folder)
    assert gone.returncode == 2 and "the run has: verse" in gone.stderr


def test_another_run_refuses_it(folder, adapted):
    train(folder, *HOST, "run.seed=8", data=folder / "code.txt", run="other")
    refused = esper("adapters", "add", "other", "host/adapters/verse.esper", cwd=folder)
    assert refused.returncode == 4 and "was made for host" in refused.stderr
    assert not (folder / "other/adapters").exists()


def test_the_python_package_reads_what_the_file_says(folder, adapted, request):
    said, = request.getfixturevalue("esper").adapters.ls(folder / "host/adapters")
    assert said["name"] == "verse" and said["host_class"] == "EsperRun"
    assert said["losses"]["new"] == pytest.approx(adapted[1][-1]["losses"]["new"])


@pytest.mark.parametrize("words, code, message", [
    (["host", "none.txt"], 3, "none.txt"),
    (["none", "verse.txt"], 2, "not a run's folder"),
    (["host", "verse.txt", "--parameters", "lots"], 2, "25%"),
    (["host", "verse.txt", "--budget", "soon"], 2, "30m"),
    (["host", "verse.txt", "--budget", "10"], 2, "give more"),
    (["host", "verse.txt", "--name", "../x"], 2, "a letter first"),
    (["host", "verse.txt", "--name", "verse"], 2, "already"),
    (["host", "verse.txt", "--at", "stages.*", "--name", "b"], 2, "blocks.0"),
    (["host", "greek.txt", "--name", "b"], 3, "not in the vocabulary"),
])
def test_what_cannot_be_is_refused_before_anything_is_written(folder, adapted, words, code, message):
    (folder / "greek.txt").write_text("αβγδε " * 3000)
    refused = esper("adapt", *words, cwd=folder)
    assert refused.returncode == code and message in refused.stderr, refused.stderr
    assert [f.name for f in (folder / "host/adapters").iterdir()] == ["verse.esper"]


def test_ctrl_c_judges_what_was_learnt_so_far(folder, host):
    words = ["adapt", "host", "verse.txt", "--epochs", "1000", "--rate", "0.02", "--name", "halted",
             "--json"]
    lines = []
    with subprocess.Popen([ESPER, *words], cwd=folder, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, preexec_fn=takes_interrupts) as running:
        for line in running.stdout:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "place":
                time.sleep(1)
                running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130, running.stderr.read()
    end = lines[-1]
    assert end["event"] == "end" and end["was_stopped"] and end["steps"] > 0
    assert end["kept"] == (host / "adapters/halted.esper").exists()
    (host / "adapters/halted.esper").unlink(missing_ok=True)


def takes_interrupts():
    """A shell's background job has them ignored, and so has what it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_what_does_not_help_is_not_written(folder, adapted):
    done = esper("adapt", "host", "verse.txt", "--rate", "1e-9", "--epochs", "0.2", "--name", "idle",
                 cwd=folder)
    assert done.returncode == 0 and "not kept, nothing was written" in done.stdout
    assert not (folder / "host/adapters/idle.esper").exists()


def test_a_file_that_is_no_adapter_is_refused(folder):
    (folder / "x.esper").write_bytes(b"\0" * 64)
    refused = esper("adapters", "ls", "x.esper", cwd=folder)
    assert refused.returncode == 3 and not refused.stdout
