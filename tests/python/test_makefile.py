"""What the main commands say and pass on; nothing is built here."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def make(*arguments):
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout


def test_a_build_shows_how_far_it_is():
    status = make("--eval", "show-status: ; @echo \"$$NINJA_STATUS\"", "show-status")
    assert "%p" in status and "%e s" in status and "%f/%t" in status
    # Nothing between make and the user keeps ninja quiet.
    assert "ninja" in make("-n", "esper") and "--quiet" not in make("-n", "esper", "build")


def test_arguments_reach_the_benchmark_that_is_named():
    line = make("-n", "bench", "NAME=growth_cifar10", "ARGS=--seeds 3").rstrip().split("\n")[-1]
    assert line.endswith("growth_cifar10 -- --seeds 3")
    assert " -- " not in make("-n", "bench").rstrip().split("\n")[-1]


def test_help_lists_every_command():
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.M).group(1).replace("\\", "").split()
    shown = set(re.findall(r"^make ([\w-]+)", make("help"), re.M))
    assert set(phony) - shown == {"help", "setup", "configure", "esper"}
    targets = set(re.findall(r"^([\w-]+):", text, re.M))
    assert shown <= targets and set(phony) <= targets
