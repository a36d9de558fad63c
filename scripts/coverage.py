#!/usr/bin/env python3
"""Line coverage of the rooms and of the Python package, by our tests, under AddressSanitizer and
UndefinedBehaviorSanitizer: what takes long to build is built once for both.

    coverage.py [ROOM …]      rooms: those of coverage_rooms.py; `free`: all that need no libtorch

Builds what the named rooms' tests need with the coverage preset (libtorch's rooms take long), runs
those tests, prints a table and fails when a sanitizer finds something, when a room has less than
95 % of its lines run, or an error value no assertion. The pages build/coverage/report/index.html and build/coverage/python/index.html
show which lines. Writes build/bench/coverage.json; rooms that are not named keep their last figures
there, each with the commit that they are of.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import check_error_values
import coverage_rooms
import repository
import run_tests
from coverage_rooms import CPP, FREE, PYTHON

LEAST = 95.0
BUILD = repository.ROOT / "build" / "coverage"
OUTPUT = repository.BENCH / "coverage.json"
RELEASE = repository.ROOT / "build" / "release"
JOBS = int(os.environ.get("JOBS") or os.cpu_count() or 1)
# Tests that drive the program.
CLI_TESTS = ("test_cli*.py", "test_soak.py", "test_looking.py", "test_own_data.py",
             "test_run_views.py", "test_budget_finish.py", "test_splits.py",
             "test_portable_runs.py", "test_report_page.py")
# Those of the package; some of them look at models of other libraries or at sizes and say nothing of
# lines. Other libraries' training loops count.
PACKAGE_TESTS = ("test_package_*.py", "test_adapt*.py", "test_python_runs.py")
NOT_FOR_LINES = ("test_package_scale.py", "test_package_install.py", "test_package_stubs.py")
MODELS = "not gpt2 and not timm_network and not library_runs_models and not onnx"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, cwd=repository.ROOT, **options)


def test_files(*patterns):
    folder = repository.ROOT / "tests" / "python"
    return sorted({p for pattern in patterns for p in folder.glob(pattern)})


def run_cpp(rooms):
    run("cmake", "--preset", "coverage", "--log-level=WARNING", stdout=subprocess.DEVNULL)
    binaries = list(dict.fromkeys(b for room in rooms for b in CPP[room][1]))
    repository.ninja(BUILD, *(f"{b}_tests" for b in binaries),
                     *(["esper"] if "cli" in rooms else []))
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    # Of a compilation that was killed: gcov stumbles over them.
    for notes in BUILD.rglob("*.gcno"):
        if not notes.with_suffix(".o").exists():
            notes.unlink()
    failed = []
    if binaries:
        failed.append(subprocess.run(
            [sys.executable, "scripts/run_tests.py", str(BUILD), *binaries, "--timeout", "3600"],
            cwd=repository.ROOT).returncode)
    if "cli" in rooms:
        failed.append(run_cli_tests())
    if any(failed):
        print("coverage: tests failed; the figures below are of what ran", flush=True)
    return any(failed)


def run_cli_tests():
    """Their exit status; 1 when a sanitizer found something, whatever the test made of it."""
    found = BUILD / "found"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    environment = {**os.environ, **run_tests.sanitizer_options("address,undefined"),
                   "ESPER_BINARY": str(BUILD / "bin" / "esper")}
    for options in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        environment[options] += f":log_path={found / 'cli'}"
    status = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         *run_tests.divided(JOBS), *map(str, test_files(*CLI_TESTS))], cwd=repository.ROOT, env=environment).returncode
    for path in sorted(found.iterdir()):
        print(f"{path}:\n{path.read_text(errors='replace')[:4000]}")
        status = status or 1
    return status


def measured_cpp(rooms):
    """room -> (covered, lines)."""
    (BUILD / "report").mkdir(exist_ok=True)
    summary = BUILD / "summary.json"
    folders = [f for room in rooms for f in CPP[room][0]]
    # A line of a template counts as run when one of its instances ran it.
    run(sys.executable, "-m", "gcovr", "--root", repository.ROOT, BUILD,
        "--merge-mode-functions", "separate", "--merge-lines",
        "--filter", f"src/esper/({'|'.join(folders)})/",
        "--json-summary", summary, "--html-details", BUILD / "report" / "index.html")
    covered, total = defaultdict(int), defaultdict(int)
    for file in json.loads(summary.read_text())["files"]:
        room = coverage_rooms.room_of(Path(file["filename"]).parts[2:])
        if room in rooms:
            covered[room] += file["line_covered"]
            total[room] += file["line_total"]
    return {room: (covered[room], total[room]) for room in rooms if total[room]}


def measured_python():
    """(covered, lines) of python/esper, by the tests of the package, processes of theirs included;
    and whether they failed."""
    folder = BUILD / "python"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "coveragerc"
    settings.write_text(f"[run]\nsource = {repository.ROOT / 'python' / 'esper'}\n"
                        f"data_file = {folder / 'data'}\nparallel = true\npatch = subprocess, fork, execv, _exit\n"
                        "sigterm = true\n")
    for old in folder.glob("data*"):
        old.unlink()
    tests = [t for t in test_files(*PACKAGE_TESTS) if t.name not in NOT_FOR_LINES]
    environment = {**os.environ, "ESPER_BINARY": str(RELEASE / "bin" / "esper")}
    command = [sys.executable, "-m", "coverage"]
    status = subprocess.run(
        [*command, "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         *run_tests.divided(JOBS), "-k", MODELS, *map(str, tests)], cwd=repository.ROOT, env=environment).returncode
    more = {"stdout": subprocess.DEVNULL}
    run(*command, "combine", f"--rcfile={settings}", "-q", **more)
    run(*command, "json", f"--rcfile={settings}", "-o", folder / "summary.json", **more)
    run(*command, "html", f"--rcfile={settings}", "-d", folder, **more)
    totals = json.loads((folder / "summary.json").read_text())["totals"]
    return (totals["covered_lines"], totals["num_statements"]), status != 0


def chosen(names):
    unknown = [n for n in names if n not in (*coverage_rooms.ALL, "free")]
    if unknown:
        raise SystemExit(f"no room {', '.join(unknown)}; there are: free, "
                         f"{', '.join(coverage_rooms.ALL)}")
    wanted = [r for n in names or coverage_rooms.ALL for r in (FREE if n == "free" else [n])]
    return list(dict.fromkeys(wanted))


def write(rows):
    """Merges the rows into the file that `make goals` reads."""
    commit = (repository.git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=12")
              or "unknown").strip()
    try:
        old = {row["case"]: row for row in json.loads(OUTPUT.read_text())["rows"]}
    except (OSError, ValueError, KeyError):
        old = {}
    old.update({row["case"]: {**row, "commit": commit} for row in rows})
    repository.write_bench(OUTPUT, list(old.values()))


def main():
    rooms = chosen(sys.argv[1:])
    for package in ("gcovr", "coverage"):
        # Asked of another process: this script has the name of the package.
        if subprocess.run([sys.executable, "-c", f"import {package}"], cwd="/",
                          capture_output=True).returncode != 0:
            raise SystemExit(f"{package} is missing; make setup installs it")
    lines, failed = {}, False
    cpp = [room for room in rooms if room in CPP]
    if cpp:
        failed |= run_cpp(cpp)
        lines.update(measured_cpp(cpp))
    if PYTHON in rooms:
        run("cmake", "--preset", "release", "--log-level=WARNING", stdout=subprocess.DEVNULL)
        repository.ninja(RELEASE, "esper", "esper_python")
        run(sys.executable, "scripts/compat.py", "--set-up")
        lines[PYTHON], tests_failed = measured_python()
        failed |= tests_failed

    rows, low = [], []
    print("| room | lines | covered |\n| --- | ---: | ---: |")
    for room, (covered, total) in lines.items():
        percent = 100.0 * covered / total
        print(f"| {room} | {total} | {percent:.1f} % |")
        rows.append(repository.bench_row(f"{room} lines", percent, LEAST, "%", total))
        if percent < LEAST:
            low.append(room)
    without = sorted(set(rooms) - set(lines))
    untested, _ = check_error_values.check(repository.ROOT)
    rows.append(repository.bench_row("error values without a test",
                                     len(untested - set(check_error_values.WAITING)), 0, "values",
                                     len(untested)))
    write(rows)
    if low:
        print(f"less than {LEAST} %: {', '.join(low)}; see {BUILD}/report/index.html")
    if without:
        print(f"no lines of {', '.join(without)} were measured")
    values = list(check_error_values.problems(repository.ROOT))
    for line in values:
        print(line)
    return 1 if low or failed or values or without else 0


if __name__ == "__main__":
    sys.exit(main())
