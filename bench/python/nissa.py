#!/usr/bin/env python3
"""`esper watch` over 1,000 runs of 100 metrics and 1,000 points each; the peer is the goal.

    nissa.py [--json PATH] [--runs N] [--rounds N] [--pairs N] [--folder DIR] [--binary PATH]

The runs are written into a folder (a gigabyte), which goes away afterwards unless DIR is named. Their
pages leave the file cache before the first start, as far as the system lets them. Starts are timed
until /ready says that the list has every run; curves are read when somebody asks for them, so a chart
is timed both for a run that nobody has asked for yet and for one that somebody has.

The last row is of a run that trains: the time of an epoch while a page and ten pollers watch it, against
the epochs of the same run just before and after, while nobody does.
"""

import argparse
import http.client
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from _intervals import paired_ratio
from _report import ROOT, report, write

METRICS, POINTS, VARIANTS = 100, 1000, 16
GOALS = {"first": 15.0, "later": 1.0, "list": 0.050, "chart": 0.100, "memory": 200.0, "live": 0.300}


def metrics_text(variant):
    """The metrics.csv of a run: curves that fall with some noise."""
    draw = random.Random(variant)
    names = ["epoch", "step", "train_loss", "val_loss"]
    names += [f"metric_{i}" for i in range(METRICS - len(names))]
    lines = [",".join(names)]
    for row in range(1, POINTS + 1):
        values = [f"{2 + 3 / math.sqrt(row) + draw.gauss(0, .1):.9g}" for _ in names[2:]]
        lines.append(f"{row},{10 * row}," + ",".join(values))
    return "\n".join(lines) + "\n"


def write_runs(folder, runs):
    texts = [metrics_text(variant) for variant in range(VARIANTS)]
    config = (ROOT / "tests" / "fixtures" / "run-v1" / "config.yaml").read_text()
    event = '{"event":"checkpoint","step":10000,"epoch":1000,"kind":"best","file":"best.ckpt"}\n'
    for number in range(runs):
        run = folder / f"run-{number:04}"
        run.mkdir()
        (run / "metrics.csv").write_text(texts[number % VARIANTS])
        (run / "config.yaml").write_text(config)
        (run / "events.jsonl").write_text(event)
        (run / "run.json").write_text(json.dumps({
            "status": "done" if number else "running", "name": f"run {number}", "seed": number,
            "epochs": POINTS, "steps": 10 * POINTS, "train_loss": 2.1, "val_loss": 2.2 + number / runs,
            "best_val_loss": 2.1, "parameters": 112512, "parameters_initial": 110000,
            "flops_total": 1e15, "wall_seconds": 3600.5, "rollbacks": 0, "task": "next_token",
            "seeds": {"germinated": 5, "fossilized": 2, "culled": 3, "cancelled": 0,
                      "rolled_back": 0}}, indent=2))


def drop_from_cache(folder):
    os.sync()
    for path in folder.glob("*/*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


class Server:
    def __init__(self, binary, folder):
        self.began = time.monotonic()
        self.process = subprocess.Popen([binary, "watch", folder, "--port", "0"],
                                        stdout=subprocess.PIPE, text=True)
        self.host = self.process.stdout.readline().strip().removeprefix("http://")
        if not self.host:
            raise SystemExit("nissa: esper watch did not start")
        self.connection = http.client.HTTPConnection(self.host, timeout=60)
        while self.get("/ready")[0] != 200:
            time.sleep(0.005)
        self.ready_after = time.monotonic() - self.began

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def seconds(self, path):
        begin = time.monotonic()
        status, body = self.get(path)
        took = time.monotonic() - begin
        if status != 200 or not body:
            raise SystemExit(f"nissa: {path} answered {status}")
        return took

    def peak_mebibytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def stop(self):
        self.process.terminate()
        if self.process.wait(10) != 0:
            raise SystemExit("nissa: esper watch did not end by itself")


def live_seconds(server, run, rounds):
    """From the write of a row of metrics to its arrival at a client of the stream."""
    arrived, wait = {}, threading.Event()

    def listen():
        stream = http.client.HTTPConnection(server.host, timeout=120)
        stream.request("GET", "/api/v1/events")
        answer = stream.getresponse()
        wait.set()
        for line in answer:
            if line.startswith(b"data: ") and b'"rows"' in line:
                now = time.monotonic()
                for row in json.loads(line[6:])["rows"]:
                    arrived[int(row[1])] = now

    threading.Thread(target=listen, daemon=True).start()
    wait.wait(10)
    time.sleep(0.5)
    last = (run / "metrics.csv").read_text().splitlines()[-1].split(",")
    written = {}
    draw = random.Random(0)
    for i in range(1, rounds + 1):
        time.sleep(0.15 + 0.1 * draw.random())  # at any moment between two looks
        step = 10 * POINTS + i
        with (run / "metrics.csv").open("a") as metrics:
            metrics.write(",".join([last[0], str(step), *last[2:]]) + "\n")
        written[step] = time.monotonic()
    time.sleep(2)
    if written.keys() - arrived.keys():
        raise SystemExit("nissa: a row of metrics did not arrive")
    return [arrived[step] - written[step] for step in written]


class Watchers:
    """A page of its own process with one client of its stream, and ten that poll it."""

    def __init__(self, binary, run):
        self.server = Server(binary, run)
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.listen, daemon=True)]
        self.threads += [threading.Thread(target=self.poll, daemon=True) for _ in range(10)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        stream = http.client.HTTPConnection(self.server.host, timeout=60)
        stream.request("GET", "/api/v1/events")
        answer = stream.getresponse()
        while not self.ends.is_set() and answer.readline():
            pass

    def poll(self):
        client = http.client.HTTPConnection(self.server.host, timeout=60)
        run = json.loads(self.server_text(client, "/api/v1/runs"))["runs"][0]["id"]
        while not self.ends.wait(0.5):
            for path in ("/api/v1/runs", f"/api/v1/runs/{run}/growth", "/metrics",
                         f"/api/v1/runs/{run}/series?metrics=train_loss,val_loss&points=1200"):
                self.server_text(client, path)

    @staticmethod
    def server_text(client, path):
        client.request("GET", path)
        return client.getresponse().read()

    def end(self):
        self.ends.set()
        for thread in self.threads[1:]:
            thread.join(10)
        self.server.stop()


def epochs_of(run):
    """Seconds of the run at which each epoch ended."""
    text = (run / "metrics.csv").read_text() if (run / "metrics.csv").exists() else ""
    if "\n" not in text:
        return []
    head, *lines = text[:text.rfind("\n") + 1].splitlines()
    place = head.split(",").index("seconds")
    return [float(line.split(",")[place]) for line in lines]


def watched_epochs(binary, scratch, pairs):
    """[(seconds of an epoch while it is watched, while it is not)] of windows in turns."""
    run = Path(scratch) / "watched"
    training = subprocess.Popen(
        [binary, "train", "run.threads=1", "run.epochs=100000", "run.steps_per_epoch=10",
         "growth.enabled=false", "checkpoint.every=1000ep", "--run", run, "-q"], cwd=ROOT,
        stdout=subprocess.DEVNULL)
    try:
        while len(epochs_of(run)) < 5:
            time.sleep(0.1)
        windows = []
        for turn in range(2 * pairs):
            # Which of the two comes first changes from pair to pair.
            is_watched = turn % 4 in (1, 2)
            watchers = Watchers(binary, run) if is_watched else None
            begin = len(epochs_of(run)) + 1
            while len(ends := epochs_of(run)) < begin + 20:
                time.sleep(0.05)
            if watchers:
                watchers.end()
            windows.append((is_watched, (ends[-1] - ends[begin]) / (len(ends) - 1 - begin)))
    finally:
        training.terminate()
        training.wait()
    return [tuple(seconds for _, seconds in sorted(windows[i:i + 2], reverse=True))
            for i in range(0, len(windows), 2)]


def row_of_watching(pairs):
    ours, peer = zip(*pairs)
    ratio, low, high = paired_ratio(ours, peer)
    print(f"epoch of a run that is watched: {statistics.median(ours):.4g} s against "
          f"{statistics.median(peer):.4g} s; ratio {ratio:.3f} [{low:.3f}, {high:.3f}] of {len(pairs)}",
          flush=True)
    return {"case": "epoch of a run that is watched by a page and ten pollers",
            "ours": statistics.median(ours), "peer": statistics.median(peer), "unit": "s",
            "ratio": ratio, "ci_low": low, "ci_high": high, "n": len(pairs)}


def row(case, times, goal, unit, scale=1.0):
    """The median against the goal; the interval is that of the median (order statistics, 95 %)."""
    times = sorted(scale * t for t in times)
    n, middle = len(times), statistics.median(times)
    radius = 0.98 * math.sqrt(n)
    low = times[max(0, math.floor(n / 2 - radius))]
    high = times[min(n - 1, math.ceil(n / 2 + radius) - 1)]
    goal *= scale
    print(f"{case}: median {middle:.4g} {unit}, {times[0]:.4g} to {times[-1]:.4g} of {n}; "
          f"goal {goal:g}", flush=True)
    return {"case": case, "ours": middle, "peer": goal, "unit": unit, "ratio": goal / middle,
            "ci_low": goal / high, "ci_high": goal / low, "n": n}


def measure(binary, folder, runs, rounds):
    drop_from_cache(folder)
    server = Server(binary, folder)
    rows = [row("first start until the list is there", [server.ready_after], GOALS["first"], "s")]
    later = []
    for _ in range(5):
        server.stop()
        server = Server(binary, folder)
        later.append(server.ready_after)
    rows.append(row("later start", later, GOALS["later"], "s"))
    rows.append(row("list of all runs", [server.seconds("/api/v1/runs") for _ in range(rounds)],
                    GOALS["list"], "ms", 1e3))
    chart = "/api/v1/runs/run-{:04}/series?metrics=val_loss&points=1200"
    some = random.Random(1).sample(range(1, runs), min(rounds, runs - 1))
    rows.append(row("chart of a run that nobody has asked for",
                    [server.seconds(chart.format(n)) for n in some], GOALS["chart"], "ms", 1e3))
    rows.append(row("chart of a run, again",
                    [server.seconds(chart.format(some[-1 - n % 5])) for n in range(rounds)],
                    GOALS["chart"], "ms", 1e3))
    rows.append(row("live point at a client", live_seconds(server, folder / "run-0000", rounds),
                    GOALS["live"], "ms", 1e3))
    every = ("/api/v1/runs/run-{:04}/series?metrics=" +
                      ",".join(f"metric_{i}" for i in range(60)))
    for n in range(min(200, runs)):
        server.get(every.format(n))
    rows.append(row("memory at most", [server.peak_mebibytes()], GOALS["memory"], "MiB"))
    server.stop()
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--binary", type=Path, default=ROOT / "build" / "release" / "bin" / "esper")
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        raise SystemExit(f"nissa: {arguments.binary} is missing: run make build first")
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "runs"
        if arguments.runs and not folder.exists():
            folder.mkdir(parents=True)
            write_runs(folder, arguments.runs)
        rows = measure(arguments.binary, folder, arguments.runs, arguments.rounds) \
            if arguments.runs else []
        if arguments.pairs:
            rows.append(row_of_watching(watched_epochs(arguments.binary, scratch, arguments.pairs)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if arguments.json:
        write(arguments.json, report("nissa", rows, {}, 3))


if __name__ == "__main__":
    main()
