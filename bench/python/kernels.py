#!/usr/bin/env python3
"""Forward and backward of each blueprint: the compiled kernel against the recorded operators.

    kernels.py [--json PATH] [--features 64,128] [--rows 4096] [--binary PATH]

`esper forge` makes and checks each kernel and measures it in interleaved pairs (processor time of one
thread, fast rewrites on). A kernel whose interval does not lie above 1.03 is not chosen: a run should
use the operators, so its case begins with "not selected" and is no gain. The last rows are medians over
the selected kernels of a precision, beside the goal of 2.5 on this kind of machine.
"""

import argparse
import statistics
from pathlib import Path

from _forge import BINARY, case_of, forge
from _report import report, write

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--features", default="64,128")
    parser.add_argument("--rows", default="4096")
    parser.add_argument("--binary", type=Path, default=BINARY)
    arguments = parser.parse_args()
    kernels = forge(arguments.binary, "--all", "--precision", "all", "--features",
                    arguments.features, "--rows", arguments.rows)
    unsupported = sorted({kernel["blueprint"] for kernel in kernels
                          if kernel["status"] == "unsupported"})
    print("unsupported:", ", ".join(unsupported) or "none")
    rows = list(rows_of(kernels))
    for precision in ("fp32", "bf16"):
        rows += median_row(precision, kernels)
    for row in rows:
        print(f"{row['case']:<60} {row['ratio']:6.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]")
    if arguments.json:
        write(arguments.json, report("kernels", rows, {}, 1))


if __name__ == "__main__":
    main()
