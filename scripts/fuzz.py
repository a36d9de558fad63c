#!/usr/bin/env python3
"""Builds the fuzz targets and runs each for a while.

    fuzz.py [--seconds N] [NAME …]

Starts from fuzz/corpus/<name>/ where that exists; what is found goes on in build/fuzz/corpus/.
A failing input stays under build/fuzz/found/. Exit status 1 when a target failed.
"""

import argparse
import shutil
import subprocess
import sys

import repository

BUILD = repository.ROOT / "build" / "fuzz"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if shutil.which("clang++-16") is None:
        raise SystemExit("clang++-16 is missing; scripts/setup.sh installs it on Debian 12")
    sources = sorted((repository.ROOT / "fuzz").glob("*_fuzz.cpp"))
    known = [p.stem.removesuffix("_fuzz") for p in sources]
    unknown = [n for n in arguments.names if n not in known]
    if unknown:
        raise SystemExit(f"no fuzz target {', '.join(unknown)}; there are: {', '.join(known)}")
    subprocess.run(["cmake", "--preset", "fuzz", "--log-level=WARNING"], check=True,
                   cwd=repository.ROOT, stdout=subprocess.DEVNULL)
    found = BUILD / "found"
    found.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in arguments.names or known:
        repository.ninja(BUILD, f"fuzz_{name}", quiet=True)
        corpora = [BUILD / "corpus" / name]
        corpora[0].mkdir(parents=True, exist_ok=True)
        seeds = repository.ROOT / "fuzz" / "corpus" / name
        if seeds.is_dir():
            corpora.append(seeds)
        print(f"fuzz {name} for {arguments.seconds} s", flush=True)
        status = subprocess.run(
            [str(BUILD / "bin" / f"fuzz_{name}"), f"-max_total_time={arguments.seconds}",
             "-print_final_stats=1", "-verbosity=0", "-timeout=10", "-rss_limit_mb=2048",
             f"-artifact_prefix={found}/{name}-", *map(str, corpora)]).returncode
        if status != 0:
            failed.append(name)
    print(f"{len(arguments.names or known)} targets, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
