"""Training runs for benchmarks: done once, kept under build/bench, two at a time."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One `esper train`: a configuration, its overrides and a seed."""
    name: str
    config: Path
    overrides: tuple
    seed: int


class Runs:
    """Runs jobs and keeps their folders. A folder is used again only where the binary, the
    configuration file and all overrides are the same and the run ended well."""

    def __init__(self, binary, folder, say=lambda text: None, at_once=2):
        self.binary = Path(binary)
        self.folder = Path(folder)
        self.say = say
        self.at_once = at_once
        self.build = hashlib.sha256(self.binary.read_bytes()).hexdigest()
        self.lock = threading.Lock()

    def folder_of(self, job):
        what = json.dumps([self.build, job.config.read_text(), job.overrides, job.seed])
        return self.folder / f"{job.name}-s{job.seed}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

    def do(self, job):
        """The finished run's folder."""
        folder = self.folder_of(job)
        if result(folder).get("status") == "done":
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [str(self.binary), "train", str(job.config), *job.overrides,
                   "--run", str(folder), "--seed", str(job.seed), "-q"]
        ended = subprocess.run(command, capture_output=True, text=True,
                               preexec_fn=lambda: os.nice(5))
        if ended.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\nexited with {ended.returncode}\n{ended.stderr}")
        run = result(folder)
        with self.lock:
            self.say(f"{job.name}, seed {job.seed}: test accuracy {run['test_accuracy']:.4f}, "
                     f"{run['flops_total']:.4g} FLOPs, {run['wall_seconds']:.0f} s, "
                     f"{run['seeds']['fossilized']} seeds kept, {run['seeds']['culled']} culled")
        return folder

    def do_all(self, jobs):
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self.do, jobs))


def result(folder):
    """run.json, or an empty dictionary where there is none."""
    path = Path(folder) / "run.json"
    return json.loads(path.read_text()) if path.exists() else {}


def curve(folder):
    """(FLOPs spent, validation accuracy) after each epoch."""
    with (Path(folder) / "metrics.csv").open() as file:
        return [(float(row["flops_total"]), float(row["val_accuracy"]))
                for row in csv.DictReader(file)]


def flops_to_reach(points, accuracy):
    """FLOPs at which the accuracy is first reached, linear between epochs; None if never."""
    before = (0.0, 0.0)
    for flops, seen in points:
        if seen >= accuracy:
            share = (accuracy - before[1]) / (seen - before[1]) if seen > before[1] else 1.0
            return before[0] + max(0.0, share) * (flops - before[0])
        before = (flops, seen)
    return None
