#!/usr/bin/env python3
"""Forward and backward of each blueprint: the compiled kernel against the recorded operators.

    kernels.py [--json PATH] [--features 64,128] [--rows 4096] [--binary PATH]
               [--runs N [--settings KEY=VALUE …]]

`esper forge` makes and checks each kernel and measures it in interleaved pairs (processor time of one
thread, fast rewrites on). A kernel whose interval does not lie above 1.03 is not chosen: a run should
use the operators, so its case begins with "not selected" and is no gain. The last rows are medians over
the selected kernels of a precision, beside the goal of 2.5 on this kind of machine.

With --runs N nothing else is measured but what kernels bring a whole run: `esper train` with its defaults
(and --settings), N times with kernels and N times without, in turns, with one seed a pair. The library
has what the run wants before the first of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from _forge import BINARY, case_of, forge
from _paired import row
from _report import ROOT, report, write

GOAL = 2.5


def rows_of(kernels):
    for kernel in kernels:
        for speed in kernel.get("speeds") or ():
            chosen = "selected" if speed["chosen"] else "not selected"
            yield {"case": f"{chosen}: {case_of(kernel)}", "ours": speed["kernel_us"],
                   "peer": speed["operators_us"], "unit": "us", "ratio": speed["ratio"],
                   "ci_low": speed["ci_low"], "ci_high": speed["ci_high"], "n": speed["n"]}


def median_row(precision, kernels):
    gains = sorted(speed["ratio"] for kernel in kernels if kernel["precision"] == precision
                   for speed in kernel.get("speeds") or () if speed["chosen"])
    if not gains:
        return []
    middle = statistics.median(gains)
    return [{"case": f"median gain of what is selected, {precision}", "ours": middle, "peer": GOAL,
             "unit": "x", "ratio": middle / GOAL, "ci_low": gains[0] / GOAL,
             "ci_high": gains[-1] / GOAL, "n": len(gains)}]


def trained(binary, folder, library, kernels, settings, **variables):
    """run.json of the default run with the native kernels of a library, or without."""
    environment = dict(os.environ, ESPER_LIBRARY=str(library), **variables)
    environment.pop("ESPER_GROWTH__KERNELS", None)
    subprocess.run([binary, "train", *settings, f"growth.kernels={'true' if kernels else 'false'}",
                    "--run", folder, "-q"], cwd=ROOT, env=environment, check=True,
                   stdout=subprocess.DEVNULL)
    return json.loads((folder / "run.json").read_text())


def fill(binary, scratch, library, settings):
    """Runs that end soon, until the forge has nothing more to do for one of them."""
    for number in range(20):
        made = trained(binary, scratch / f"fill-{number}", library, True,
                       [*settings, "run.epochs=6"], ESPER_FORGE__PRIORITY="0")
        if made["kernels"]["forged"]["ordered"] == 0:
            return
    raise SystemExit("kernels: the library is still not full after 20 runs")


def run_rows(binary, runs, settings):
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        library = scratch / "library"
        fill(binary, scratch, library, settings)
        with_kernels, without = [], []
        for seed in range(1, runs + 1):
            for kernels in (True, False) if seed % 2 else (False, True):
                made = trained(binary, scratch / f"{seed}-{kernels}", library, kernels,
                               [*settings, f"run.seed={seed}"])
                (with_kernels if kernels else without).append(made)
                print(f"seed {seed}, kernels {'on' if kernels else 'off'}: "
                      f"{made['wall_seconds']:.1f} s, validation loss {made['val_loss']:.4f}, "
                      f"{made['kernels']['seeds_with_kernel']} of {len(made['kernels']['seeds'])} "
                      "seeds with a kernel", flush=True)
    name = " ".join(["default run", *settings])
    times = row(f"{name}, seconds", [r["wall_seconds"] for r in with_kernels],
                [r["wall_seconds"] for r in without], "s", "growth.kernels=false")
    losses = row(f"{name}, best validation loss", [r["best_val_loss"] for r in with_kernels],
                 [r["best_val_loss"] for r in without], "nat", "growth.kernels=false")
    return [times, losses]


def show(rows):
    for made in rows:
        print(f"{made['case']:<60} {made['ratio']:6.3f} "
              f"[{made['ci_low']:.3f}, {made['ci_high']:.3f}]")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--features", default="64,128")
    parser.add_argument("--rows", default="4096")
    parser.add_argument("--binary", type=Path, default=BINARY)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--settings", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.runs:
        rows = run_rows(str(arguments.binary), arguments.runs, arguments.settings)
        show(rows)
        if arguments.json:
            write(arguments.json, report("kernels", rows, {}, os.cpu_count()))
        return
    kernels = forge(arguments.binary, "--all", "--precision", "all", "--features",
                    arguments.features, "--rows", arguments.rows)
    unsupported = sorted({f"{kernel['blueprint']} {kernel['precision']}" for kernel in kernels
                          if kernel["status"] == "unsupported"})
    print("unsupported:", ", ".join(unsupported) or "none")
    rows = list(rows_of(kernels))
    for precision in ("fp32", "bf16"):
        rows += median_row(precision, kernels)
    show(rows)
    if arguments.json:
        write(arguments.json, report("kernels", rows, {}, 1))


if __name__ == "__main__":
    main()
