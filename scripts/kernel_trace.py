#!/usr/bin/env python3
"""The kernel accesses of a finished run, an artifact a line, for the cache benchmark.

    kernel_trace.py RUN > trace.txt     then: build/release/bin/bench_kernel_cache --trace trace.txt

Taken from the run's events: each training step runs the kernels of the seeds that are in the
network, in their order; each germination has looked at its alternatives first. A kernel is a
blueprint made for an anchor.
"""

import argparse
import json
import sys
from pathlib import Path

LEAVING = {"cull", "cancel", "rollback", "prune"}


def kernel(event):
    return f"{event['blueprint']}@{event['anchor']}"


def accesses(events, steps):
    """Kernels in the order in which a run with these events uses them."""
    awake = {}  # slot -> kernel
    done = 0
    for event in events:
        if event["event"] == "decision":
            leaving = event["command"] in LEAVING
            arriving = event["command"] == "germinate"
        elif event["event"] == "fault":
            leaving, arriving = True, False
        else:
            continue
        if not leaving and not arriving:
            continue
        for _ in range(done, event["step"]):
            yield from awake.values()
        done = max(done, event["step"])
        if arriving:
            yield from (kernel(other) for other in event["alternatives"])
            awake[event["anchor"]] = kernel(event)
            yield awake[event["anchor"]]
        else:
            awake.pop(event["anchor"], None)
    for _ in range(done, steps):
        yield from awake.values()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    try:
        lines = (run / "events.jsonl").read_text().splitlines()
        steps = json.loads((run / "run.json").read_text())["steps"]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise SystemExit(f"{run} is no finished run: {error}") from error
    for name in accesses(map(json.loads, lines), steps):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
