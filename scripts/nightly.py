#!/usr/bin/env python3
"""What is too long for CI, one command after the other; sums up at the end.

    nightly.py [--list] [--from STEP] [--only STEP …] [--soak 2h]

A step that fails does not stop the others. Each step's output goes to build/nightly/<step>.log, its
last lines to the screen. Exit status 1 when a step failed. It takes a night on two cores; benchmarks
want the machine for themselves.
"""

import argparse
import json
import subprocess
import sys
import time

import repository

LOGS = repository.ROOT / "build" / "nightly"


def steps(soak):
    """name -> command, in order: what finds faults first, figures when nothing else runs."""
    return {
        "lint": ["make", "lint", "ALL=1"],
        "test": ["make", "test"],
        "asan": ["make", "test", "PRESET=asan"],
        "tsan": ["make", "test", "PRESET=tsan"],
        "leaks": ["make", "leaks"],
        "coverage": ["make", "coverage"],
        "fuzz": ["make", "fuzz", "SECONDS=60"],
        "state-walk": ["make", "state-walk"],
        "kill-sweep": ["make", "kill-sweep", "ARGS=--kills 500"],
        "sham": ["make", "sham"],
        "soak": ["make", "soak", f"DURATION={soak}"],
        "compat": ["make", "compat", "ARGS=--fresh"],
        "gpu-check": ["make", "gpu-check"],
        "bench": ["make", "bench"],
        "gate": ["make", "gate"],
        "goals": ["make", "goals"],
    }


def run(name, command):
    log = LOGS / f"{name}.log"
    begin = time.monotonic()
    with log.open("w") as output:
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, cwd=repository.ROOT).returncode
    minutes = (time.monotonic() - begin) / 60
    lines = log.read_text(errors="replace").rstrip().split("\n")
    print("\n".join(f"    {line}" for line in lines[-(3 if status == 0 else 20):]))
    print(f"{name}: {'passed' if status == 0 else f'FAILED ({status})'} in {minutes:.1f} min, "
          f"see {log}", flush=True)
    return {"step": name, "command": command, "status": status, "minutes": minutes}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--from", dest="first", metavar="STEP")
    parser.add_argument("--only", nargs="+", metavar="STEP")
    parser.add_argument("--soak", default="2h", help="how long the soak takes")
    arguments = parser.parse_args()
    all_steps = steps(arguments.soak)
    named = (arguments.only or []) + ([arguments.first] if arguments.first else [])
    unknown = [n for n in named if n not in all_steps]
    if unknown:
        raise SystemExit(f"no step {', '.join(unknown)}; there are: {', '.join(all_steps)}")
    chosen = list(all_steps)
    if arguments.first:
        chosen = chosen[chosen.index(arguments.first):]
    if arguments.only:
        chosen = [n for n in chosen if n in arguments.only]
    if arguments.list:
        for name in chosen:
            print(f"{name:<12} {' '.join(all_steps[name])}")
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    done = []
    for name in chosen:
        print(f"{name}: {' '.join(all_steps[name])}", flush=True)
        done.append(run(name, all_steps[name]))
        (LOGS / "report.json").write_text(json.dumps(done, indent=1) + "\n")
    failed = [d["step"] for d in done if d["status"]]
    print(f"nightly: {len(done)} steps, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
