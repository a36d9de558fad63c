#!/usr/bin/env python3
"""What the forge costs a run that trains beside it: steps of the default host with the forge idle and
with it at full load, in turns.

    pause.py [--json PATH] [--pairs N] [--binary PATH]

One training process runs for the whole measurement, without growth, and beside it one forge's process
that compiles and tries kernels as a run's own does (`esper forge --orders`: lowest priority, a process of
its own), without an end, into a new library. The turns are epochs of a few steps: the forge and all that
it has started are stopped and let go on by signals as each epoch ends, in the order on, off, off, on, so
that what else changes on the machine changes both sides alike. `ours` is the time of a step under load
and `peer` that of one with the forge stopped, so a ratio of 0.98 means that the forge costs 2 %. A pause
is an epoch with a step of more than three times the median. The run's folder lies in memory where the
system has such a folder, because an epoch as short as these is over before a disk has taken its record.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from _paired import row
from _report import ROOT, parsed, report, write

STEPS = 8
WARM = 12  # epochs that nothing is taken from
CASES = {
    "one thread, fp32": ("run.threads=1", "run.precision=fp32"),
    "a thread a core, fp32": (f"run.threads={os.cpu_count()}", "run.precision=fp32"),
    "one thread, bf16": ("run.threads=1", "run.precision=bf16"),
}
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def orders(binary, features):
    """Orders for kernels as a run would give them: branches of the library's own catalogue, for any
    number of tokens."""
    listed = subprocess.run([binary, "library", "ls", "--json"], capture_output=True, text=True,
                            check=True).stdout
    for line in listed.splitlines():
        blueprint = json.loads(line)
        name = blueprint["name"]
        if not name.endswith("/tokens") or "transformer" in name or "sham" in name:
            continue
        kind = name.split("/")[0]
        program, found = re.subn(r"input x: f32\[\?, \d+, ", "input x: f32[?, ?, ",
                                 blueprint["architecture"], count=1)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
            text.write(program)
            text.flush()
            added = subprocess.run([binary, "library", "add", text.name, "--name", f"{kind}/any"],
                                   capture_output=True, text=True, check=True).stdout
        if found != 1:
            raise SystemExit(f"pause: the branch of {name} has no input of tokens")
        yield json.dumps({"branch": added.split()[0], "program": program, "blueprint": kind,
                          "anchor_kind": "tokens", "precision": "fp32",
                          "sample": [64, features], "samples": 32})


def children_of(process):
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:  # it has just ended
            pass
    return found


class Forge:
    """The forge at full load until it is ended."""

    def __init__(self, binary, texts):
        self.scratch = tempfile.TemporaryDirectory()
        self.said = open(Path(self.scratch.name) / "said", "w+")
        asked = Path(self.scratch.name) / "asked"  # a pipe would not hold them all
        asked.write_text("\n".join(texts * 200) + "\n")
        with open(asked) as orders_file:
            self.process = subprocess.Popen(
                [binary, "forge", "--orders", "--library", str(Path(self.scratch.name) / "l")],
                stdin=orders_file, stdout=self.said, stderr=subprocess.DEVNULL)
        os.sched_setscheduler(self.process.pid, os.SCHED_IDLE, os.sched_param(0))
        self.works = True
        self.began = time.monotonic()
        self.seconds = 0.0  # of work

    def _tell(self, number, process):
        # A process that is stopped first starts nothing more while its children are told.
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return
        for child in children_of(process):
            self._tell(number, child)

    def work(self, works):
        if works == self.works:
            return
        now = time.monotonic()
        if self.works:
            self.seconds += now - self.began
        self.began, self.works = now, works
        self._tell(signal.SIGCONT if works else signal.SIGSTOP, self.process.pid)

    def validated(self):
        """How many kernels were compiled, tried and found correct."""
        said = [json.loads(line) for line in open(self.said.name) if line.endswith("\n")]
        wrong = [order for order in said if order["status"] != "validated"]
        if wrong:
            raise SystemExit(f"pause: the forge compiled nothing: {wrong[0]}")
        return len(said)

    def end(self):
        self.work(True)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.said.close()
        self.scratch.cleanup()


def epochs_of(binary, settings, pairs, texts):
    """Seconds a step of epochs under load and of those beside them with the forge stopped, and the
    kernels that were validated in a minute of load."""
    loaded, idle = [], []
    command = [binary, "train", f"run.epochs={WARM + 2 * pairs}", f"run.steps_per_epoch={STEPS}",
               "growth.enabled=false", "checkpoint.every=10000ep", "data.split.train=0.98",
               "data.split.probe=0.005", "data.split.validation=0.005", "data.split.test=0.01",
               *settings, "--json"]
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        with subprocess.Popen([*command, "--run", str(Path(folder) / "run")], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            forge = Forge(binary, texts)
            on = [True, False, False, True]
            number = 0
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] != "epoch":
                    continue
                number += 1
                if number > WARM:
                    was_on = on[(number - WARM - 1) % 4]
                    (loaded if was_on else idle).append(event["seconds"] / STEPS)
                if number >= WARM:
                    forge.work(on[(number - WARM) % 4])
            forge.work(False)
            made = 60 * forge.validated() / forge.seconds
            forge.end()
        if process.returncode != 0:
            raise SystemExit(f"pause: {' '.join(command)} ended with {process.returncode}")
    return loaded, idle, made


def pauses(seconds, usual):
    """Epochs that one step of more than three times the usual length would explain."""
    return sum(1 for second in seconds if STEPS * (second - usual) > 2 * usual)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=80)
    arguments = parsed("pause", parser)
    binary = str(arguments.binary)
    with tempfile.TemporaryDirectory() as library:
        os.environ["ESPER_LIBRARY"] = library
        texts = list(orders(binary, 64))
        if not texts:
            raise SystemExit("pause: the catalogue has no branch for tokens")
        rows = []
        for case, settings in CASES.items():
            began = time.monotonic()
            loaded, idle, tried = epochs_of(binary, settings, arguments.pairs, texts)
            made = row(case, loaded, idle, "s", "the forge stopped")
            usual = statistics.median(idle)
            made |= {"longest": max(loaded) / usual, "pauses": pauses(loaded, usual),
                     "pauses_idle": pauses(idle, usual), "kernels_a_minute": tried}
            rows.append(made)
            print(f"{case:<24} {1e3 * made['ours']:8.2f} ms a step under load, "
                  f"{1e3 * made['peer']:.2f} idle, ratio {made['ratio']:.3f} "
                  f"[{made['ci_low']:.3f}, {made['ci_high']:.3f}], n {made['n']}, "
                  f"{made['pauses']} pauses ({made['pauses_idle']} idle), {tried:.0f} kernels "
                  f"a minute ({time.monotonic() - began:.0f} s)", flush=True)
    if arguments.json:
        write(arguments.json, report("pause", rows, {}, os.cpu_count()))


if __name__ == "__main__":
    main()
