#!/usr/bin/env python3
"""Offers seeds that cannot help to many short runs and counts how many the gates keep.

    sham_sweep.py [--runs N] [--binary ESPER] [--json FILE] [--bench FILE] [--keep FOLDER] [--short]

Half of the runs learn text, half drawn images, each with a seed of its own; growth.sham makes every
second germination a sham. The sweep passes when at most one sham in all runs was kept, and every run
really offered one that came to a gate. --short: runs of a few seconds, for tests.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import repository

MOST_KEPT = 1

# One germination an epoch: two at one boundary are both drawn before it is a sham's turn.
COMMON = ("run.threads=1", "run.precision=fp32", "growth.sham=true", "growth.cooldown=0ep",
          "growth.measure_share=100",  # every sham is compared with a fork
          "growth.start=0.05", "growth.stop=0.7", "growth.limits.max_in_flight=3",
          "growth.limits.max_adaptations_per_epoch=1", "growth.limits.max_flops_ratio=4",
          "growth.gate.fork_share=0.2", "growth.gate.lag=0ba", "controller.policy=periodic",
          "controller.period=1ep", "checkpoint.every=100ep")
LONG = ("run.epochs=16", "run.steps_per_epoch=40", "growth.training=1ep", "growth.graft_steps=40",
        "growth.stabilization=10ba", "growth.fine_tune=1ep", "growth.embargo=1ep",
        "growth.gate.budget=2ep")
SHORT = ("run.epochs=8", "run.steps_per_epoch=8", "growth.training=1ep", "growth.graft_steps=6",
         "growth.stabilization=4ba", "growth.fine_tune=1ep", "growth.embargo=1ep",
         "growth.gate.budget=1ep")
KINDS = {
    "text": ("configs/default.yaml", ("model.width=32", "model.heads=2", "model.context=32",
                                      "data.split.train=0.9", "data.split.probe=0.05",
                                      "data.split.validation=0.03", "data.split.test=0.02",
                                      "optimization.learning_rate=0.002")),
    "images": ("configs/drawn.yaml", ("model.width=4", "data.batch_size=32",
                                      "optimization.learning_rate=0.05")),
}


@dataclass
class Outcome:
    kind: str
    seed: int
    offered: int = 0   # shams that germinated
    measured: int = 0  # of them, that a gate looked at
    grafted: int = 0   # of them, that passed the first gate
    kept: int = 0      # of them, that became part of the network
    real: int = 0      # other seeds that germinated
    real_kept: int = 0
    folder: str = ""


def read_outcome(kind, seed, folder):
    """Counts in a run's events.jsonl."""
    outcome = Outcome(kind, seed, folder=str(folder))
    sham = {}  # slot -> is the seed in it a sham
    measured = set()
    names = {}
    for line in (Path(folder) / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] != "decision":
            continue
        slot = event["slot"]
        if event["command"] == "germinate":
            sham[slot] = event["blueprint"].startswith("sham")
            names[slot] = (slot, event["step"])
            outcome.offered += sham[slot]
            outcome.real += not sham[slot]
            continue
        if not sham.get(slot):
            outcome.real_kept += event["command"] == "fossilize"
            continue
        if "look" in event["evidence"] and "examples" in event["evidence"]:
            measured.add(names[slot])
        outcome.grafted += event["command"] == "graft"
        outcome.kept += event["command"] == "fossilize"
    outcome.measured = len(measured)
    return outcome


def run_one(binary, kind, seed, lengths, folder):
    config, overrides = KINDS[kind]
    command = [str(binary), "train", config, *COMMON, *overrides, *lengths, "--run", str(folder),
               "--seed", str(seed), "-q"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=repository.ROOT)
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexited with {ended.returncode}\n{ended.stderr}")
    return read_outcome(kind, seed, folder)


def sweep(binary, runs, lengths, folder, at_once):
    jobs = [(("text", "images")[i % 2], 1 + i // 2) for i in range(runs)]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda job: run_one(binary, *job, lengths,
                                                 Path(folder) / f"{job[0]}-{job[1]}"), jobs))


def problems(outcomes):
    """Why the sweep has not passed; empty when it has."""
    found = [f"{o.kind} seed {o.seed}: no sham came to a gate ({o.offered} offered)"
             for o in outcomes if o.measured == 0]
    kept = sum(o.kept for o in outcomes)
    if kept > MOST_KEPT:
        found.append(f"{kept} shams were kept, at most {MOST_KEPT} may be")
    return found


def table(outcomes):
    lines = ["| runs | shams offered | measured | past the first gate | kept | real seeds | kept |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for kind in [*KINDS, "all"]:
        mine = [o for o in outcomes if kind in (o.kind, "all")]
        if mine:
            lines.append("| {} {} | {} | {} | {} | {} | {} | {} |".format(
                len(mine), kind, *(sum(getattr(o, f) for o in mine) for f in
                                   ("offered", "measured", "grafted", "kept", "real",
                                    "real_kept"))))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--binary", type=Path,
                        default=Path(os.environ.get("ESPER_BINARY") or
                                     repository.ROOT / "build/release/bin/esper"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bench", type=Path, help="the share of shams kept, for make goals")
    parser.add_argument("--keep", type=Path, help="leave the runs' folders here")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = sweep(arguments.binary.resolve(), arguments.runs,
                         SHORT if arguments.short else LONG, arguments.keep or scratch,
                         arguments.at_once)
    print(table(outcomes))
    found = problems(outcomes)
    looked_at = sum(o.measured for o in outcomes)
    if arguments.bench and looked_at:
        repository.write_bench(arguments.bench, [repository.bench_row(
            "shams kept", sum(o.kept for o in outcomes) / looked_at, 0.05, "share", looked_at)])
    if arguments.json:
        arguments.json.write_text(json.dumps({"runs": [asdict(o) for o in outcomes],
                                              "problems": found}, indent=1) + "\n")
    for problem in found:
        print(f"sham sweep: {problem}")
    print("sham sweep: " + ("failed" if found else "passed"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
