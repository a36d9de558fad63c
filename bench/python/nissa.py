#!/usr/bin/env python3
"""`esper watch` over 1,000 runs of 100 metrics and 1,000 points each; the peer is the goal.

    nissa.py [--json PATH] [--runs N] [--rounds N] [--pairs N] [--peer-runs N] [--seconds N]
             [--folder DIR] [--binary PATH]

The runs are written into a folder (a gigabyte), which goes away afterwards unless DIR is named. Their
pages leave the file cache before the first start, as far as the system lets them. Starts are timed
until /ready says that the list has every run; curves are read when somebody asks for them, so a chart
is timed both for a run that nobody has asked for yet and for one that somebody has.

Then the page in Debian's Chromium (where Playwright is in .venv-test): how soon a point is seen, and its
frames while rows come to a run of 100,000 points and while two days of a run, 2,880 epochs with 120
seeds, go by in N seconds.

Then --peer-runs of the same runs as MLflow and TensorBoard show them, in turns with ours; 0 leaves them
out.

The last row is of a run that trains: the time of an epoch while a page and ten pollers watch it, in
epochs of the same run just before and after, while nobody does. Nothing measurable is called at most
1.02.
"""

import argparse
import atexit
import http.client
import json
import math
import os
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import _nissa_page as in_page
import _nissa_peers as peers
from _intervals import paired_ratio
from _report import ROOT, report, write

METRICS, POINTS, VARIANTS = 100, 1000, 16
GOALS = {"first": 15.0, "later": 1.0, "list": 0.050, "chart": 0.100, "memory": 200.0, "live": 0.300,
         "frame": 0.050, "watched": 1.02}

# The network of `make run`, with short epochs.
WATCHED = ["run.threads=1", "run.epochs=100000", "run.steps_per_epoch=10", "growth.enabled=false",
           "checkpoint.every=1000ep", "data.split.train=0.98", "data.split.probe=0.01",
           "data.split.validation=0.005", "data.split.test=0.005"]
EPOCHS_OF_A_WINDOW = 8

RUNNING = set()  # servers that have not been stopped


@atexit.register
def kill_what_runs():
    for process in RUNNING | peers.RUNNING:
        process.kill()


def metrics_text(variant):
    """The metrics.csv of a run: curves that fall with some noise."""
    draw = random.Random(variant)
    names = ["epoch", "step", "seconds", "train_loss", "val_loss"]
    names += [f"metric_{i}" for i in range(METRICS - len(names))]
    lines = [",".join(names)]
    for row in range(1, POINTS + 1):
        values = [f"{2 + 3 / math.sqrt(row) + draw.gauss(0, .1):.9g}" for _ in names[3:]]
        lines.append(f"{row},{10 * row},{3.6 * row:.6f}," + ",".join(values))
    return "\n".join(lines) + "\n"


def write_runs(folder, runs):
    texts = [metrics_text(variant) for variant in range(VARIANTS)]
    config = (ROOT / "tests" / "fixtures" / "run-v1" / "config.yaml").read_text()
    event = '{"event":"checkpoint","step":10000,"epoch":1000,"kind":"best","file":"best.ckpt"}\n'
    for number in range(runs):
        run = folder / f"run-{number:04}"
        run.mkdir()
        # By its times a run is told from another one.
        (run / "metrics.csv").write_text(texts[number % VARIANTS].replace(
            "\n1,10,3.600000,", f"\n1,10,{1 + number / 1000:.6f},", 1))
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
        RUNNING.add(self.process)
        self.host = self.process.stdout.readline().strip().removeprefix("http://")
        if not self.host:
            raise SystemExit("nissa: esper watch did not start")
        self.connection = http.client.HTTPConnection(self.host, timeout=60)
        while self.get("/ready")[0] != 200:
            time.sleep(0.005)
        self.ready_after = time.monotonic() - self.began

    def host_address(self):
        return f"http://{self.host}"

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
        RUNNING.discard(self.process)
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
        [binary, "train", *WATCHED, "--run", run, "-q"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while len(epochs_of(run)) < 5:
            time.sleep(0.1)
        windows = []
        for turn in range(2 * pairs):
            # Which of the two comes first changes from pair to pair.
            is_watched = turn % 4 in (1, 2)
            watchers = Watchers(binary, run) if is_watched else None
            begin = len(epochs_of(run)) + 1
            while len(ends := epochs_of(run)) < begin + EPOCHS_OF_A_WINDOW:
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
          f"{statistics.median(peer):.4g} s; {1 / ratio:.4f} [{1 / high:.4f}, {1 / low:.4f}] of them, "
          f"{len(pairs)} pairs", flush=True)
    goal = GOALS["watched"]
    return {"case": "epoch of a run that a page and ten pollers watch, in epochs that nobody does",
            "ours": 1 / ratio, "peer": goal, "unit": "epochs", "ratio": goal * ratio,
            "ci_low": goal * low, "ci_high": goal * high, "n": len(pairs)}


def row_of_frames(case, frames):
    """The frame that 95 % are quicker than; its interval by order statistics."""
    n, share = len(frames), 0.95
    radius = 1.96 * math.sqrt(n * share * (1 - share))
    at = [frames[min(n - 1, max(0, round(n * share + d)))] for d in (0, -radius, radius)]
    goal = 1e3 * GOALS["frame"]
    print(f"{case}: {at[0]:.1f} ms, median {statistics.median(frames):.1f}, longest {frames[-1]:.0f}, "
          f"of {n}; goal {goal:g}", flush=True)
    return {"case": case, "ours": at[0], "peer": goal, "unit": "ms", "ratio": goal / at[0],
            "ci_low": goal / at[2], "ci_high": goal / at[1], "n": n}


def rows_of_page(binary, scratch, seconds):
    def start(folder):
        return Server(binary, folder)

    def below(name):
        folder = Path(scratch) / name
        folder.mkdir()
        return folder

    waits = in_page.waits_in_the_browser(start, below("waits"), 6)
    many, peak = in_page.frames_of_many_points(start, below("many"), seconds)
    days, peak_of_days = in_page.frames_of_two_days(start, below("days"), seconds)
    return [row("live point seen in the browser", waits, GOALS["live"], "ms", 1e3),
            row_of_frames("frame of a live run of 100,000 points, 95 %", many),
            row("memory with 100,000 points", [peak], GOALS["memory"], "MiB"),
            row_of_frames(f"frame while 48 h of a run go by in {seconds:g} s, 95 %", days),
            row("memory after 48 h of a run", [peak_of_days], GOALS["memory"], "MiB")]


def row_of_peer(case, ours, peer, unit):
    """Ours and a peer's, measured in turns."""
    ratio, low, high = paired_ratio(ours, peer) if len(ours) > 1 else (peer[0] / ours[0],) * 3
    print(f"{case}: {statistics.median(ours):.4g} {unit} against {statistics.median(peer):.4g}; "
          f"ratio {ratio:.2f} [{low:.2f}, {high:.2f}] of {len(ours)}", flush=True)
    return {"case": case, "ours": statistics.median(ours), "peer": statistics.median(peer),
            "unit": unit, "ratio": ratio, "ci_low": low, "ci_high": high, "n": len(ours)}


def rows_against(name, binary, few, starts, start_peer, list_of, chart_of, rounds):
    """The start until every run is there, the list, charts of runs, and memory after all of it."""
    runs = len(list(few.iterdir()))
    times = []
    server = other = None
    for _ in range(starts):
        if server:
            server.stop()
            other.stop()
        server, other = Server(binary, few), start_peer()
        times.append((server.ready_after, other.ready_after))
    some = random.Random(2).choices(sorted(path.name for path in few.iterdir()), k=rounds)
    lists = [(server.seconds("/api/v1/runs"), other.seconds(*list_of(other))) for _ in range(5)]
    charts = [(server.seconds(f"/api/v1/runs/{run}/series?metrics=val_loss&points=1200"),
               other.seconds(chart_of(other, run))) for run in some]
    memory = [(server.peak_mebibytes(), peers.resident_mebibytes(other.process))]
    server.stop()
    other.stop()
    return [row_of_peer(f"{runs} runs, {what}, against {name}", *zip(*pairs), unit)
            for what, pairs, unit in (("start", times, "s"), ("list", lists, "s"),
                                      ("chart", charts, "s"), ("memory", memory, "MiB"))]


def rows_of_peers(binary, scratch, runs, rounds):
    if not peers.set_up():
        print("MLflow and TensorBoard could not be installed: they are not measured", flush=True)
        return []
    few, store, events = (Path(scratch) / name for name in ("few", "mlruns", "events"))
    few.mkdir()
    write_runs(few, runs)
    peers.export_to_mlflow(binary, few, runs, store)
    rows = rows_against("MLflow", binary, few, 2,
                        lambda: peers.mlflow_server(store, runs, free_port()),
                        lambda peer: peers.mlflow_list(peer, runs), peers.mlflow_chart, rounds)
    peers.clear(store)
    peers.write_events(events, [metrics_text(variant) for variant in range(4)], runs)
    return rows + rows_against(
        "TensorBoard", binary, few, 2,
        lambda: peers.tensorboard(events, runs, 10 * POINTS, free_port()),
        lambda peer: ("/data/plugin/scalars/tags",), lambda peer, run: peers.tensorboard_chart(run),
        rounds)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--peer-runs", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30, help="in the browser; 0: none")
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
        if arguments.seconds and in_page.has_browser():
            rows += rows_of_page(arguments.binary, scratch, arguments.seconds)
        elif arguments.seconds:
            print("no chromium with playwright in .venv-test (make setup): the page is not measured")
        if arguments.peer_runs:
            rows += rows_of_peers(arguments.binary, scratch, arguments.peer_runs, 30)
        if arguments.pairs:
            rows.append(row_of_watching(watched_epochs(arguments.binary, scratch, arguments.pairs)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if arguments.json:
        write(arguments.json, report("nissa", rows, {}, 3))


if __name__ == "__main__":
    main()
