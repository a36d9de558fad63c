#!/usr/bin/env python3
"""Does Esper stay flat over a long time?

    soak.py [--binary ESPER] [--duration 10m|2h|48h] [--seed N] [-- ARGUMENT …]

Without a duration: `esper soak`, which counts operations: a kernel cache whose kernels are stand-ins
(plain strings; no run uses the cache yet), and seeds that are put into a small host and taken out by
edits, without training. With one: besides, for that long, a real run that trains, germinates, grafts,
culls and writes checkpoints, interrupted by Ctrl-C and resumed again and again, and between those
small whole runs that keep seeds, are replayed and exported. Resident memory, open files and threads
of the long run are sampled every second; folders are looked through for what was left behind.

Exit status 1 when something grows, is left behind, ends otherwise than it should, or when nothing was
culled. Writes build/bench/soak.json and soak_training.json.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import kill_sweep
import repository

BENCH = repository.BENCH
UNITS = {"s": 1, "m": 60, "h": 3600}
# The run that never ends: nothing is worth so much rent, so every seed is culled.
LONG = [o for o in kill_sweep.COMMON if o.split("=")[0] not in
        ("run.epochs", "run.steps_per_epoch", "growth.gate.rent", "growth.start", "growth.stop")] + [
            "run.epochs=1000000", "run.steps_per_epoch=20", "growth.gate.rent=1000000",
            "growth.start=0", "growth.stop=0.9", "growth.embargo=1ep", "growth.cooldown=0ep"]
ALLOWED_MIB = 8.0
SEGMENTS = 6
# A run of that length has culled, however slow the machine is.
ENOUGH_STEPS = 400


def seconds_of(text):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected a duration such as 90s, 10m or 48h, got {text!r}")
    return float(match.group(1)) * UNITS[match.group(2)]


class Watch:
    """What a process holds, sampled over time."""

    def __init__(self):
        self.samples = []  # (seconds, resident KiB, open files, threads)

    def look(self, pid, now):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            files = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return
        found = {k: int(v) for k, v in re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.M)}
        if len(found) == 2:
            self.samples.append((now, found["VmRSS"], files, found["Threads"]))

    def growth(self):
        """(KiB, files, threads) added over the last two thirds: of each tenth's least value, so that
        what a checkpoint needs for a moment does not count; memory by a straight line."""
        late = self.samples[len(self.samples) // 3:]
        if len(late) < 20:
            return None
        size = len(late) // 10
        tenths = [late[i * size:(i + 1) * size] for i in range(10)]
        memory, files, threads = ([min(s[k] for s in t) for t in tenths] for k in (1, 2, 3))
        mean = sum(memory) / 10
        slope = sum((i - 4.5) * (m - mean) for i, m in enumerate(memory)) / 82.5
        return slope * 9, files[-1] - files[0], threads[-1] - threads[0]


def left_behind(folder, scratch, keep=16):
    """What a process that has ended should not have left in its run's folder and in TMPDIR."""
    found = [str(p) for p in folder.rglob("*") if p.suffix in (".tmp", ".part") or "~" in p.name]
    checkpoints = list((folder / "checkpoints").glob("*.ckpt"))
    if len(checkpoints) > keep:
        found.append(f"{len(checkpoints)} checkpoints in {folder}")
    return found + [str(p) for p in scratch.iterdir()]


def read_events(lines, trains):
    """Reads a run's events to their end; sets `trains` at the end of an epoch."""
    for line in lines:
        if json.loads(line).get("event") == "epoch":
            trains.set()


class TrainingSoak:
    def __init__(self, binary, seconds, seed, folder):
        self.binary, self.seconds, self.seed = str(binary), seconds, seed
        self.folder = Path(folder)
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.scratch)}
        self.config = str(repository.ROOT / "configs" / "testing.yaml")
        self.problems = []
        self.growths = []
        self.short_runs = 0

    def expect(self, name, command, status=0):
        done = subprocess.run([self.binary, *command], capture_output=True, text=True,
                              errors="replace", env=self.environment, cwd=repository.ROOT)
        if done.returncode != status:
            self.problems.append(f"{name} ended with {done.returncode}, expected {status}: "
                                 f"{done.stderr[-2000:]}")

    def segment(self, run, seconds):
        """Trains for a while from the end of its first epoch on, then presses Ctrl-C."""
        command = ["resume", str(run), "--json"] if (run / "run.json").exists() else [
            "train", self.config, *LONG, "--run", str(run), "--seed", str(self.seed), "--json"]
        watch = Watch()
        with tempfile.TemporaryFile("w+", errors="replace", dir=self.folder) as errors:
            process = subprocess.Popen([self.binary, *command], stderr=errors, cwd=repository.ROOT,
                                       stdout=subprocess.PIPE, text=True, env=self.environment)
            trains = threading.Event()
            reader = threading.Thread(target=read_events, args=(process.stdout, trains))
            reader.start()
            # A program that is still starting ends at Ctrl-C without a checkpoint.
            while process.poll() is None and not trains.wait(0.1):
                pass
            begin = time.monotonic()
            while process.poll() is None and time.monotonic() - begin < seconds:
                watch.look(process.pid, time.monotonic() - begin)
                time.sleep(min(1.0, seconds / 100))
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.problems.append("Ctrl-C did not end the run within 120 s")
            reader.join()
            errors.seek(0)
            if process.returncode != 130:
                self.problems.append(f"{command[0]} ended with {process.returncode}, expected 130: "
                                     f"{errors.read()[-2000:]}")
        growth = watch.growth()
        if growth:
            self.growths.append(growth)
        self.problems += [f"left behind: {p}" for p in left_behind(run, self.scratch)]

    def short_run(self):
        """A whole run that may keep seeds, and what is done with a finished run."""
        run = self.folder / "short"
        export = self.folder / "export"
        self.expect("a short run", ["train", self.config, *kill_sweep.COMMON, "--run", str(run),
                                    "--seed", str(self.seed + self.short_runs), "-q"])
        self.expect("replay", ["replay", str(run)])
        self.expect("export", ["export", str(run), "-o", str(export)])
        self.problems += [f"left behind: {p}" for p in left_behind(run, self.scratch)]
        for folder in (run, export):
            shutil.rmtree(folder, ignore_errors=True)
        self.short_runs += 1

    def has_culled(self, run):
        """Whether the long run culled a seed, or should have by now."""
        if not (run / "run.json").exists():
            return True
        record = json.loads((run / "run.json").read_text())
        return record["seeds"]["culled"] > 0 or record["steps"] >= ENOUGH_STEPS

    def run(self):
        """run.json of the long run when the time is over and it has culled a seed."""
        begin = time.monotonic()
        run = self.folder / "long"
        least = max(self.seconds / SEGMENTS, 10)
        while not self.problems and (
                (left := begin + self.seconds - time.monotonic()) > 0 or not self.has_culled(run)):
            self.segment(run, max(min(left, least), 10))
            self.short_run()
        if not (run / "run.json").exists():
            self.problems.append("the long run left no run.json")
            return {"steps": 0, "seeds": {}}
        self.expect("replay", ["replay", str(run)])
        record = json.loads((run / "run.json").read_text())
        if not record["seeds"]["culled"]:
            self.problems.append(f"no seed was culled in {record['steps']} steps")
        for kib, files, threads in self.growths:
            if kib > ALLOWED_MIB * 1024 or files > 0 or threads > 0:
                self.problems.append(f"the run grew by {kib:.0f} KiB, {files} files, {threads} "
                                     "threads in the last two thirds of a segment")
        if not self.growths:
            self.problems.append("too short to see a trend: give it a minute at least")
        return record


def soak_training(binary, seconds, seed):
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="esper-soak-") as folder:
        soak = TrainingSoak(binary, seconds, seed, folder)
        record = soak.run()
    hours = (time.monotonic() - begin) / 3600
    memory = max((g[0] for g in soak.growths), default=0)
    grew = [p for p in soak.problems if p.startswith("the run grew")]
    left = [p for p in soak.problems if p.startswith("left behind")]
    print(f"training: {record['steps']} steps in {hours * 60:.1f} min, {record['seeds']}, "
          f"{len(soak.growths)} segments, {soak.short_runs} short runs; memory {memory:+.0f} KiB at "
          f"most in a segment: {'GROWS' if grew else 'flat'}", flush=True)
    for problem in soak.problems:
        print(f"soak: {problem}")
    other = len(soak.problems) - len(grew) - len(left)
    row = repository.bench_row
    repository.write_bench(BENCH / "soak_training.json", [
        row("memory, files and threads: flat", int(not grew), 1, "", record["steps"]),
        row("files in folders: flat", int(not left), 1, "", soak.short_runs),
        row("commands that end as they should: flat", int(other == 0), 1, "", soak.short_runs),
        row("hours", hours, 48, "h", len(soak.growths))])
    return not soak.problems


def soak_operations(binary, arguments):
    """`esper soak`; its lines, printed as they come."""
    phases = []
    with subprocess.Popen([str(binary), "soak", "--json", *arguments], stdout=subprocess.PIPE,
                          text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            phases.append(json.loads(line))
    done = [p for p in phases if "phase" in p]
    repository.write_bench(BENCH / "soak.json", [
        repository.bench_row(f"{p['phase']}: flat", int(p["flat"]), 1, "", p["operations"])
        for p in done])
    return process.returncode == 0


def main():
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path,
                        default=repository.ROOT / "build" / "release" / "bin" / "esper")
    parser.add_argument("--duration", type=seconds_of)
    parser.add_argument("--only-training", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(given[:split])
    binary = arguments.binary.resolve()
    good = arguments.only_training or soak_operations(binary, given[split + 1:])
    if arguments.duration:
        good = soak_training(binary, arguments.duration, arguments.seed) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
