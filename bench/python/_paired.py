"""Paired samples to rows, and rows to a benchmark's file."""

import json
import os
import random
import re
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def row(case, ours, peer, unit, against):
    """Ratio of times, above 1 meaning that ours are shorter: the median over pairs, with the 95 %
    percentile bootstrap interval (Efron 1979); resampling is seeded."""
    ratios = [p / o for o, p in zip(ours, peer)]
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(1000))
    return {"case": case, "ours": statistics.median(ours), "peer": statistics.median(peer),
            "unit": unit, "ratio": statistics.median(ratios), "ci_low": medians[25],
            "ci_high": medians[974], "n": len(ratios), "against": against}


def _cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return "unknown"


def _first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return (done.stdout.splitlines() or ["unknown"])[0]


def esper_version():
    """As include/esper/version.h spells it."""
    text = (ROOT / "include" / "esper" / "version.h").read_text()
    return ".".join(re.findall(r"ESPER_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))


def write(path, name, threads, versions, rows):
    report = {
        "name": name,
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "threads": threads},
        "versions": {"esper": esper_version(), "compiler": _first_line("g++", "--version"), **versions},
        "commit": _first_line("git", "describe", "--always", "--dirty", "--exclude=*",
                              "--abbrev=12"),
        "rows": rows}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
