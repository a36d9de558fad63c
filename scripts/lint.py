#!/usr/bin/env python3
"""Format, room order, what nothing uses, and clang-tidy.

    lint.py [--build FOLDER] [--all] [--seconds N]

clang-tidy reads the sources that differ from main's merge base, or all of them with --all. When
everything differs (a first landing, a shallow clone) it begins no file after N seconds and says how
many it left; --all has no such limit. Exit status 1 when anything was found.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check_readers
import check_rooms
import check_unity
import repository

CPP = {".h", ".cpp", ".cu", ".cuh"}
# Flags of ours that only GCC knows.
TIDY = ["clang-tidy-16", "--quiet", "--extra-arg=-Wno-unknown-warning-option"]


def check_format():
    sources = [str(p) for p in repository.files() if p.suffix in CPP]
    command = ["clang-format-16", "--dry-run", "-Werror", *sources]
    good = subprocess.run(command, cwd=repository.ROOT).returncode == 0
    if not good:
        print("format: run clang-format-16 -i on the files above")
    return good


def tidy_sources(build, everything):
    """Compiled sources that changed, and those beside a changed header; quick ones first.

    A source that sees libtorch takes several times as long as one that does not.
    """
    compiled = {Path(entry["file"]): "/torch/include" in entry["command"] for entry in
                json.loads((build / "compile_commands.json").read_text())}
    ours = [p for p in compiled if p.is_relative_to(repository.ROOT) and p.exists()]
    if not everything:
        changed = {repository.ROOT / p for p in repository.changed_files() if p.suffix in CPP}
        ours = [p for p in ours if p in changed or p.with_suffix(".h") in changed]
    return sorted(ours, key=lambda p: (compiled[p], p))


def check_tidy(build, everything, seconds):
    sources = tidy_sources(build, everything)
    last_begin = float("inf") if everything else time.monotonic() + seconds

    def one(source):
        if time.monotonic() > last_begin:
            return source, None, ""
        result = subprocess.run([*TIDY, "-p", str(build), str(source)], capture_output=True,
                                text=True)
        return source, result.returncode, result.stdout

    good = True
    left = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, status, output in pool.map(one, sources):
            if status is None:
                left += 1
            elif status != 0:
                good = False
                print(f"tidy: {source.relative_to(repository.ROOT)}\n{output}", flush=True)
    print(f"tidy: {len(sources) - left} files read")
    if left:
        print(f"tidy: {left} more were not read within {seconds} s; 'make lint ALL=1' reads all")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=repository.ROOT / "build" / "lint")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=int, default=600, help="see above")
    arguments = parser.parse_args()
    for tool in ("clang-format-16", "clang-tidy-16"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing; scripts/setup.sh installs it on Debian 12")
    good = check_format()
    for breach in check_rooms.breaches(repository.ROOT):
        good = False
        print(f"rooms: {breach}")
    for problem in check_readers.problems(repository.ROOT):
        good = False
        print(f"readers: {problem}")
    for problem in check_unity.problems(repository.ROOT):
        good = False
        print(f"unity: {problem}")
    good = check_tidy(arguments.build.resolve(), arguments.all, arguments.seconds) and good
    print("lint: clean" if good else "lint: FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
