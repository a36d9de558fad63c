"""`esper soak` in its compressed form: the long one is `make soak`."""

import json
import os
import subprocess

from conftest import ESPER, needs_esper

pytestmark = needs_esper

def soak(*arguments, **environment):
    environment = {**os.environ, **environment}
    result = subprocess.run([ESPER, "soak", "--json", *arguments],
                            capture_output=True, text=True, timeout=120, env=environment)
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines()]


def test_the_cache_and_the_seeds_keep_memory_descriptors_and_threads_flat():
    status, phases = soak("--cache-ops", "3000000", "--lives", "3000")
    assert [p["phase"] for p in phases] == ["cache of strings", "lives"]
    assert all(p["flat"] for p in phases), phases
    assert status == 0


def test_a_leak_of_some_bytes_an_operation_is_found():
    status, phases = soak("--cache-ops", "1000000", "--lives", "0", ESPER_FAULTS="soak.leak%10")
    assert status == 1
    assert not phases[0]["flat"]
    assert phases[0]["bytes_per_operation"] > 4


def test_another_kernel_than_was_asked_for_ends_the_soak():
    status, lines = soak("--cache-ops", "100000", "--lives", "0",
                         ESPER_FAULTS="soak.wrong_kernel@1000")
    assert (status, len(lines)) == (1, 1)
    assert lines[0]["error"].startswith("soak.WrongKernel: ")


def test_without_a_temporary_folder_the_soak_says_what_it_needs():
    status, lines = soak(TMPDIR="/proc/no such folder")
    assert (status, len(lines)) == (1, 1)
    assert lines[0]["error"].startswith("soak.NoFolder: ") and "TMPDIR" in lines[0]["error"]
