#!/usr/bin/env python3
"""LeakSanitizer over a whole training run that grows, its interruption and its resume.

    leaks.py [--binary ESPER] [--bench FILE]

Links the program's release objects with LeakSanitizer, which needs no other code. The run is interrupted with Ctrl-C, resumed, and trains to
its end; then it is inspected, replayed, exported and reported. Whatever a command has lost when it
ends is a leak, but for what scripts/lsan_suppressions.txt names with its reason. Exit status 1 when
there is one. Writes build/bench/leaks.json.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import kill_sweep
import repository
import run_tests

BUILD = repository.ROOT / "build" / "release"
LEAK = re.compile(r"^SUMMARY: LeakSanitizer: (\d+) byte\(s\) leaked in (\d+)", re.M)
STOP_AFTER_EPOCHS = 4
# Ten times, since a pointer that is left in a register hides the block that it points to.
LOSE = """
#include <cstdlib>
static void* volatile lost;
__attribute__((constructor)) static void lose() {
    for (int i = 0; i < 10; ++i) lost = std::malloc(1000);
    lost = nullptr;
}
"""


def environment():
    # A leak gets a status of its own, so that it is not taken for a failure of the command.
    options = run_tests.sanitizer_options("leak")
    options["LSAN_OPTIONS"] += ":exitcode=23"
    return {**os.environ, **options}


def would_show(binary, folder):
    """Whether this program, told to lose memory, ends with a leak: no leaks are good news only then."""
    source, library = Path(folder) / "lose.cpp", Path(folder) / "lose.so"
    source.write_text(LOSE)
    subprocess.run(["g++", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True,
                          env={**environment(), "LD_PRELOAD": str(library)})
    return judge("", 0, done.returncode, done.stderr)[0] > 0


def judge(name, expected, status, errors):
    """(leaks, problem) of a command that has ended."""
    leak = LEAK.search(errors)
    if leak:
        return int(leak.group(2)), f"{name}: {leak.group(0)}\n{errors[-6000:]}"
    if status != expected:
        return 0, f"{name}: exit status {status}, expected {expected}\n{errors[-6000:]}"
    return 0, None


def run(name, command, expected=0):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                          env=environment(), cwd=repository.ROOT)
    return judge(name, expected, done.returncode, done.stderr)


def interrupted(name, command):
    """Trains until some epochs are done, then presses Ctrl-C."""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=errors,
                              text=True, env=environment(), cwd=repository.ROOT) as process:
            epochs = 0
            for line in process.stdout:
                epochs += json.loads(line).get("event") == "epoch"
                if epochs == STOP_AFTER_EPOCHS:
                    process.send_signal(signal.SIGINT)
                    epochs += 1
        errors.seek(0)
        return judge(name, 130, process.returncode, errors.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path)
    parser.add_argument("--bench", type=Path,
                        default=repository.BENCH / "leaks.json")
    arguments = parser.parse_args()
    if arguments.binary is None:
        subprocess.run(["cmake", "--preset", "release", "--log-level=WARNING"], check=True,
                       cwd=repository.ROOT, stdout=subprocess.DEVNULL)
        repository.ninja(BUILD, "esper_leaks")
    esper = str(arguments.binary or BUILD / "bin" / "esper_leaks")
    with tempfile.TemporaryDirectory(prefix="esper-leaks-") as scratch:
        if not would_show(esper, scratch):
            raise SystemExit(f"leaks: {esper} was made to lose memory and did not say so; 'make "
                             f"leaks' links one with LeakSanitizer")
        folder = str(Path(scratch) / "run")
        config = str(repository.ROOT / "configs" / "testing.yaml")
        train = [esper, "train", config, *kill_sweep.COMMON, "--run", folder]
        outcomes = [interrupted("train until Ctrl-C", train)]
        for name, command in (("resume", ["resume", folder, "-q"]), ("inspect", ["inspect", folder]),
                              ("replay", ["replay", folder]), ("eval", ["eval", folder]),
                              ("export", ["export", folder, "-o", folder + "-export"]),
                              ("report", ["report", folder, "-o", folder + ".html"])):
            outcomes.append(run(name, [esper, *command]))
            print(f"leaks: {name}: {outcomes[-1][0]} leaks", flush=True)
        run_json = Path(folder) / "run.json"
        seeds = json.loads(run_json.read_text())["seeds"] if run_json.exists() else {}
    problems = [text for _, text in outcomes if text]
    if not seeds.get("germinated"):
        problems.append("the run grew nothing, so that growing was not looked at")
    for text in problems:
        print(f"leaks: {text}")
    leaks = sum(count for count, _ in outcomes)
    repository.write_bench(arguments.bench, [
        repository.bench_row("leaks in a training run, its resume and what reads it", leaks, 0,
                             "leaks", len(outcomes))])
    print(f"leaks: {leaks} in {len(outcomes)} commands; the run germinated {seeds}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
