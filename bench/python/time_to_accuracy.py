#!/usr/bin/env python3
"""Time to a given validation figure: `esper train` against the same recipe in eager PyTorch.

    time_to_accuracy.py [--json PATH] [--seeds N] [--only TASK …] [--full]

A table, a text and CIFAR-10, each with one recipe (_races.py) that both sides follow without growth:
host, first values (ours, exported), batches of one size, optimizer, schedule, clipping, precision,
two threads. Both read their files, make their batches, and validate after every epoch. The order of
the examples and the parts are drawn by each side from the same seed. What is timed is a whole process
from its start to the line that reports the figure, and beside it the training alone. Sides alternate.
A ratio is the peer's time over ours; where a side never gets there, there is no row, and it says so.

--full: also CIFAR-10 to 92 % with 1.2 million parameters; many hours on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _intervals import paired_row
from _races import FULL, SHORT
from _report import ROOT, parsed, report, write

HERE = Path(__file__).resolve().parent


def followed(race, command):
    """(seconds of the process, seconds of training, best figure) until the target; the first two
    None where it is not reached. The process is heard to its end, so that both sides pay alike."""
    begin = time.monotonic()
    whole = reached = best = None
    trained = 0.0
    environment = dict(os.environ, OMP_NUM_THREADS="2")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=ROOT, env=environment) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event.get("event") != "epoch":
                continue
            value = event[race.figure]
            trained += event["seconds"]
            best = value if best is None else (max, min)[race.figure == "val_loss"](best, value)
            if whole is None and race.reached(value):
                whole, reached = time.monotonic() - begin, trained
        said = process.stderr.read()
    if process.returncode != 0 or best is None:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {process.returncode}\n{said}")
    return whole, reached, best


def first_values(binary, race, seed, folder):
    """Ours before the first step: the values that both sides start from."""
    run = folder / "first"
    subprocess.run([str(binary), "train", *race.overrides(folder), "run.epochs=1",
                    "run.steps_per_epoch=1", "checkpoint.keep=2", "--run", str(run), "--seed",
                    str(seed), "-q"], check=True, capture_output=True, cwd=ROOT)
    subprocess.run([str(binary), "export", str(run), "-o", str(folder / "start"),
                    "--checkpoint", "0"], check=True, capture_output=True, cwd=ROOT)
    return folder / "start"


def pair(binary, race, seed, scratch, ours_first):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    start = first_values(binary, race, seed, folder)
    commands = {
        "ours": [str(binary), "train", *race.overrides(folder), "--run", str(folder / "run"),
                 "--seed", str(seed), "--json"],
        "peer": [sys.executable, str(HERE / "_race_peer.py"), race.name, str(seed), str(folder),
                 str(start)]}
    return {side: followed(race, commands[side])
            for side in (("ours", "peer") if ours_first else ("peer", "ours"))}


def row(case, ours, peer):
    return paired_row(case, ours, peer, "s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="TASK", default=[])
    parser.add_argument("--full", action="store_true")
    arguments = parsed("time_to_accuracy", parser)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for race in SHORT + FULL if arguments.full else SHORT:
            if arguments.only and race.kind not in arguments.only:
                continue
            found = []
            for i in range(arguments.seeds):
                found.append(pair(arguments.binary, race, i + 1, scratch, i % 2 == 0))
                for side, (whole, trained, best) in found[-1].items():
                    when = "never" if whole is None else f"{whole:.1f} s ({trained:.1f} s training)"
                    print(f"{race.name}, seed {i + 1}, {side}: {race.in_words()} {when}; "
                          f"best {best:.4f}", flush=True)
            there = [f for f in found if all(f[side][0] is not None for side in f)]
            if len(there) < 2:
                print(f"{race.name}: both sides reached {race.in_words()} in {len(there)} of "
                      f"{len(found)} pairs; no row")
                continue
            for place, what in ((0, "from the command's start"), (1, "of training")):
                rows.append(row(f"{race.name}: seconds {what} to {race.in_words()}",
                                [f["ours"][place] for f in there],
                                [f["peer"][place] for f in there]))
                r = rows[-1]
                print(f"{r['case']}: {r['ours']:.1f} against {r['peer']:.1f}, ratio "
                      f"{r['ratio']:.3f} [{r['ci_low']:.3f}, {r['ci_high']:.3f}]", flush=True)
    if arguments.json:
        write(arguments.json, report("time_to_accuracy", rows, {}, 2))


if __name__ == "__main__":
    main()
