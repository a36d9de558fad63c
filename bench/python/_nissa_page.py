"""The page in Debian's Chromium, as tests/python/in_browser.py drives it: how soon a new point is
seen, and how it draws a run of many points and one of two days."""

import json
import shutil
import subprocess
from pathlib import Path

from _report import ROOT

PYTHON = ROOT / ".venv-test" / "bin" / "python"
POINTS = 100_000


def has_browser():
    return (Path("/usr/bin/chromium").exists() and PYTHON.exists() and
            subprocess.run([PYTHON, "-c", "import playwright"], capture_output=True).returncode == 0)


def browse(address, scenario, folder):
    done = subprocess.run([PYTHON, ROOT / "tests/python/in_browser.py", address, scenario, folder],
                          capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"nissa: in the browser: {done.stderr[-2000:]}")
    seen = json.loads(done.stdout)
    if seen["said"] or seen["foreign"]:
        raise SystemExit(f"nissa: the page said {seen['said']} and asked for {seen['foreign']}")
    return seen


def live_run(folder, points):
    """A copy of a real run that says that it trains, with so many rows."""
    run = Path(shutil.copytree(ROOT / "tests/fixtures/run-v1", folder / "live"))
    record = json.loads((run / "run.json").read_text())
    steps = 6 * points if points else record["steps"]
    (run / "run.json").write_text(json.dumps({**record, "status": "running", "steps": steps}))
    if points:
        columns = (run / "metrics.csv").read_text().split("\n", 1)[0].split(",")
        (run / "metrics.csv").write_text("\n".join([",".join(columns), *(
            ",".join({"epoch": str(n), "step": str(6 * n)}.get(c, f"{2 + 1 / n:.6g}")
                     for c in columns) for n in range(1, points + 1))]) + "\n")
    return run


def waits_in_the_browser(start, folder, times):
    """Seconds from the write of a row to its place on the screen."""
    live_run(folder, 0)
    waits = []
    server = start(folder)
    for _ in range(times):
        waits += browse(server.host_address(), "live", str(folder))["waits"]
    server.stop()
    if None in waits:
        raise SystemExit("nissa: a row was not seen in the browser")
    return waits


def frames_of(start, folder, scenario, how, what):
    """(milliseconds of each frame, server's peak MiB) while a scenario goes on; `what` has to be seen
    at its end."""
    server = start(folder)
    seen = browse(server.host_address(), scenario, f"{folder}#{how}")
    peak = server.peak_mebibytes()
    server.stop()
    if seen["seen"] is None:
        raise SystemExit(f"nissa: {what} was not seen")
    return seen["frames"], peak


def frames_of_many_points(start, folder, seconds):
    """While rows come to a run of POINTS."""
    live_run(folder, POINTS)
    return frames_of(start, folder, "long", seconds, "the last row of a long run")


def frames_of_two_days(start, folder, seconds, epochs=2880):
    live_run(folder, 0)
    return frames_of(start, folder, "two_days", f"{seconds}#{epochs}", "the last seed of two days")
