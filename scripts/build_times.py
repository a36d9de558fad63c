#!/usr/bin/env python3
"""Compiles a target anew without a compiler cache and says what took how long.

    build_times.py [--target esper] [--jobs N] [--unity] [--every N] [--folder FOLDER]
                   [--json FILE]

CPU seconds of the whole build, of each room and of the slowest compiler runs; also in
build/bench/build_times.json. They depend less than minutes on what else the machine does, yet a core
that is shared counts more of them for the same work: compare what was measured in the same hour.
--unity compiles eight sources of a room at a time, as `make UNITY=ON` does. --every N compiles one source
in N of each room only, and estimates the rest from them.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Stands before each compiler command: appends its CPU seconds, its seconds and what it made.
LAUNCHER = """
import os, sys, time
log, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(command[0], command, os.environ), 0)
made = command[command.index("-o") + 1] if "-o" in command else ""
line = "%.2f %.2f %s\\n" % (usage.ru_utime + usage.ru_stime, time.monotonic() - start, made)
with open(log, "a") as file:
    file.write(line)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def room_of(made):
    """`grow` of src/esper/CMakeFiles/esper_grow.dir/…/fork.cpp.o"""
    found = re.search(r"CMakeFiles/(?:esper_)?([^/]+)\.dir/", made)
    return found.group(1) if found else "other"


def parse_log(text):
    steps = []
    for line in text.splitlines():
        cpu, seconds, made = line.split(" ", 2)
        steps.append({"cpu_seconds": float(cpu), "seconds": float(seconds), "made": made})
    return sorted(steps, key=lambda step: -step["cpu_seconds"])


def sample_of(objects, every):
    """One object in `every` of each room, at least one."""
    rooms = {}
    for made in sorted(objects):
        rooms.setdefault(room_of(made), []).append(made)
    return [made for room in rooms.values() for made in room[(every - 1) // 2 % len(room)::every]]


def by_room(steps, objects):
    """CPU seconds of each room; where only some of its objects were made, scaled up to all."""
    rooms = {}
    for step in steps:
        room = rooms.setdefault(room_of(step["made"]), {"measured": 0, "cpu_seconds": 0.0})
        room["measured"] += 1
        room["cpu_seconds"] += step["cpu_seconds"]
    for name, room in rooms.items():
        room["compiler_runs"] = max(room["measured"],
                                    sum(room_of(made) == name for made in objects))
        room["cpu_seconds"] *= room["compiler_runs"] / room["measured"]
    return dict(sorted(rooms.items(), key=lambda item: -item[1]["cpu_seconds"]))


def run(command, out):
    if subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT).returncode:
        sys.exit(f"build_times: '{' '.join(map(str, command))}' failed; {out.name} says why")


def build(args):
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    launcher, log = args.folder / "launcher.py", args.folder / "compiler_runs.txt"
    launcher.write_text(LAUNCHER)
    log.touch()
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(args.folder / "log.txt", "w") as out:
        run(["cmake", "--preset", "release", "-B", args.folder, "-DESPER_CCACHE=OFF",
             f"-DCMAKE_CXX_COMPILER_LAUNCHER={sys.executable};-I;-S;{launcher};{log}",
             "-DESPER_BUILD_TESTS=OFF", "-DESPER_BUILD_BENCH=OFF",
             f"-DCMAKE_UNITY_BUILD={'ON' if args.unity else 'OFF'}",
             "-DCMAKE_UNITY_BUILD_BATCH_SIZE=8"], out)
        inputs = subprocess.run(["ninja", "-C", args.folder, "-t", "inputs", args.target],
                                capture_output=True, text=True, check=True).stdout
        objects = [line for line in inputs.splitlines() if line.endswith(".o")]
        wanted = [args.target] if args.every == 1 else sample_of(objects, args.every)
        run(["ninja", "-C", args.folder, "-j", str(args.jobs), *wanted], out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": round(time.monotonic() - started, 1), "objects": objects,
            "all_cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "steps": parse_log(log.read_text())}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="esper")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--unity", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "times")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "build_times.json")
    args = parser.parse_args()
    args.folder = args.folder.resolve()
    load = round(os.getloadavg()[0], 1)
    made = build(args)
    rooms = by_room(made["steps"], made["objects"])
    compiled = sum(room["cpu_seconds"] for room in rooms.values())
    whole = args.every == 1
    found = {"target": args.target, "jobs": args.jobs, "unity": args.unity,
             "every": args.every, "load_before": load, "seconds": made["seconds"],
             "cpu_seconds": round(made["all_cpu_seconds"] if whole else compiled, 1),
             "rooms": rooms, "compiler_runs": made["steps"]}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(found, indent=1) + "\n")
    runs = sum(room["compiler_runs"] for room in rooms.values())
    print(f"{args.target}: {runs} compiler runs, {'' if whole else 'an estimated '}"
          f"{found['cpu_seconds']:.0f} CPU seconds ({len(made['steps'])} runs measured, "
          f"{made['seconds']:.0f} s with {args.jobs} jobs, load before {load})")
    for name, room in rooms.items():
        print(f"{room['cpu_seconds']:8.1f} s  {room['compiler_runs']:4d} runs  {name}")
    for step in made["steps"][:12]:
        print(f"{step['cpu_seconds']:8.1f} s  {step['made']}")


if __name__ == "__main__":
    main()
