#!/usr/bin/env python3
"""How long a clean build of the target `esper` takes, without a compiler cache.

    build.py [--json PATH] [--jobs N]

Needs an idle machine and some minutes. Writes into build/bench-build and removes it again. The peer
is the goal: 360 seconds on two cores.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from _report import ROOT, report, write

GOAL = 360.0


def compile_seconds(build):
    """Sum of the steps' own times (ninja's log: start and end in ms, the last of each output)."""
    steps = {}
    for line in (build / ".ninja_log").read_text().split("\n")[1:]:
        if fields := line.split("\t"):
            if len(fields) == 5:
                steps[fields[3]] = (int(fields[1]) - int(fields[0])) / 1000
    return sum(steps.values()), max(steps.items(), key=lambda s: s[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    build = ROOT / "build" / "bench-build"
    shutil.rmtree(build, ignore_errors=True)
    environment = {**os.environ, "CCACHE_DISABLE": "1"}
    subprocess.run(["cmake", "--preset", "release", "-B", str(build), "--log-level=WARNING"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    begin = time.monotonic()
    subprocess.run(["ninja", "-C", str(build), "-j", str(arguments.jobs), "esper"], check=True,
                   env=environment)
    seconds = time.monotonic() - begin
    total, (slowest, longest) = compile_seconds(build)
    shutil.rmtree(build)
    ratio = GOAL / seconds
    print(f"{seconds:.0f} s with {arguments.jobs} jobs; the steps together {total:.0f} s, the "
          f"longest {longest:.0f} s ({slowest})")
    row = {"case": f"target esper, from nothing, {arguments.jobs} jobs", "ours": seconds,
           "peer": GOAL, "unit": "s", "ratio": ratio, "ci_low": ratio, "ci_high": ratio, "n": 1}
    content = report("build", [row], {}, arguments.jobs)
    content["steps_seconds"] = total
    content["slowest"] = {"output": slowest, "seconds": longest}
    if arguments.json:
        write(arguments.json, content)
    else:
        print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
