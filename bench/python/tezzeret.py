#!/usr/bin/env python3
"""Time from a blueprint to a verified kernel: record, lower, compile, check, measure.

    tezzeret.py [--json PATH] [--runs 5] [--binary PATH]

Each blueprint that the compiler covers, for 128 features and 1,024 rows, `--runs` times in both
precisions. The peer is the goal, 2 s at the 95th percentile. Processor time is that of the compiler and
of the trial; wall time holds what else the machine did meanwhile.
"""

import argparse
import math
from collections import defaultdict
from pathlib import Path

from _forge import BINARY, forge
from _report import report, write

GOAL = 2.0


def p95(values):
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def row(case, values):
    worst = p95(values)
    return {"case": case, "ours": worst, "peer": GOAL, "unit": "s", "ratio": GOAL / worst,
            "ci_low": GOAL / max(values), "ci_high": GOAL / min(values), "n": len(values)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--binary", type=Path, default=BINARY)
    arguments = parser.parse_args()
    wall, processor = defaultdict(list), defaultdict(list)
    for _ in range(arguments.runs):
        for kernel in forge(arguments.binary, "--all", "--precision", "all", "--rows", "1024"):
            if kernel["status"] != "validated":
                continue
            wall[kernel["blueprint"]].append(kernel["seconds"])
            processor[kernel["blueprint"]].append(kernel["compile_cpu_seconds"]
                                                  + kernel["trial_cpu_seconds"])
    rows = []
    for name, all_times in (("processor time", processor), ("wall time", wall)):
        rows += [row(f"{blueprint}, {name}, p95", times)
                 for blueprint, times in sorted(all_times.items())]
        rows.append(row(f"all, {name}, p95", [t for times in all_times.values() for t in times]))
    for r in rows:
        print(f"{r['case']:<44} {r['ours']:.2f} s, {r['ratio']:.2f} of the goal")
    if arguments.json:
        write(arguments.json, report("tezzeret", rows, {}, 1))


if __name__ == "__main__":
    main()
