#!/usr/bin/env python3
"""What the forge costs a run that trains beside it: epochs of the default host with the forge idle and
with it at full load, in turns.

    pause.py [--json PATH] [--pairs N] [--binary PATH]

One training process runs for the whole measurement, without growth. During every other epoch the forge's
process compiles and tries kernels as a run's own does (`esper forge --orders`: lowest priority, a process
of its own), without an end, into a library of its own that is new each time. An epoch in which it was
started or ended counts for neither side. `ours` is the time of a step under load and `peer` that of one
with the forge idle, so a ratio of 0.98 means that the forge costs 2 %.
"""

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from _paired import row
from _report import ROOT, parsed, report, write

STEPS = 25
CASES = {
    "one thread, fp32": ("run.threads=1", "run.precision=fp32"),
    "a thread a core, fp32": (f"run.threads={os.cpu_count()}", "run.precision=fp32"),
    "one thread, bf16": ("run.threads=1", "run.precision=bf16"),
}


def orders(binary, features):
    """Orders for kernels as a run would give them: branches of the library's own catalogue."""
    listed = subprocess.run([binary, "library", "ls", "--json"], capture_output=True, text=True,
                            check=True).stdout
    for line in listed.splitlines():
        blueprint = json.loads(line)
        name = blueprint["name"]
        if not name.endswith("/tokens") or "transformer" in name or "sham" in name:
            continue
        yield json.dumps({"branch": blueprint["blueprint_id"],
                          "program": blueprint["architecture"], "blueprint": name.split("/")[0],
                          "anchor_kind": "tokens", "precision": "fp32", "sample": [64, features],
                          "samples": 32})


class Forge:
    """The forge at full load until it is ended."""

    def __init__(self, binary, texts):
        self.binary, self.texts, self.process, self.scratch = binary, texts, None, None

    def start(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [self.binary, "forge", "--orders", "--library", str(Path(self.scratch.name) / "l")],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write("\n".join(self.texts * 50) + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.scratch.cleanup()


def epochs_of(binary, settings, pairs, forge):
    """Seconds a step of epochs under load and of those beside them with the forge idle."""
    loaded, idle = [], []
    # Load on, count, load off, count: two epochs each, of which the first is left out.
    command = [binary, "train", f"run.epochs={4 * pairs + 2}", f"run.steps_per_epoch={STEPS}",
               "growth.enabled=false", "checkpoint.every=100ep", "data.split.train=0.98",
               "data.split.probe=0.005", "data.split.validation=0.005", "data.split.test=0.01",
               *settings, "--json"]
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen([*command, "--run", str(Path(folder) / "run")], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            number = 0
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] != "epoch":
                    continue
                seconds = event["seconds"] / STEPS
                number += 1
                phase = (number - 2) % 4  # what follows this epoch
                if number < 2:
                    continue
                if phase == 2:
                    loaded.append(seconds)
                elif phase == 0 and number > 2:
                    idle.append(seconds)
                if phase == 0 and len(loaded) < pairs:
                    forge.start()
                elif phase == 2:
                    forge.end()
        if process.returncode != 0:
            raise SystemExit(f"pause: {' '.join(command)} ended with {process.returncode}")
    return loaded, idle


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=12)
    arguments = parsed("pause", parser)
    binary = str(arguments.binary)
    with tempfile.TemporaryDirectory() as library:
        os.environ["ESPER_LIBRARY"] = library
        texts = list(orders(binary, 64))
        if not texts:
            raise SystemExit("pause: the catalogue has no branch for tokens")
        forge = Forge(binary, texts)
        rows = []
        for case, settings in CASES.items():
            began = time.monotonic()
            loaded, idle = epochs_of(binary, settings, arguments.pairs, forge)
            made = row(case, loaded, idle, "s", "the forge idle")
            made["longest"] = max(loaded) / made["peer"]
            rows.append(made)
            print(f"{case:<24} {1e3 * made['ours']:8.2f} ms a step under load, "
                  f"{1e3 * made['peer']:.2f} idle, ratio {made['ratio']:.3f} "
                  f"[{made['ci_low']:.3f}, {made['ci_high']:.3f}], n {made['n']}, longest epoch "
                  f"{made['longest']:.2f} of the idle median ({time.monotonic() - began:.0f} s)")
    if arguments.json:
        write(arguments.json, report("pause", rows, {}, os.cpu_count()))


if __name__ == "__main__":
    main()
