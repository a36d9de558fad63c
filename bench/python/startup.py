#!/usr/bin/env python3
"""Time from `esper train` to the end of its first training step and the validation after it.

    startup.py [--json PATH] [--runs N]

The default configuration with one step an epoch, so that the first line that reports an epoch comes
right after the first step: what is timed is a little more than the step. Files are warm: one run
goes before. The peer is the goal, one second.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from _report import ROOT, parsed, report, write

GOAL = 1.0
COMMAND = ("train", "run.epochs=2", "run.steps_per_epoch=1", "controller.policy=never",
           "run.precision=fp32", "--json")


def first_epoch_after(binary, folder):
    """Seconds from the start of the process to its first line of the kind `epoch`."""
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    with subprocess.Popen([str(binary), *COMMAND, "--run", str(folder)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        took = None
        for line in process.stdout:
            if took is None and json.loads(line).get("event") == "epoch":
                took = time.monotonic() - begin
    if process.returncode != 0 or took is None:
        raise SystemExit(f"startup: {' '.join(COMMAND)} ended with {process.returncode}")
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    arguments = parsed("startup", parser)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        times = [first_epoch_after(arguments.binary, folder) for _ in range(arguments.runs + 1)][1:]
    middle = statistics.median(times)
    row = {"case": "first training step of the default host, validation included", "ours": middle,
           "peer": GOAL, "unit": "s", "ratio": GOAL / middle, "ci_low": GOAL / max(times),
           "ci_high": GOAL / min(times), "n": len(times)}
    print(f"median {middle:.3f} s of {len(times)}: {min(times):.3f} to {max(times):.3f}")
    if arguments.json:
        write(arguments.json, report("startup", [row], {}, 0))


if __name__ == "__main__":
    main()
