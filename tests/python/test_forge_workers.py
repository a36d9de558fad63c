"""`forge.by=workers`: a run orders its kernels from its library, and `esper forge --worker` makes them."""

import json
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ESPER, needs_esper
from test_run_kernels import SHORT, command_of, environment_of, kernels_of

pytestmark = [
    needs_esper,
    pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")),
                       reason="this machine has no compiler"),
]


def esper(folder, *words, expect=0):
    done = subprocess.run([ESPER, *words], capture_output=True, text=True, timeout=240, cwd=folder,
                          env=environment_of(folder / "library"))
    assert done.returncode == expect, done.stderr
    return done


def jobs(folder, *words):
    out = esper(folder, "urza", "work", "ls", "--json", *words).stdout
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


def test_a_run_orders_a_worker_makes_and_the_next_run_uses(folder):
    words = (*SHORT, "forge.by=workers", "growth.blueprints=[low_rank, bottleneck_mlp]")
    train = lambda name: subprocess.run(
        list(map(str, command_of(folder, name, *words))), capture_output=True, text=True,
        timeout=240, env=environment_of(folder / "library"))
    first = train("first")
    assert first.returncode == 0, first.stderr
    kernels = kernels_of(folder / "first")
    assert kernels["forged"]["ordered"] >= 1 and kernels["seeds_with_kernel"] == 0
    assert any("waits for a worker, esper forge --worker" in s["why"] for s in kernels["seeds"]), kernels
    waiting = jobs(folder)
    assert len(waiting) == kernels["forged"]["ordered"]
    assert {j["state"] for j in waiting} == {"waiting"} and "low_rank/tokens" in str(waiting)

    # A worker that is told to end hands its job back.
    worker = subprocess.Popen([ESPER, "forge", "--worker", "--priority", "0"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              env=environment_of(folder / "library"))
    assert worker.stdout.readline().startswith("job ")
    time.sleep(0.2)
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0 and ("handed back" in out or "kernel" in out), out
    assert not jobs(folder, "--state", "leased")

    said = esper(folder, "forge", "--worker", "--until-empty", "--priority", "0", "--name", "smith")
    assert "validated, kernel " in said.stdout and " 0 failed, 0 dropped" in said.stderr
    done = jobs(folder)
    assert {j["state"] for j in done} == {"done"} and "smith" in {j["worker"] for j in done}

    assert train("second").returncode == 0
    kernels = kernels_of(folder / "second")
    assert kernels["forged"]["ordered"] == 0
    assert not any("waits for a worker" in s["why"] for s in kernels["seeds"]), kernels
    assert not esper(folder, "library", "verify").stderr


def test_a_job_that_is_none_fails_and_is_dead_in_the_end(folder):
    import sqlite3

    hardware = jobs(folder)[0]["hardware"]
    with sqlite3.connect(folder / "library" / "urza.sqlite") as database:
        database.execute("INSERT INTO work (id, subject, hardware, orders, state, not_before, attempts) "
                         "VALUES ('0123456789abcdef', 'rubbish', ?, '{', 'waiting', 0, 4)", [hardware])
    said = esper(folder, "forge", "--worker", "--until-empty", expect=1)
    assert "attempt 5 failed" in said.stdout and "1 failed" in said.stderr
    assert "1 job is dead (esper urza work ls --state dead says why)" in said.stderr
    [job] = jobs(folder, "--state", "dead")
    assert "no order" in job["said"] and "json.exception" not in job["said"]
    esper(folder, "urza", "work", "retry", job["id"])
    said = esper(folder, "forge", "--worker", "--until-empty", expect=1)
    [waiting] = jobs(folder, "--state", "waiting")
    assert f"1 job waits for another attempt until {waiting['not_before']}" in said.stderr
    with sqlite3.connect(folder / "library" / "urza.sqlite") as database:
        database.execute("UPDATE work SET state = 'dead'  WHERE id = '0123456789abcdef'")
    esper(folder, "urza", "work", "retry", job["id"])
    assert [j["id"] for j in jobs(folder, "--state", "waiting")] == [job["id"]]
    refused = subprocess.run([ESPER, "urza", "work", "retry", "none"], capture_output=True, text=True,
                             env=environment_of(folder / "library"))
    assert refused.returncode == 3 and "esper urza work ls" in refused.stderr


def test_a_worker_without_its_keys_claims_nothing(folder, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(folder / "library", library)
    [gauntlet] = [json.loads(line)["id"] for line in subprocess.run(
        [ESPER, "keys", "ls", "--json"], capture_output=True, text=True, check=True,
        env=environment_of(library)).stdout.splitlines() if json.loads(line)["role"] == "gauntlet"]
    (library / "keys" / f"{gauntlet}.key").unlink()
    waiting = jobs(tmp_path, "--state", "waiting")
    assert waiting
    done = subprocess.run([ESPER, "forge", "--worker", "--until-empty"], capture_output=True, text=True,
                          env=environment_of(library), timeout=60)
    assert done.returncode != 0 and "gauntlet" in done.stderr
    assert jobs(tmp_path, "--state", "waiting") == waiting


@pytest.mark.parametrize("words", [("--worker", "--dry"), ("--worker", "low_rank"), ("--worker", "--all"),
                                   ("low_rank", "--lease", "9"), ("low_rank", "--until-empty")])
def test_words_that_would_do_nothing_are_refused(folder, words):
    done = subprocess.run([ESPER, "forge", *words], capture_output=True, text=True, timeout=60,
                          env=environment_of(folder / "library"))
    assert done.returncode == 2 and done.stderr
