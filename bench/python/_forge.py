"""Runs `esper forge` for the benchmarks of kernels."""

import json
import subprocess

from _report import ROOT

BINARY = ROOT / "build" / "release" / "bin" / "esper"


def forge(binary, *arguments):
    """One dictionary a kernel. A wrong or failed kernel ends the benchmark."""
    command = [str(binary), "forge", *arguments, "--dry", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT,
                          env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        for row in rows:
            if row["status"] in ("wrong", "failed"):
                print(row["blueprint"], row["shape"], row["precision"], row["status"], row["why"])
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return rows


def case_of(row):
    shape = "×".join(str(n) for n in row["shape"])
    return f"{row['blueprint']} {shape} {row['precision']}"
