#!/usr/bin/env python3
"""Kills runs at random moments with SIGKILL, resumes them, and compares what they leave behind with
an undisturbed run, to the bit.

    kill_sweep.py [--binary FILE] [--kills 100] [--per-run 6] [--seed 0] [--bench FILE]

Two small runs take turns: one that grows, and one whose learning rate is so high that it has to go
back to checkpoints. Only the wall-clock times in run.json and in the checkpoints may differ. Exit
status 1 when anything else does; the folders are then kept and named.
"""

import argparse
import csv
import json
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import repository

COMMON = ["run.threads=1", "run.precision=fp32", "run.epochs=12", "run.steps_per_epoch=10",
          "data.kind=text", "data.path=data/tinyshakespeare.txt", "data.train_examples=0",
          "data.split.train=0.97", "data.split.probe=0.01", "data.split.validation=0.01",
          "data.split.test=0.01", "model.host=gpt", "model.depth=2", "model.width=16",
          "model.heads=2", "model.context=16", "optimization.learning_rate=0.01",
          "optimization.cooldown=0.1", "growth.training=1ep", "growth.graft_steps=8",
          "growth.stabilization=5ba", "growth.start=0.01", "growth.stop=0.9",
          "growth.blueprints=[low_rank, transformer_block, bottleneck_mlp]",
          "growth.gate.rent=0", "growth.gate.delta=0.5", "growth.measure_share=100",
          "controller.policy=periodic",
          "controller.period=1ep", "checkpoint.every=7ba"]
ARMS = {
    "grows": [],
    "goes back": ["optimization.optimizer=sgd", "optimization.learning_rate=30",
                  "optimization.clip_norm=0", "checkpoint.rollback.max_rollbacks=40",
                  "checkpoint.rollback.spike_window=5"],
}


def checkpoint(path):
    """(state without its wall-clock time, tensor list, tensor bytes) of a checkpoint file."""
    payload = path.read_bytes()[20:-32]
    (length,) = struct.unpack_from("<Q", payload)
    header = json.loads(payload[8:8 + length])
    header["state"].pop("wall_seconds")
    header["state"].pop("seconds", None)
    header["state"].get("lengths", {}).pop("metrics.csv", None)  # it holds seconds
    base = (8 + length + 63) // 64 * 64
    return header["state"], header["tensors"], payload[base:]


def run_json(folder):
    run = json.loads((folder / "run.json").read_text())
    run.pop("wall_seconds")
    run.pop("seconds", None)
    run.pop("peak_resident_bytes", None)
    return run


def is_done(folder):
    path = folder / "run.json"
    return path.exists() and json.loads(path.read_text())["status"] == "done"


def written(folder):
    """When run.json was written last; None where there is none."""
    path = folder / "run.json"
    return path.stat().st_mtime_ns if path.exists() else None


# What the clock and the machine say, which is another time something else.
CLOCKED = ("seconds", "examples_per_second", "resident_bytes")


def metrics(folder):
    """The rows of metrics.csv without CLOCKED."""
    with open(folder / "metrics.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k not in CLOCKED}
                for row in csv.DictReader(file)]


def differences(one, two):
    """What differs between two finished runs' folders, as names of files."""
    found = [name for name in ("events.jsonl", "journal.jsonl", "config.yaml")
             if (one / name).read_bytes() != (two / name).read_bytes()]
    if metrics(one) != metrics(two):
        found.append("metrics.csv")
    if run_json(one) != run_json(two):
        found.append("run.json")
    names = [sorted(p.name for p in (f / "checkpoints").iterdir()) for f in (one, two)]
    if names[0] != names[1]:
        found.append(f"checkpoints/: {names[0]} against {names[1]}")
    for name in names[0]:
        if name.endswith(".ckpt") and name in names[1]:
            if checkpoint(one / "checkpoints" / name) != checkpoint(two / "checkpoints" / name):
                found.append(f"checkpoints/{name}")
    return found


class Sweep:
    def __init__(self, binary, scratch, seed):
        self.binary = str(binary)
        self.scratch = scratch
        self.random = random.Random(seed)
        self.config = str(repository.ROOT / "configs" / "testing.yaml")
        self.kills = 0
        self.runs = 0
        self.recoveries = []  # seconds from the start of `resume` until the run went on

    def command(self, arm, folder):
        # Without a run.json it was killed before there was anything to resume.
        if (folder / "run.json").exists():
            return [self.binary, "resume", str(folder), "-q"]
        return [self.binary, "train", self.config, *COMMON, *ARMS[arm], "--run", str(folder), "-q"]

    def undisturbed(self, arm):
        folder = self.scratch / ("whole " + arm)
        begin = time.monotonic()
        subprocess.run(self.command(arm, folder), check=True)
        return folder, time.monotonic() - begin

    def wait(self, process, folder, before, seconds):
        """At most so long; None: as long as it takes. Notes when a resumed run goes on: it then
        writes run.json, whose time was `before`."""
        begun = time.monotonic()
        deadline = None if seconds is None else begun + seconds
        while before and process.poll() is None and (deadline is None or
                                                     time.monotonic() < deadline):
            if written(folder) != before:
                self.recoveries.append(time.monotonic() - begun)
                break
            time.sleep(0.002)
        process.wait(None if deadline is None else max(0, deadline - time.monotonic()))

    def disturbed(self, arm, seconds, kills):
        """Runs to the end with up to `kills` kills on the way; its folder."""
        folder = self.scratch / f"run {self.runs}"
        self.runs += 1
        left = kills
        while True:
            before = written(folder)
            process = subprocess.Popen(self.command(arm, folder), stderr=subprocess.PIPE)
            if left > 0:
                try:
                    self.wait(process, folder, before, self.random.uniform(0, seconds))
                except subprocess.TimeoutExpired:
                    process.kill()
            _, errors = process.communicate()
            if process.returncode == 0:
                return folder
            if process.returncode != -signal.SIGKILL:
                sys.exit(f"kill_sweep: {folder} ended with status {process.returncode} after "
                         f"{self.kills} kills: {errors.decode(errors='replace')}")
            self.kills += 1
            left -= 1
            if is_done(folder):  # killed after its last word
                return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=Path,
                        default=repository.ROOT / "build" / "release" / "bin" / "esper")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--per-run", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bench", type=Path)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="esper-kill-sweep-"))
    sweep = Sweep(arguments.binary.resolve(), scratch, arguments.seed)
    whole = {arm: sweep.undisturbed(arm) for arm in ARMS}
    for arm, (folder, seconds) in whole.items():
        run = run_json(folder)
        print(f"undisturbed run that {arm}: {seconds:.1f} s, {run['seeds']['germinated']} seeds "
              f"germinated, {run['rollbacks']} rollbacks", flush=True)
    different = 0
    arms = list(ARMS)
    while sweep.kills < arguments.kills:
        arm = arms[sweep.runs % len(arms)]
        reference, seconds = whole[arm]
        folder = sweep.disturbed(arm, seconds,
                                 min(arguments.per_run, arguments.kills - sweep.kills))
        found = differences(reference, folder)
        if found:
            different += 1
            print(f"{folder} differs from {reference}: {', '.join(found)}", flush=True)
        else:
            shutil.rmtree(folder)
    print(f"{sweep.kills} kills in {sweep.runs} runs, {different} of which ended otherwise than "
          "undisturbed")
    if not different:
        shutil.rmtree(scratch)
    if sweep.recoveries:
        print(f"a killed run goes on {statistics.median(sweep.recoveries):.2f} s after 'esper resume' "
              f"(median of {len(sweep.recoveries)}, longest {max(sweep.recoveries):.2f} s)")
    if arguments.bench:
        rows = [repository.bench_row("killed runs that end as undisturbed ones",
                                     1 - different / sweep.runs, 1.0, "share", sweep.runs)]
        if sweep.recoveries:
            rows.append(repository.bench_row("a killed run goes on after",
                                             statistics.median(sweep.recoveries), 1.0, "s",
                                             len(sweep.recoveries)))
        repository.write_bench(arguments.bench, rows, kills=sweep.kills)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
