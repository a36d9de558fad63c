"""`esper train` with nothing but its defaults uses native kernels: compiled beside the run, kept in the
library, run by the seeds for which they are faster. Where none can be had, the run says why and goes on."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ESPER, needs_esper
from test_default_run import events_of, overrides

pytestmark = [
    needs_esper,
    pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")),
                       reason="this machine has no compiler"),
]

# Without the key that keeps other tests of this run from compiling.
SHORT = ("run.epochs=5", "controller.policy=periodic", "controller.period=1ep", "growth.start=0.1",
         "growth.stop=0.8")


def command_of(folder, run, *words):
    settings = [word for word in overrides(folder) if not word.startswith("growth.kernels")]
    return [ESPER, "train", *settings, *words, "--run", str(folder / run)]


def environment_of(library):
    environment = dict(os.environ, ESPER_LIBRARY=str(library), ESPER_FORGE__PRIORITY="0")
    del environment["ESPER_GROWTH__KERNELS"]
    return environment


def do(command, library, **how):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240,
                          env=environment_of(library), **how)


def kernels_of(run):
    return json.loads((run / "run.json").read_text())["kernels"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The default run, short, until everything that it wants is known to the library."""
    folder = tmp_path_factory.mktemp("kernels")
    deadline = time.monotonic() + 200
    count = 0
    while time.monotonic() < deadline:
        count += 1
        done = do(command_of(folder, f"run-{count}"), folder / "library")
        assert done.returncode == 0, done.stderr
        if kernels_of(folder / f"run-{count}")["forged"]["ordered"] == 0:
            return folder, folder / f"run-{count}", done
    raise AssertionError(f"after {count} runs the forge still has work: "
                         f"{kernels_of(folder / f'run-{count}')}")


def test_the_default_run_has_seeds_that_run_kernels_and_says_so(runs):
    folder, run, done = runs
    kernels = kernels_of(run)
    assert kernels["enabled"] and kernels["unavailable"] == "" and kernels["refused"] == []
    assert kernels["seeds_with_kernel"] + kernels["seeds_with_operators"] == len(kernels["seeds"])
    assert kernels["seeds_with_kernel"] >= 1, kernels
    assert f"Kernels: {kernels['seeds_with_kernel']} of {len(kernels['seeds'])} seeds" in done.stdout
    for seed in kernels["seeds"]:
        if seed["kernel"] is None:
            assert seed["why"]
            continue
        low, high = seed["gain_interval"]
        assert 1.03 < low <= seed["gain"] <= high
        shown = do([ESPER, "library", "show", seed["kernel"]], folder / "library").stdout
        assert "validated on" in shown and "speed_percent" in shown
        used = do([ESPER, "library", "why", seed["kernel"], "--run", run], folder / "library").stdout
        assert seed["seed"] in used
    assert "seeds with a native kernel" in (run / "report.html").read_text()


def test_each_seed_has_one_decision(runs):
    _, run, _ = runs
    decided = [event for event in events_of(run) if event["event"] == "kernel"]
    assert [event["seed"] for event in decided] == [s["seed"] for s in kernels_of(run)["seeds"]]
    assert all(event["runs"] in ("kernel", "operators") and event["why"] for event in decided)


def descendants_of(process):
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants_of(child)]
    return found


def is_forge(process):
    """Whether it takes orders and is in the background, as its first act is."""
    with contextlib.suppress(OSError):
        return (b"--orders" in Path(f"/proc/{process}/cmdline").read_bytes()
                and os.sched_getscheduler(process) == os.SCHED_IDLE)
    return False


def test_the_forge_and_its_compiler_yield_to_the_run(tmp_path):
    environment = environment_of(tmp_path / "library")
    del environment["ESPER_FORGE__PRIORITY"]  # the default
    command = [str(word) for word in command_of(tmp_path, "run", *SHORT, "run.epochs=1000")]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + 200
        seen = []
        while len(seen) < 2 and time.monotonic() < deadline and run.poll() is None:
            # The forge, then what it has started: a compiler, a trial. What the run starts itself, to
            # ask compilers for their version, is over before.
            forges = [process for process in descendants_of(run.pid) if is_forge(process)]
            seen = [found for forge in forges for found in (forge, *descendants_of(forge))]
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):  # a short one may have ended
            for process in seen:
                assert os.sched_getscheduler(process) == os.SCHED_IDLE
                # In a session of its own it would count as much as the run.
                assert os.getsid(process) == os.getsid(run.pid)
        assert len(seen) >= 2
    finally:
        run.kill()
        run.wait()


def test_the_log_says_which_kernels_were_asked_for_and_how_long_they_took(runs, tmp_path):
    folder, _, _ = runs
    library = shutil.copytree(folder / "library", tmp_path / "library")
    log = tmp_path / "log"
    done = do(command_of(tmp_path, "logged", "run.epochs=8", "logging.level=debug",
                         "logging.format=json", f"logging.file={log}", *SHORT[1:]), library)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["message"] == "kernel requested"]
    used = [seed["kernel"] for seed in kernels_of(tmp_path / "logged")["seeds"] if seed["kernel"]]
    assert [request["kernel"] for request in requests] == used
    known = set()
    for request in requests:
        assert request["from"] == ("memory" if request["kernel"] in known else "library")
        assert request["us"] > 0
        known.add(request["kernel"])
    guarded = [line for line in lines if line["message"] == "kernel call guarded"]
    use = kernels_of(tmp_path / "logged")["use"].values()
    assert len(guarded) == sum(kernel["guarded"] for kernel in use) > 0
    assert all(call["us"] > 0 for call in guarded)


CALL = re.compile(r'(?:open|creat|openat|mkdir|mkdirat|rename|renameat2?|link|linkat|symlink)\((.*)\) = \d')
NAMES = re.compile(r'(?:AT_FDCWD<([^>]*)>, )?"([^"]*)"')


def written_by(calls):
    """Absolute names of the files that a trace of system calls made, moved or opened for writing."""
    for line in calls.splitlines():
        call = CALL.search(line)
        if not call or ("open" in line and not re.search("O_WRONLY|O_RDWR|O_CREAT", line)):
            continue
        for folder, name in NAMES.findall(call.group(1)):
            yield os.path.normpath(os.path.join(folder, name))


def whole_calls(calls):
    """Lines of a trace; a call that others interrupted is one line, where it began."""
    lines, begun = [], {}
    for line in calls.splitlines():
        process = line.split()[0]
        if " resumed>" in line and process in begun:
            lines[begun.pop(process)] += line.split(" resumed>", 1)[1]
            continue
        if line.endswith(" <unfinished ...>"):
            begun[process] = len(lines)
            line = line.removesuffix(" <unfinished ...>")
        lines.append(line)
    return lines


def without_bubblewrap(calls):
    """The trace without what bubblewrap does, in namespaces of its own, before it becomes the compiler:
    it switches the loopback device on and puts a root folder together."""
    is_bubblewrap = {}  # of a process
    lines = []
    for line in whole_calls(calls):
        process = line.split()[0]
        if program := re.search(r'execve\("([^"]*)".* = 0$', line):
            is_bubblewrap[process] = program[1].endswith("/bwrap")
        elif child := re.search(r"\bclone3?\b.* = (\d+)$", line):
            is_bubblewrap.setdefault(child[1], is_bubblewrap.get(process, False))
        if not is_bubblewrap.get(process):
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace (make setup)")
def test_a_run_opens_no_socket_and_writes_only_to_its_folders(tmp_path):
    (tmp_path / "tmp").mkdir()
    calls = tmp_path / "calls"
    traced = ["strace", "-f", "--seccomp-bpf", "-y", "-qq", "-o", calls, "-e",
              "trace=%net,execve,clone,clone3,open,creat,openat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink"]
    environment = dict(environment_of(tmp_path / "library"), TMPDIR=str(tmp_path / "tmp"))
    command = command_of(tmp_path, "run", *SHORT, "run.epochs=4")
    done = subprocess.run(list(map(str, traced + command)), cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert kernels_of(tmp_path / "run")["forged"]["ordered"] > 0  # the forge and compilers, too
    text = without_bubblewrap(calls.read_text())
    assert not re.search(r"\b(socket|connect|bind|sendto)\(", text)
    allowed = [str(tmp_path / name) for name in ("run", "library", "tmp")] + ["/dev/", "/proc/"]
    outside = {name for name in written_by(text) if not name.startswith(tuple(allowed))}
    assert outside == set()


def test_two_runs_fill_one_library_at_once(tmp_path):
    library = tmp_path / "library"
    overrides(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda run: do(command_of(tmp_path, run), library), ("one", "two")))
    for done in ended:
        assert done.returncode == 0, done.stderr
    for run in ("one", "two"):
        assert kernels_of(tmp_path / run)["forged"]["failed"] == 0
    checked = do([ESPER, "library", "verify"], library)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def runs_with_operators(folder, run, done, why):
    """The run came to its end, no seed has a kernel, and its last screen says why."""
    assert done.returncode == 0, done.stderr
    seeds = kernels_of(folder / run)["seeds"]
    assert seeds and all(seed["kernel"] is None and why in seed["why"] for seed in seeds), seeds
    assert f"{len(seeds)} ran as operators" in done.stdout
    assert why in done.stdout.split("ran as operators")[1].splitlines()[0]


def test_a_library_that_cannot_be_written_leaves_the_operators(tmp_path):
    (tmp_path / "file").write_text("no folder")
    done = do(command_of(tmp_path, "run", *SHORT), tmp_path / "file" / "library")
    runs_with_operators(tmp_path, "run", done, "set ESPER_LIBRARY to a folder that can be made")


def hide_compilers(command):
    """The same command where an empty file lies over each compiler."""
    hide = ("for c in /usr/bin/*g++* /usr/bin/*clang++* /usr/bin/c++*; do "
            '[ -e "$c" ] && mount --bind /dev/null "$(readlink -f "$c")"; done; exec "$@"')
    return ["unshare", "-rm", "bash", "-c", hide, "hidden", *command]


def test_a_machine_without_a_compiler_leaves_the_operators(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no user may mount here")
    done = do(hide_compilers(command_of(tmp_path, "run", *SHORT)), tmp_path / "library")
    runs_with_operators(tmp_path, "run", done, "there is no g++ or clang++")


def without_landlock():
    """From here on this process's system calls of Landlock fail as on a kernel that has none."""
    landlock_create_ruleset, enosys = 444, 38
    program = b"".join(struct.pack("HBBI", *line) for line in (
        (0x20, 0, 0, 0),                                # the number of the system call
        (0x15, 0, 1, landlock_create_ruleset),
        (0x06, 0, 0, 0x00050000 | enosys),
        (0x06, 0, 0, 0x7FFF0000)))
    filters = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", 4, ctypes.addressof(filters))
    libc = ctypes.CDLL(None)
    zero = ctypes.c_ulong(0)
    assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
    assert libc.prctl(22, ctypes.c_ulong(2), header) == 0


def test_where_a_jail_is_required_and_there_is_none_nothing_is_compiled(tmp_path):
    library = tmp_path / "library"
    done = do(command_of(tmp_path, "run", *SHORT, "forge.sandbox=require"), library,
              preexec_fn=without_landlock)
    runs_with_operators(tmp_path, "run", done, "a jail for the compiler is required")
    refused = do([ESPER, "forge", "low_rank", "--sandbox", "require"], library,
                 preexec_fn=without_landlock)
    assert refused.returncode == 1 and "Landlock" in refused.stderr


def test_a_dry_run_and_a_run_that_germinates_nothing_touch_no_library(tmp_path):
    library = tmp_path / "library"
    dry = do(command_of(tmp_path, "dry") + ["--dry-run"], library)
    assert dry.returncode == 0, dry.stderr
    never = do(command_of(tmp_path, "never", "run.epochs=1", "controller.policy=never"), library)
    assert never.returncode == 0, never.stderr
    assert not library.exists()


def test_the_library_knows_how_the_seeds_of_a_run_ended(runs):
    folder, _, _ = runs
    library = folder / "library"
    lines = [json.loads(line) for line in
             do([ESPER, "library", "reports", "--json"], library).stdout.splitlines()]
    reports = [line for line in lines if line["event"] == "report"]
    # The same configuration again says nothing new: the first run of it was heard.
    assert len({line["run"] for line in reports}) == 1
    run = folder / "run-1"
    seeds = kernels_of(run)["seeds"]
    ended = {line["seed"]: line for line in reports}
    assert set(ended) == {seed["seed"] for seed in seeds}
    counts = json.loads((run / "run.json").read_text())["seeds"]
    outcomes = [line["report"]["outcome"] for line in ended.values()]
    assert outcomes.count("FOSSILIZED") == counts["fossilized"]
    assert outcomes.count("CULLED") == counts["culled"]
    for seed in seeds:
        line = ended[seed["seed"]]
        report, figures = line["report"], line["report"]["eval_metrics"]
        assert line["host"] == "gpt" and line["blueprint"] == seed["blueprint"] + "/tokens"
        assert report["at"]["layer"] == seed["anchor"]
        assert report["kernel_artifact_id"] == (seed["kernel"] or "operators")
        assert figures["gain_low"] <= figures["gain"] <= figures["gain_high"]
        assert figures["features"] == 8 and figures["run_seconds"] > 0 and figures["seed_flops"] > 0
    measured = sum(line["measured"] for line in lines if line["event"] == "candidates")
    assert measured >= sum(event["event"] == "readout" for event in events_of(run))
    words = do([ESPER, "library", "reports", seeds[0]["blueprint"]], library).stdout
    assert seeds[0]["blueprint"] in words and "gain" in words
    # A run that is trained on after its end says nothing new.
    shutil.copytree(run, folder / "longer")
    again = do([ESPER, "resume", folder / "longer", "run.epochs=15", "-q"], library)
    assert again.returncode == 0, again.stderr
    after = do([ESPER, "library", "reports", "--json"], library).stdout.splitlines()
    assert len(after) == len(lines)


def test_the_library_learns_how_the_kernels_of_a_run_did(runs, tmp_path):
    folder, _, _ = runs
    library = shutil.copytree(folder / "library", tmp_path / "library")

    def risk():
        told = do([ESPER, "library", "risk", "--json"], library)
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    before = risk()[-1]["uses"]
    # Another seed: the same run again would say nothing new.
    done = do(command_of(tmp_path, "other", "run.seed=7"), library)
    assert done.returncode == 0, done.stderr
    used = {seed["kernel"] for seed in kernels_of(tmp_path / "other")["seeds"] if seed["kernel"]}
    *bins, total = risk()
    assert used and total["uses"] == before + len(used) == sum(row["uses"] for row in bins)
    assert all(row["failures"] == 0 for row in bins)
    assert 0 < sum(row["expected"] for row in bins) and total["odds_factor"] < 1
    assert "predicted risk" in do([ESPER, "library", "risk"], library).stdout
    # What is forged next has learned from that.
    made = do([ESPER, "forge", "low_rank", "--features", "24", "--rows", "256", "--json"], library)
    assert made.returncode == 0, made.stderr
    kernel = json.loads(made.stdout.splitlines()[0])["id"]
    reports = [json.loads(line) for line in
               do([ESPER, "library", "ls", "--kernels", "--json"], library).stdout.splitlines()]
    report = next(row["report"] for row in reports if row["id"].endswith(kernel))
    assert report["risk_score"] < report["benchmark_results"]["risk_measured"]


def test_a_run_remembers_the_head_of_the_ledger(runs, tmp_path):
    folder, run, _ = runs
    shutil.copytree(folder / "library", tmp_path / "library")
    holds = do([ESPER, "library", "verify", "--run", run], tmp_path / "library")
    assert holds.returncode == 0, holds.stderr
    record = json.loads((run / "run.json").read_text())
    number, _ = record["kernels"]["library_head"].split(":")
    record["kernels"]["library_head"] = f"{number}:{'0' * 64}"
    other = tmp_path / "run"
    other.mkdir()
    (other / "run.json").write_text(json.dumps(record))
    refused = do([ESPER, "library", "verify", "--run", other], tmp_path / "library")
    assert refused.returncode == 4 and "urza.BrokenLedger" in refused.stderr


@contextlib.contextmanager
def page_of(folder, library):
    process = subprocess.Popen([ESPER, "watch", str(folder), "--port", "0"], text=True,
                               stdout=subprocess.PIPE, env=environment_of(library))
    try:
        address = process.stdout.readline().strip()

        def get(path):
            with urllib.request.urlopen(address + path, timeout=30) as answer:
                return json.loads(answer.read())
        deadline = time.monotonic() + 30
        while not get("/api/v1/runs")["runs"] and time.monotonic() < deadline:
            time.sleep(0.05)
        yield get
    finally:
        process.kill()
        process.wait()


def test_the_page_says_what_the_library_says(runs):
    folder, run, _ = runs
    used = {seed["kernel"] for seed in kernels_of(run)["seeds"] if seed["kernel"]}
    before = {p: p.stat().st_mtime_ns for p in (folder / "library").glob("urza.sqlite")}
    with page_of(folder, folder / "library") as get:
        told = {k["id"]: k for k in get(f"/api/v1/runs/{run.name}/kernels")["kernels"]}
        every = {k["id"] for k in get("/api/v1/library")["kernels"]}
    assert used <= set(told) and set(told) <= every
    for kernel in used:
        verdict = told[kernel]["verdict"]
        assert verdict["passed"] and "faster" in verdict["tags"]
        assert verdict["measured"]["speed_percent"] > 0
        assert verdict["measured"]["latency_ms_median"] > 0
        assert all(reason["holds"] for reason in told[kernel]["reasons"]), told[kernel]["reasons"]
    assert before == {p: p.stat().st_mtime_ns for p in before}
    with page_of(folder, folder / "no library") as get:
        assert "no library" in get(f"/api/v1/runs/{run.name}/kernels")["problem"]
    assert not (folder / "no library").exists()


def test_a_trace_tells_who_compiled_and_who_judged(runs):
    folder, run, _ = runs
    told = do([ESPER, "nissa", "trace", run], folder / "library")
    assert told.returncode == 0, told.stderr
    spans = {}
    for resource in json.loads(told.stdout)["resourceSpans"]:
        service = next(a["value"]["stringValue"] for a in resource["resource"]["attributes"]
                       if a["key"] == "service.name")
        spans[service] = [span for scope in resource["scopeSpans"] for span in scope["spans"]]
    assert set(spans) == {"esper-tolaria", "esper-tamiyo", "esper-kasmina", "esper-urza",
                          "esper-tezzeret", "esper-urabrask"}
    compiled = {span["traceId"]: span for span in spans["esper-tezzeret"]}
    judged = {span["traceId"]: span for span in spans["esper-urabrask"]}
    assert compiled and set(compiled) == set(judged)
    for trace, span in compiled.items():
        assert int(span["startTimeUnixNano"]) < int(span["endTimeUnixNano"])
        assert int(span["endTimeUnixNano"]) <= int(judged[trace]["startTimeUnixNano"])
        offers = {s["spanId"] for s in spans["esper-urza"] if s["traceId"] == trace}
        assert span["parentSpanId"] in offers and judged[trace]["parentSpanId"] in offers
        assert judged[trace]["name"] == "verdict: passed"
