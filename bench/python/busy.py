#!/usr/bin/env python3
"""Whole runs on a busy machine and on one that has nothing else to do, with threads that soon sleep
where they wait for each other (as `esper` sets them) against threads that spin (OpenMP's default).

    busy.py [--json PATH] [--pairs N]

Busy: as many processes that compute without end as there are processors. Pairs alternate."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _intervals import in_turns, paired_row
from _report import ROOT, parsed, report, write

SPINNING = {"GOMP_SPINCOUNT": "300000"}
COMMON = ("run.precision=fp32", "growth.enabled=false", "controller.policy=never")
IMAGES = ("data.kind=drawn", "data.train_examples=4000")
CASES = {
    "gpt, 2 blocks of width 64": ("model.width=64", "model.context=64", "run.epochs=2",
                                  "run.steps_per_epoch=50"),
    "resnet8": ("model.host=resnet", "model.depth=8", "model.width=16", *IMAGES, "run.epochs=2",
                "run.steps_per_epoch=40"),
    "mlp, 3 layers of width 64": ("model.host=mlp", "model.depth=3", "model.width=64", *IMAGES,
                                  "run.epochs=2", "run.steps_per_epoch=200"),
}


def seconds(binary, folder, overrides, environment):
    shutil.rmtree(folder, ignore_errors=True)
    own = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    begin = time.monotonic()
    subprocess.run([str(binary), "train", "--run", str(folder), "--seed", "1", "-q", *COMMON,
                    *overrides], check=True, env=own | environment, cwd=ROOT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parsed("busy", parser)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        for beside in (0, os.cpu_count()):
            where = f"beside {beside} busy processes" if beside else "alone"
            others = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                      for _ in range(beside)]
            try:
                for name, overrides in CASES.items():
                    seconds(arguments.binary, folder, overrides, {})  # warms files
                    ours, spinning = in_turns(
                        arguments.pairs, lambda: seconds(arguments.binary, folder, overrides, {}),
                        lambda: seconds(arguments.binary, folder, overrides, SPINNING))
                    rows.append(paired_row(f"{name}, {where}: a run against threads that spin",
                                           ours, spinning, "s"))
                    print(f"{rows[-1]['case']}: {rows[-1]['ours']:.2f} and {rows[-1]['peer']:.2f} s",
                          file=sys.stderr, flush=True)
            finally:
                for process in others:
                    process.kill()
    if arguments.json:
        write(arguments.json, report("busy", rows, {}, os.cpu_count()))


if __name__ == "__main__":
    main()
