#!/usr/bin/env python3
"""Which kernels real runs ask the kernel cache for, and how long each takes to come.

    kernel_requests.py [--record PATH] [--json PATH] [--rounds N] [--binary PATH]

With `--record` it trains the runs below one after the other, all with one library that is empty at first,
stops every other one by Ctrl-C as soon as a seed of it runs a kernel and resumes it, and writes down what
each process asked the cache for (the lines `kernel requested` of its log). `bench/execution/kernel_cache_bench.cpp`
replays that file.

With `--json` it measures loads: a run with kernels is stopped and then resumed again and again, each time
by a new process that loads its kernels from the library: in turns with the library's files in the system's
page cache and with them dropped from it.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from _paired import row
from _report import ROOT, commit, machine, parsed, report, write

GROWS = ("growth.kernels=true", "controller.policy=periodic", "controller.period=1ep",
         "growth.start=0.1", "growth.stop=0.7")
# Of a load in microseconds: "< 100 us" for what is in memory is the roadmap's.
GOALS = {"disk": 10_000.0, "page cache": 1000.0, "memory": 100.0}


def short_run(folder):
    """The settings of tests/short_default_run.txt, which names the text that it takes."""
    text = Path(folder) / "text.txt"
    text.write_text((ROOT / "data" / "tinyshakespeare.txt").read_text()[:84_000])
    lines = (ROOT / "tests" / "short_default_run.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")
            and not line.startswith("growth.kernels")] + [f"data.path={text}"]


def runs(folder):
    """(name, arguments of esper train) of each run that is recorded."""
    yield "default run", []
    for precision, width, seeds in (("fp32", 16, 5), ("bf16", 16, 2), ("fp32", 32, 2)):
        for seed in range(seeds):
            yield (f"default run made short, {precision}, width {width}, seed {seed}",
                   [*short_run(folder), *GROWS, "run.epochs=8", f"run.precision={precision}",
                    f"model.width={width}", f"run.seed={seed}"])


class Runs:
    """Runs in a folder of their own, with a library of their own."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, Path(folder)
        self.environment = dict(os.environ, ESPER_LIBRARY=str(self.folder / "library"),
                                ESPER_FORGE__PRIORITY="0", OMP_WAIT_POLICY="passive")
        self.environment.pop("ESPER_GROWTH__KERNELS", None)
        self.log = self.folder / "log"

    @property
    def library(self):
        return self.folder / "library"

    def _start(self, *words):
        return subprocess.Popen([self.binary, *words], cwd=ROOT, env=self.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def _end(self, process, allowed):
        said = process.communicate()[1]
        if process.returncode not in allowed:
            raise SystemExit(f"kernel_requests: {' '.join(map(str, process.args))} ended with "
                             f"{process.returncode}: {said}")

    def train(self, name, words, stop_at_kernel):
        """Trains; stopped by Ctrl-C when a seed runs a kernel, if asked. Whether it was stopped."""
        run = self.folder / name
        process = self._start("train", *words, f"logging.file={self.log}", "logging.format=json",
                              "--run", str(run))
        while stop_at_kernel and process.poll() is None:
            if runs_a_kernel(run):
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.05)
        self._end(process, (0, 130))
        return process.returncode == 130

    def resume(self, name):
        self._end(self._start("resume", str(self.folder / name)), (0,))

    def requests(self):
        """What the last process asked the cache for."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.log.unlink()
        return [line for line in lines if line["message"] == "kernel requested"]


def runs_a_kernel(run):
    events = run / "events.jsonl"
    return events.exists() and any('"kernel"' in line and '"runs":"kernel"' in line.replace(" ", "")
                                   for line in events.read_text().splitlines())


def recorded(binary, folder):
    """(process, kernels that it asked for) of each process."""
    all_runs = Runs(binary, folder)
    for number, (name, words) in enumerate(runs(folder)):
        stopped = all_runs.train(f"run-{number}", words, stop_at_kernel=number % 2 == 1)
        asked = [request["kernel"] for request in all_runs.requests()]
        yield name + (", stopped" if stopped else ""), asked
        if stopped:
            all_runs.resume(f"run-{number}")
            yield (name + ", resumed",
                   [request["kernel"] for request in all_runs.requests()])


def record(binary, path):
    lines = [
        "# What the processes of real runs asked the kernel cache for, in their order. Made by",
        f"#     python3 bench/python/kernel_requests.py --record {path}",
        f"# on {time.strftime('%d %B %Y', time.gmtime())}, commit {commit()}, "
        f"{machine(1)['cpu']}, {platform.system()} {platform.release()}.",
        "# A line is a process: its name, then for each request the kernel (a number stands for an id).",
    ]
    numbers = {}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        for name, asked in recorded(binary, folder):
            line = " ".join(str(numbers.setdefault(kernel, len(numbers) + 1)) for kernel in asked)
            print(f"{name}: {line or 'nothing'}", flush=True)
            lines.append(f"{name}: {line}".rstrip())
    Path(path).write_text("\n".join(lines) + "\n")


def drop_from_page_cache(folder):
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def loads(binary, rounds):
    """Microseconds of loads: with the library's files on the disk alone, in the page cache, and of
    kernels that the process had in memory already."""
    took = {"disk": [], "page cache": [], "memory": []}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        words = [*short_run(folder), *GROWS, "run.epochs=6"]
        all_runs = Runs(binary, folder)
        for fill in range(4):  # until the library has what the run wants
            all_runs.train(f"fill-{fill}", words, stop_at_kernel=False)
        if not all_runs.train("stopped", words, stop_at_kernel=True):
            raise SystemExit("kernel_requests: no seed of the run runs a kernel")
        all_runs.requests()
        for number in range(2 * rounds):
            where = ("disk", "page cache")[number % 2]
            shutil.copytree(all_runs.folder / "stopped", all_runs.folder / "again")
            if where == "disk":
                drop_from_page_cache(all_runs.library)
            all_runs.resume("again")
            for request in all_runs.requests():
                took["memory" if request["from"] == "memory" else where].append(request["us"])
            shutil.rmtree(all_runs.folder / "again")
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parsed("kernel_requests", parser)
    binary = str(arguments.binary)
    if arguments.record:
        record(binary, arguments.record)
    if not arguments.json:
        return
    rows = []
    for where, us in loads(binary, arguments.rounds).items():
        if not us:
            print(f"from {where}: no run asked for that")
            continue
        rows.append(row(f"load of a kernel, from {where}", us, [GOALS[where]] * len(us), "us",
                        "goal"))
        print(f"from {where:<10} {rows[-1]['ours']:8.0f} us (goal {GOALS[where]:.0f}), "
              f"n {len(us)}, longest {max(us):.0f}")
    write(arguments.json, report("kernel_requests", rows, {}, 1))


if __name__ == "__main__":
    main()
