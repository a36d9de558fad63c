#!/usr/bin/env python3
"""Whole runs whose freed memory stays with them, against runs that give it back to the system.

    heap.py [--json PATH] [--pairs N]

Any setting in GLIBC_TUNABLES leaves memory to glibc; the peer gets one that changes nothing else.
Processes are timed whole; pairs alternate. Page faults are printed beside.
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from _intervals import in_turns, paired_row
from _report import ROOT, parsed, report, write
from overhead import CASES

GIVING_BACK = {"GLIBC_TUNABLES": "glibc.malloc.check=0"}


def run(binary, folder, overrides, environment, faults):
    """Seconds of one run; its page faults are appended to `faults`."""
    shutil.rmtree(folder, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    begin = time.monotonic()
    subprocess.run([str(binary), "train", "--run", str(folder), "--seed", "1", "-q",
                    "growth.enabled=false", "controller.policy=never", *overrides],
                   check=True, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    took = time.monotonic() - begin
    faults.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before)
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=8)
    arguments = parsed("heap", parser)
    os.environ.pop("GLIBC_TUNABLES", None)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        for precision in ("fp32", "bf16"):
            for name, settings in CASES.items():
                overrides = (*settings, f"run.precision={precision}")
                kept, given = [], []
                run(arguments.binary, folder, overrides, {}, [])  # warms files and tuned choices
                ours, peer = in_turns(
                    arguments.pairs, lambda: run(arguments.binary, folder, overrides, {}, kept),
                    lambda: run(arguments.binary, folder, overrides, GIVING_BACK, given))
                row = paired_row(f"{name}, {precision}: memory stays against given back", ours,
                                 peer, "s")
                row |= {"ours_slowest": max(ours), "peer_slowest": max(peer)}
                rows.append(row)
                print(f"{name}, {precision}: {row['ours']:.2f} s ({max(kept):,} page faults at most), "
                      f"given back {row['peer']:.2f} s ({max(given):,}), ratio {row['ratio']:.3f} "
                      f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}], slowest {max(ours):.2f} and "
                      f"{max(peer):.2f} s", flush=True)
    if arguments.json:
        write(arguments.json, report("heap", rows, {}, os.cpu_count()))


if __name__ == "__main__":
    main()
