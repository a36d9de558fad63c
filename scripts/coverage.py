#!/usr/bin/env python3
"""Line coverage of the rooms that need no libtorch, by their own tests.

Builds the coverage preset, runs the tests, prints a table and fails when a room has less than
95 % of its lines run. The page build/coverage/report/index.html shows which.
"""

import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import repository

LEAST = 95.0
BUILD = repository.ROOT / "build" / "coverage"
ROOMS = ("base", "contracts", "utils", "configs", "execution")


def run(*command, **options):
    subprocess.run([str(c) for c in command], check=True, cwd=repository.ROOT, **options)


def main():
    if importlib.util.find_spec("gcovr") is None:
        raise SystemExit("gcovr is missing; make setup installs it")
    run("cmake", "--preset", "coverage", "--log-level=WARNING", stdout=subprocess.DEVNULL)
    run("ninja", "-C", BUILD, "--quiet", "all_tests")
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    run(sys.executable, "scripts/run_tests.py", BUILD, *ROOMS)

    (BUILD / "report").mkdir(exist_ok=True)
    summary = BUILD / "summary.json"
    # A line of a template counts as run when one of its instances ran it.
    run(sys.executable, "-m", "gcovr", "--root", repository.ROOT, BUILD,
        "--merge-mode-functions", "separate", "--merge-lines",
        "--filter", f"src/esper/({'|'.join(ROOMS)})/",
        "--exclude", "src/esper/execution/kasmina_.*",
        "--json-summary", summary, "--html-details", BUILD / "report" / "index.html")

    covered, total = defaultdict(int), defaultdict(int)
    for file in json.loads(summary.read_text())["files"]:
        room = Path(file["filename"]).parts[2]
        covered[room] += file["line_covered"]
        total[room] += file["line_total"]
    low = []
    print("| room | lines | covered |\n| --- | ---: | ---: |")
    for room in ROOMS:
        if total[room] == 0:
            continue
        percent = 100.0 * covered[room] / total[room]
        print(f"| {room} | {total[room]} | {percent:.1f} % |")
        if percent < LEAST:
            low.append(room)
    if low:
        print(f"less than {LEAST} %: {', '.join(low)}; see {BUILD}/report/index.html")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
