#!/usr/bin/env python3
"""Runs every test binary of a build folder and the Python tests, and sums up.

    run_tests.py BUILD [ROOM …] [--filter ROOM=GTEST_FILTER] [--jobs N]

One room after the other, each divided among N processes (default: JOBS of the environment, else one a
core). Prints one line a room with its time and its CPU time, the output of what failed, and last
`N passed, N failed[, N skipped]`.
Exit status 1 when anything failed. --json writes the counts as a benchmark's file, for `make goals`,
when every room ran. Where the build has sanitizers, these are set to stop at what they find; what
cannot run under them is named.
"""

import argparse
import importlib.util
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import repository


@dataclass
class Outcome:
    passed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # (name, text)

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures


def run(command, seconds, **options):
    """(exit status or None when it ran out of time, output). Its children die with it."""
    with tempfile.TemporaryFile(mode="w+", errors="replace") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, **options)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        return status, output.read()


def ending(status, seconds):
    if status is None:
        return f"did not end within {seconds} s"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def read_gtest_json(path):
    outcome = Outcome()
    for suite in json.loads(path.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            failures = test.get("failures", [])
            # A property that a test records under this name is a text, not the list.
            if isinstance(failures, list) and failures:
                text = "\n".join(f["failure"] for f in failures)
                outcome.failures.append((name, text))
            elif test.get("result") == "SKIPPED" or test.get("status") == "NOTRUN":
                outcome.skipped += 1
            else:
                outcome.passed += 1
    return outcome


def read_gtest_output(output, how_it_ended):
    """What a binary that died had done so far; the test it died in counts as failed."""
    outcome = Outcome(passed=len(re.findall(r"^\[       OK \]", output, re.M)),
                      skipped=len(re.findall(r"^\[  SKIPPED \] \S+ \(", output, re.M)))
    for name in re.findall(r"^\[  FAILED  \] (\S+).* \(\d+ ms\)", output, re.M):
        outcome.failures.append((name, "see the room's output"))
    last_line = [line for line in output.split("\n") if line.startswith("[ RUN ")]
    running = last_line[-1].split("]")[1].strip() if last_line else "before the first test"
    outcome.failures.append((running, f"the test binary {how_it_ended}\n{output[-4000:]}"))
    return outcome


def run_gtest(binary, seconds, only=None, environment=None):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [str(binary), f"--gtest_output=json:{report}"]
        if only:
            command.append(f"--gtest_filter={only}")
        status, output = run(command, seconds, cwd=binary.parent.parent,
                             env={**os.environ, **(environment or {})})
        if report.exists():
            outcome = read_gtest_json(report)
            if status != 0 and not outcome.failures:
                how = ending(status, seconds)
                outcome.failures.append(("after the last test", f"{how}\n{output[-4000:]}"))
            return outcome
        return read_gtest_output(output, ending(status, seconds))


def run_gtest_shards(binary, seconds, only, environment, jobs):
    """run_gtest with the tests divided among `jobs` processes, which run at once."""
    def shard(index):
        return run_gtest(binary, seconds, only, {**environment, "GTEST_TOTAL_SHARDS": str(jobs),
                                                 "GTEST_SHARD_INDEX": str(index)})

    outcome = Outcome()
    with ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(shard, range(jobs)):
            outcome.add(part)
    return outcome


def divided(jobs):
    """Options of pytest: `jobs` processes, each of which takes whole files, whose fixtures are
    shared. Without pytest-xdist, none: one process."""
    if jobs == 1 or importlib.util.find_spec("xdist") is None:
        return []
    return ["-n", str(jobs), "--dist", "loadfile"]


def run_pytest(folder, build, seconds, jobs=1):
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        environment = dict(os.environ, ESPER_BINARY=str((build / "bin" / "esper").resolve()))
        status, output = run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *divided(jobs), str(folder),
             f"--junitxml={report}"], seconds, cwd=repository.ROOT, env=environment)
        if not report.exists():
            how = ending(status, seconds)
            return Outcome(failures=[("pytest", f"{how}\n{output[-4000:]}")])
        outcome = Outcome()
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            failed = [c for c in case if c.tag in ("failure", "error")]
            if failed:
                outcome.failures.append((name, failed[0].text or failed[0].get("message")))
            elif any(c.tag == "skipped" for c in case):
                outcome.skipped += 1
            else:
                outcome.passed += 1
        if status not in (0, 5) and not outcome.failures:
            outcome.failures.append(("pytest", f"{ending(status, seconds)}\n{output[-4000:]}"))
        return outcome


def rooms_to_run(build):
    """(room, binary or None) from CMake's list and, where that forgot a folder, from the folder."""
    listed = (build / "test_binaries.txt").read_text().split()
    rooms = {name.removesuffix("_tests"): build / "bin" / name for name in listed}
    for folder in sorted((repository.ROOT / "tests").iterdir()):
        if folder.is_dir() and any(folder.glob("*_test.cpp")):
            rooms.setdefault(folder.name, None)
    return rooms


def cached(build, name):
    """A variable of the build's CMake cache, or an empty text."""
    cache = build / "CMakeCache.txt"
    found = re.search(rf"^{name}:\w+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found.group(1) if found else ""


def leaves_out_torch(build):
    """Whether this build has only the rooms that need no libtorch."""
    return cached(build, "ESPER_WITH_TORCH") in ("OFF", "0", "FALSE", "NO")


def sanitizer_options(sanitizers, root=repository.ROOT):
    """Environment in which what a sanitizer finds ends the test that it is found in."""
    if not sanitizers:
        return {}
    # What a death test or a kernel that crashes on purpose does is no finding of ours; memory that
    # is asked for beyond all measure fails as it does without a sanitizer.
    return {"ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1:"
                            "allocator_may_return_null=1",
            "LSAN_OPTIONS": f"suppressions={root}/scripts/lsan_suppressions.txt:"
                            "print_suppressions=0",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                            "allocator_may_return_null=1"}


def cpu_seconds():
    """Of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def describe(room, outcome, seconds, cpu):
    parts = [f"{outcome.passed} passed"]
    if outcome.failures:
        parts.append(f"{len(outcome.failures)} FAILED")
    if outcome.skipped:
        parts.append(f"{outcome.skipped} skipped")
    print(f"{room:<12} {', '.join(parts)} ({seconds:.1f} s, CPU {cpu:.1f} s)", flush=True)
    for name, text in outcome.failures:
        print(f"  FAILED {name}")
        print("\n".join(f"    {line}" for line in (text or "").rstrip().split("\n")), flush=True)


def write_counts(arguments, total, filters):
    """The counts for `make goals`; a part of the tests says nothing and leaves no file."""
    arguments.json.unlink(missing_ok=True)
    if arguments.rooms or filters:
        return
    n = total.passed + len(total.failures)
    repository.write_bench(arguments.json, [
        repository.bench_row("failed tests", len(total.failures), 0, "tests", n)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--timeout", type=int, help="seconds a room may take")
    parser.add_argument("--filter", action="append", default=[], metavar="ROOM=GTEST_FILTER")
    parser.add_argument("--jobs", type=int,
                        default=int(os.environ.get("JOBS") or os.cpu_count() or 1))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    filters = dict(f.split("=", 1) for f in arguments.filter)
    sanitizers = cached(build, "ESPER_SANITIZE")
    environment = sanitizer_options(sanitizers)
    seconds = arguments.timeout or (3600 if sanitizers else 1500)

    total = Outcome()

    def take(room, function):
        start, cpu = time.monotonic(), cpu_seconds()
        outcome = function()
        describe(room, outcome, time.monotonic() - start, cpu_seconds() - cpu)
        total.add(outcome)

    torchless = leaves_out_torch(build)

    def run_room(room, binary):
        if binary is None and torchless:
            print(f"{room:<12} needs libtorch, which this build leaves out")
            return Outcome(skipped=1)
        if binary is None:
            return Outcome(failures=[(room, f"tests/{room} is not named in tests/CMakeLists.txt")])
        if not binary.exists():
            return Outcome(failures=[(room, f"{binary} was not built")])
        return run_gtest_shards(binary, seconds, filters.get(room), environment, arguments.jobs)

    for room, binary in rooms_to_run(build).items():
        if not arguments.rooms or room in arguments.rooms:
            take(room, lambda room=room, binary=binary: run_room(room, binary))
    folder = repository.ROOT / "tests" / "python"
    if torchless:
        print("python       needs the esper program, which this build leaves out")
    elif sanitizers:
        print(f"python       is left out: a Python without {sanitizers} cannot load the package; "
              "'make leaks' runs the program")
    elif any(folder.glob("test_*.py")) and (not arguments.rooms or "python" in arguments.rooms):
        take("python", lambda: run_pytest(folder, build, seconds, arguments.jobs))

    for name, _ in total.failures:
        print(f"FAILED {name}")
    if total.passed + len(total.failures) == 0:
        print("no test ran; build first")
    if arguments.json:
        write_counts(arguments, total, filters)
    summary = f"{total.passed} passed, {len(total.failures)} failed"
    print(summary + (f", {total.skipped} skipped" if total.skipped else ""))
    return 1 if total.failures or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
