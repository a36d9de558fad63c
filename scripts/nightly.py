#!/usr/bin/env python3
"""What is too long for CI, one command after the other; sums up at the end.

    nightly.py [--list] [--short] [--from STEP] [--only STEP …] [--soak 2h]

A step that fails does not stop the others. Each step's output goes to build/nightly/<step>.log, its
last lines to the screen. Exit status 1 when a step failed. It takes a night on two cores; benchmarks
want the machine for themselves. --short: every step in a form so small that it says nothing about
Esper, only that the step still runs; its figures go to build/nightly/bench and not to `make goals`.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import repository

LOGS = repository.ROOT / "build" / "nightly"


def steps(soak):
    """name -> (command, its short form), in order: what finds faults first, figures when nothing
    else runs."""
    return {
        "lint": (["make", "lint", "ALL=1"], ["make", "lint"]),
        "test": (["make", "test"], ["make", "test", "ROOMS=base contracts"]),
        "asan": (["make", "test", "PRESET=asan"], ["make", "test", "PRESET=asan", "ROOMS=base"]),
        "tsan": (["make", "test", "PRESET=tsan"], ["make", "test", "PRESET=tsan", "ROOMS=base"]),
        "leaks": (["make", "leaks"], ["make", "leaks"]),
        "coverage": (["make", "coverage"], ["make", "coverage", "ROOMS=base"]),
        "fuzz": (["make", "fuzz", "SECONDS=60"],
                 ["make", "fuzz", "SECONDS=1", "NAME=base_text contracts_json"]),
        "api": (["make", "check-api"],
                ["make", "check-api", "ARGS=--examples 2 --roles curator"]),
        "state-walk": (["make", "state-walk"], ["make", "state-walk", "STEPS=100000"]),
        "kill-sweep": (["make", "kill-sweep", "ARGS=--kills 500"],
                       ["make", "kill-sweep", "ARGS=--kills 2 --per-run 1"]),
        "sham": (["make", "sham"], ["make", "sham", "ARGS=--short --runs 2"]),
        "soak": (["make", "soak", f"DURATION={soak}"],
                 ["make", "soak", "DURATION=60s", "ARGS=--cache-ops 100000 --lives 100"]),
        "compat": (["make", "compat", "ARGS=--fresh"],
                   ["make", "compat", "ARGS=--ci --only torchvision/googlenet"]),
        "gpu-check": (["make", "gpu-check"], ["make", "gpu-check"]),
        "bench": (["make", "bench"], ["make", "bench", "NAME=configs"]),
        "time-to-accuracy": (["make", "bench", "NAME=time_to_accuracy", "ARGS=--full --seeds 2"],
                             ["make", "bench", "NAME=time_to_accuracy",
                              "ARGS=--only table --seeds 2"]),
        "gate": (["make", "gate"], ["make", "gate", "NAME=contracts"]),
        "goals": (["make", "goals"], ["make", "goals"]),
    }


def run(name, command, environment):
    log = LOGS / f"{name}.log"
    begin = time.monotonic()
    with log.open("w") as output:
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment,
                                stdin=subprocess.DEVNULL, cwd=repository.ROOT).returncode
    minutes = (time.monotonic() - begin) / 60
    lines = log.read_text(errors="replace").rstrip().split("\n")
    print("\n".join(f"    {line}" for line in lines[-(3 if status == 0 else 20):]))
    print(f"{name}: {'passed' if status == 0 else f'FAILED ({status})'} in {minutes:.1f} min, "
          f"see {log}", flush=True)
    return {"step": name, "command": command, "status": status, "minutes": minutes}


def environment_of(name, short):
    """A step's own: make hands the ARGS of `make nightly ARGS=…` on to every make below it, unless
    it is told not to. Short figures go elsewhere; `goals` judges what a real run has measured."""
    ours = {k: v for k, v in os.environ.items() if k not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")}
    if short and name != "goals":
        (LOGS / "bench").mkdir(parents=True, exist_ok=True)
        ours["ESPER_BENCH"] = str(LOGS / "bench")
    return ours


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--from", dest="first", metavar="STEP")
    parser.add_argument("--only", nargs="+", metavar="STEP")
    parser.add_argument("--soak", default="2h", help="how long the soak takes")
    arguments = parser.parse_args()
    all_steps = {name: forms[1 if arguments.short else 0]
                 for name, forms in steps(arguments.soak).items()}
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
        done.append(run(name, all_steps[name], environment_of(name, arguments.short)))
        (LOGS / "report.json").write_text(json.dumps(done, indent=1) + "\n")
    failed = [d["step"] for d in done if d["status"]]
    print(f"nightly: {len(done)} steps, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
