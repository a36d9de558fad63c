#!/usr/bin/env python3
"""Builds and runs benchmarks, and writes build/bench/<name>.json and .md.

    bench.py [--build FOLDER] [NAME …] [-- ARGUMENT …]      without a name: all of them

A benchmark is bench/<room>/<name>_bench.cpp or bench/python/<name>.py; it takes `--json PATH`.
What follows `--` goes to the one benchmark that is named: `bench.py growth_cifar10 -- --seeds 3`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import repository

FIELDS = ("case", "ours", "peer", "unit", "ratio", "ci_low", "ci_high", "n")


def benchmarks(root=repository.ROOT):
    """name -> source file."""
    folder = root / "bench"
    found = {p.stem.removesuffix("_bench"): p for p in sorted(folder.glob("*/*_bench.cpp"))}
    for path in sorted((folder / "python").glob("*.py")):
        if not path.name.startswith("_"):
            found[path.stem] = path
    return found


def command_of(name, source, build):
    """The command line that runs a benchmark, built first if need be."""
    if source.suffix == ".py":
        return [sys.executable, str(source)]
    repository.ninja(build, f"bench_{name}", quiet=True)
    return [str(build / "bin" / f"bench_{name}")]


def table(report):
    machine = report["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in report["versions"].items())
    lines = [
        f"**{report['name']}**: {machine['cpu']}, {machine['threads']} threads; {versions}; "
        f"commit {report['commit']}",
        "",
        "| case | ours | peer | unit | ratio | 95 % | n |",
        "| --- | ---: | ---: | --- | ---: | --- | ---: |",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['case']} | {row['ours']:.4g} | {row['peer']:.4g} | {row['unit']} "
            f"| {row['ratio']:.3f} | {row['ci_low']:.3f}–{row['ci_high']:.3f} | {row['n']} |")
    return "\n".join(lines) + "\n"


def run_one(name, source, build, folder, more=()):
    output = folder / f"{name}.json"
    output.unlink(missing_ok=True)
    command = command_of(name, source, build)
    # What it says on the way (stderr) is seen at once: some take long.
    result = subprocess.run([*command, *more, "--json", str(output)], stdout=subprocess.PIPE, text=True,
                            cwd=repository.ROOT)
    if result.returncode != 0:
        raise SystemExit(f"{result.stdout}\nbenchmark {name} exited with {result.returncode}")
    if not output.exists():
        raise SystemExit(f"benchmark {name} wrote no {output}")
    report = json.loads(output.read_text())
    for row in report["rows"]:
        absent = [f for f in FIELDS if f not in row]
        if absent:
            raise SystemExit(f"{output}: row '{row.get('case')}' lacks {', '.join(absent)}")
    (folder / f"{name}.md").write_text(table(report))
    print(table(report), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=repository.ROOT / "build" / "release")
    parser.add_argument("names", nargs="*")
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    more = given[split + 1:]
    arguments = parser.parse_args(given[:split])
    if more and len(arguments.names) != 1:
        raise SystemExit(f"{' '.join(more)}: arguments are for one benchmark, so name one "
                         f"(make bench NAME=… ARGS=…)")
    known = benchmarks()
    unknown = [n for n in arguments.names if n not in known]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    folder = repository.BENCH
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or known:
        run_one(name, known[name], arguments.build.resolve(), folder, more)


if __name__ == "__main__":
    main()
