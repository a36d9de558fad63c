#!/usr/bin/env python3
"""What everything that a run writes and watches costs: whole runs with all of it on against all off.

    overhead.py [--json PATH] [--pairs N]

On: sleeping seeds with their health samples at every tenth step, events, the journal, metrics, a
checkpoint after every epoch, the rollback watch, the page's data, and the screen on a terminal. Off:
no seeds, no samples, no checkpoint but the first and the last, no watch, no screen. The same host
learns the same batches in both. Whole processes are timed, their starts included; pairs alternate.
"""

import argparse
import os
import pty
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from _intervals import in_turns, paired_row
from _report import ROOT, parsed, report, write

ON = ("checkpoint.every=1ep", "telemetry.every=10", "controller.policy=never")
OFF = ("growth.enabled=false", "telemetry.every=1000000", "checkpoint.every=100000ep",
       "checkpoint.rollback.enabled=false", "controller.policy=never")
COMMON = ("run.precision=fp32",)
IMAGES = ("data.kind=drawn", "data.train_examples=4000")
CASES = {
    "gpt, 2 blocks of width 64, batch 32": (
        "model.width=64", "model.context=64", "run.epochs=6", "run.steps_per_epoch=50"),
    "resnet8, batch 32": (
        "model.host=resnet", "model.depth=8", "model.width=16", *IMAGES, "run.epochs=4",
        "run.steps_per_epoch=60"),
    "mlp, 3 layers of width 64, batch 32": (
        "model.host=mlp", "model.depth=3", "model.width=64", *IMAGES, "run.epochs=6",
        "run.steps_per_epoch=400"),
}


def seconds(binary, folder, overrides, on):
    """Wall time of one run."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [str(binary), "train", "--run", str(folder), "--seed", "1", *COMMON, *overrides,
               *(ON if on else (*OFF, "-q"))]
    begin = time.monotonic()
    if on:
        screen, terminal = pty.openpty()
        process = subprocess.Popen(command, stdout=terminal, stderr=terminal, cwd=ROOT)
        os.close(terminal)
        try:
            while os.read(screen, 65536):
                pass
        except OSError:  # how a terminal ends
            pass
        status = process.wait()
        os.close(screen)
    else:
        status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                cwd=ROOT).returncode
    took = time.monotonic() - begin
    if status != 0:
        raise SystemExit(f"overhead: {' '.join(command)} ended with {status}")
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=8)
    arguments = parsed("overhead", parser)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        for name, overrides in CASES.items():
            seconds(arguments.binary, folder, overrides, True)  # warms files and tuned choices
            on, off = in_turns(arguments.pairs,
                               lambda: seconds(arguments.binary, folder, overrides, True),
                               lambda: seconds(arguments.binary, folder, overrides, False))
            row = paired_row(f"{name}: everything on against everything off", on, off, "s")
            rows.append(row)
            print(f"{name}: {row['ours']:.2f} s on, {row['peer']:.2f} s off, ratio "
                  f"{row['ratio']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]", flush=True)
    if arguments.json:
        write(arguments.json, report("overhead", rows, {}, os.cpu_count()))


if __name__ == "__main__":
    main()
