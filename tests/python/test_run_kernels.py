"""`esper train` with nothing but its defaults uses native kernels: compiled beside the run, kept in the
library, run by the seeds for which they are faster."""

import json
import os
import shutil
import subprocess
import time

import pytest
from conftest import ESPER, needs_esper
from test_default_run import events_of, overrides

pytestmark = [
    needs_esper,
    pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")),
                       reason="this machine has no compiler"),
]


def esper(folder, *words):
    """A command of a user whose library lies in `folder`. Kernels are as the configuration says."""
    environment = dict(os.environ, ESPER_LIBRARY=str(folder / "library"))
    del environment["ESPER_GROWTH__KERNELS"]
    return subprocess.run([ESPER, *map(str, words)], cwd=folder, capture_output=True, text=True,
                          timeout=240, env=environment)


def train(folder, run):
    done = esper(folder, "train", *overrides(folder), "--run", run)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / run / "run.json").read_text()), done


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The default run, short, until everything that it wants is known to the library."""
    folder = tmp_path_factory.mktemp("kernels")
    deadline = time.monotonic() + 200
    count = 0
    while time.monotonic() < deadline:
        count += 1
        record, done = train(folder, f"run-{count}")
        if record["kernels"]["forged"]["ordered"] == 0:
            return folder, folder / f"run-{count}", record, done
    raise AssertionError(f"after {count} runs the forge still has work: {record['kernels']}")


def test_the_default_run_has_seeds_that_run_kernels_and_says_so(runs):
    folder, run, record, done = runs
    kernels = record["kernels"]
    assert kernels["enabled"] and kernels["unavailable"] == "" and kernels["refused"] == []
    assert kernels["seeds_with_kernel"] + kernels["seeds_with_operators"] == len(kernels["seeds"])
    assert kernels["seeds_with_kernel"] >= 1, kernels
    assert f"Kernels: {kernels['seeds_with_kernel']} of {len(kernels['seeds'])} seeds" in done.stdout
    for seed in kernels["seeds"]:
        if seed["kernel"] is None:
            assert seed["why"]
            continue
        low, high = seed["gain_interval"]
        assert 1.03 < low <= seed["gain"] <= high
        shown = esper(folder, "library", "show", seed["kernel"]).stdout
        assert "validated on" in shown and "speed_percent" in shown
        used = esper(folder, "library", "why", seed["kernel"], "--run", run).stdout
        assert seed["seed"] in used
    assert "seeds with a native kernel" in (run / "report.html").read_text()


def test_each_seed_has_one_decision(runs):
    _, run, record, _ = runs
    decided = [event for event in events_of(run) if event["event"] == "kernel"]
    assert [event["seed"] for event in decided] == [s["seed"] for s in record["kernels"]["seeds"]]
    assert all(event["runs"] in ("kernel", "operators") and event["why"] for event in decided)


def test_no_port_is_open_and_the_library_holds_what_it_says(runs):
    folder, *_ = runs
    checked = esper(folder, "library", "verify")
    assert checked.returncode == 0, checked.stdout + checked.stderr
