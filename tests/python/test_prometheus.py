"""What Prometheus reads of `esper watch`: the metrics, and the alerts, which are the page's own."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from conftest import needs_esper
from small_runs import ESPER, GROW, ROOT, esper, write_text
from test_watch import wait_until, watching

pytestmark = needs_esper

PROMTOOL = ROOT / ".venv-test" / "bin" / "promtool"
PROMETHEUS = ROOT / ".venv-test" / "bin" / "prometheus"
RULES = ROOT / "deploy" / "prometheus" / "esper.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "esper.json"
needs_promtool = pytest.mark.skipif(not PROMTOOL.exists(), reason="no promtool (make setup)")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS.exists(), reason="no prometheus (make setup)")


def promtool(*words, text=None):
    done = subprocess.run([PROMTOOL, *words], input=text, capture_output=True, text=True,
                          cwd=RULES.parent, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def make_run(folder, run_json=None, metrics_row=None, process=None, age=0):
    """A copy of a real run that says what it is told to."""
    shutil.copytree(ROOT / "tests/fixtures/run-v1", folder)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **(run_json or {})}))
    if metrics_row:
        columns = (folder / "metrics.csv").read_text().split("\n", 1)[0].split(",")
        with (folder / "metrics.csv").open("a") as metrics:
            metrics.write(",".join(metrics_row.get(c, "1") for c in columns) + "\n")
    if process:
        (folder / "lock").write_text(f"{process} {os.uname().nodename}\n")
    if age:
        for file in folder.iterdir():
            os.utime(file, (time.time() - age,) * 2)


@pytest.fixture
def runs(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    make_run(tmp_path / "done", {"status": "done"})
    make_run(tmp_path / "live", {"status": "running"}, process=os.getpid())
    make_run(tmp_path / "killed", {"status": "running"}, process=gone.pid)
    make_run(tmp_path / "failed", {"status": "failed"})
    make_run(tmp_path / "stalled", {"status": "running"}, process=os.getpid(), age=3000)
    make_run(tmp_path / "nan", {"status": "running"}, {"train_loss": "nan", "step": "9000"},
             process=os.getpid())
    make_run(tmp_path / "back", {"status": "running", "rollbacks": 4, "kernels": {
        "refused": ["a signature does not hold"], "seeds": [{"fault": "it failed"}, {}]}},
        process=os.getpid())
    make_run(tmp_path / "broken")
    (tmp_path / "broken" / "run.json").write_text("{")
    return tmp_path


def series_of(text):
    """{(name, run): value} of the metrics that name a run."""
    found = re.findall(r'^(esper_run_\w+)\{run="([^"]*)"\} (\S+)$', text, re.M)
    return {(name, run): float(value) for name, run, value in found}


def test_the_page_and_prometheus_raise_the_same_alerts(runs):
    rules = re.findall(r"alert: (\w+)\n +expr: (\w+) > (\S+)\n.*\n.*\n +kind: (.+)\n",
                       RULES.read_text())
    assert len(rules) >= 9
    with watching(runs) as page:
        rows = page.rows()
        series = series_of(page.get("/metrics"))
    for run in ("live", "killed", "failed", "stalled", "nan", "back", "broken"):
        raised = {kind for _, name, bound, kind in rules
                  if series.get((name, run), -math.inf) > float(bound)}
        assert raised == {alert["kind"] for alert in rows[run]["alerts"]}, run
    kinds = {run: [alert["kind"] for alert in row["alerts"]] for run, row in rows.items()}
    assert kinds["live"] == [] and kinds["killed"] == ["killed"] and kinds["failed"] == ["failed"]
    assert kinds["stalled"] == ["stalled"] and kinds["broken"] == ["damaged"]
    assert kinds["nan"] == ["not finite"]
    assert kinds["back"] == ["rollback", "rollbacks often", "kernel"]
    assert series["esper_run_kernels_rejected", "back"] == 2
    assert series["esper_run_resident_bytes", "live"] > 1e6
    assert series["esper_run_lag_seconds", "live"] < 10
    assert ("esper_run_step", "done") not in series  # what is over needs no watching


def test_the_rules_are_those_of_the_program():
    done = esper("watch", "--print-rules", cwd=ROOT)
    assert done.returncode == 0 and done.stdout == RULES.read_text()


@needs_promtool
def test_promtool_takes_metrics_rules_and_their_tests(runs):
    promtool("check", "rules", "esper.rules.yml")
    promtool("test", "rules", "esper.rules.test.yml")
    promtool("check", "config", "prometheus.yml")
    with watching(runs) as page:
        promtool("check", "metrics", text=page.get("/metrics"))


def test_many_runs_are_few_series(tmp_path):
    for i in range(60):
        run = tmp_path / f"run {i}"
        run.mkdir()
        (run / "run.json").write_text(json.dumps({
            "status": "running", "steps": i, "epochs": 1, "train_loss": 1.0, "val_loss": 1.0,
            "parameters": 5, "flops_total": 1e9, "rollbacks": 0,
            "seeds": {"fossilized": 1, "culled": 1}}))
        (run / "lock").write_text(f"{os.getpid()} {os.uname().nodename}\n")
    with watching(tmp_path) as page:
        text = page.get("/metrics")
    assert len([line for line in text.splitlines() if line and line[0] != "#"]) < 500
    assert "esper_nissa_runs_left_out 40\n" in text


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def prometheus(folder, target, library=None):
    """Debian's Prometheus with our own files; only the targets and the pace are others."""
    config = (RULES.parent / "prometheus.yml").read_text()
    if library:
        config = config.replace("  # -", "  -").replace("  #  ", "   ").replace(
            "127.0.0.1:8000", library)
        assert library in config
    config = config.replace("127.0.0.1:8005", target).replace("15s", "1s").replace(
        "esper.rules.yml", str(RULES))
    assert target in config and str(RULES) in config
    (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1s, scrape_interval: 1s}\n" + config)
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)
    try:
        def ask(path, **query):
            words = "?" + urllib.parse.urlencode(query) if query else ""
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}{words}",
                                        timeout=10) as told:
                return json.loads(told.read())["data"]
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def soon(what, seconds=40):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if found := what():
                return found
        time.sleep(0.1)
    raise AssertionError("it did not come")


@needs_prometheus
def test_prometheus_itself_scrapes_runs_and_raises_the_alerts_of_the_page(runs, tmp_path_factory):
    with watching(runs) as page, \
            prometheus(tmp_path_factory.mktemp("prometheus"), page.address[len("http://"):]) as ask:
        target = soon(lambda: [t for t in ask("targets")["activeTargets"] if t["health"] != "unknown"])
        assert [t["health"] for t in target] == ["up"], target
        raised = {(run, alert["kind"]) for run, row in page.rows().items() for alert in row["alerts"]}
        assert len(raised) >= 8

        def alerts():
            return {(a["labels"]["run"], a["labels"]["kind"]) for a in ask("alerts")["alerts"]
                    if a["state"] == "firing"}
        assert soon(lambda: alerts() == raised), (alerts(), raised)
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        assert len(rules) >= 9 and {rule["health"] for rule in rules} == {"ok"}
        assert not [rule for rule in rules if rule.get("lastError")]
        # Every figure of the page can be asked for.
        named = set(re.findall(r"^(\w+)[{ ]", page.get("/metrics"), re.M))
        there = set(ask("label/__name__/values"))
        assert named <= there, named - there
        assert ask("query?query=esper_run_step")["result"]


@contextlib.contextmanager
def in_progress(folder):
    """A run that trains and grows, as long as the block lasts."""
    process = subprocess.Popen(
        [ESPER, "train", *GROW, "run.epochs=100000", "checkpoint.every=1000ep", "-q",
         f"data.path={write_text(folder / 'text.txt')}", "--run", folder / "runs" / "demo"],
        cwd=folder, stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: (folder / "runs/demo/metrics.csv").exists())
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def serving_the_library(folder):
    process = subprocess.Popen([ESPER, "urza", "serve", "--port", "0"], stdout=subprocess.PIPE,
                               env={**os.environ, "ESPER_LIBRARY": str(folder / "library")},
                               stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().strip().removeprefix("http://")
    finally:
        process.kill()
        process.communicate()


def panels():
    """[(title, expressions)] of the dashboard, for all runs."""
    board = json.loads(DASHBOARD.read_text())
    return [(panel["title"], [target["expr"].replace("$run", ".*") for target in panel["targets"]])
            for panel in board["panels"] if panel["type"] != "row"]


def test_the_dashboard_shows_every_figure_and_is_one_of_grafanas(runs):
    shown = " ".join(expression for _, own in panels() for expression in own)
    with watching(runs) as page:
        named = set(re.findall(r"^# TYPE (esper_\w+)", page.get("/metrics"), re.M))
    assert named and not [name for name in named if name not in shown]
    board = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", DASHBOARD.read_text())) - {"__all"} == variables
    places = [panel["gridPos"] for panel in board["panels"]]
    cells = [(x, y) for place in places for x in range(place["x"], place["x"] + place["w"])
             for y in range(place["y"], place["y"] + place["h"])]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) == 23


@needs_prometheus
def test_no_panel_of_the_dashboard_is_empty_while_a_run_trains(tmp_path, tmp_path_factory):
    with in_progress(tmp_path), watching(tmp_path / "runs") as page, \
            serving_the_library(tmp_path) as library, \
            prometheus(tmp_path_factory.mktemp("prometheus"), page.address[len("http://"):],
                       library) as ask:
        soon(lambda: [t["health"] for t in ask("targets")["activeTargets"]] == ["up", "up"])
        if PROMTOOL.exists():
            with urllib.request.urlopen(f"http://{library}/metrics", timeout=10) as told:
                promtool("check", "metrics", text=told.read().decode())
        assert soon(lambda: ask("label/run/values", **{"match[]": "esper_run_step"})) == ["demo"]

        def empty():
            answers = [(title, expression, ask("query", query=expression)["result"])
                       for title, own in panels() for expression in own]
            full = {title for title, _, result in answers if result}
            return ([title for title, _ in panels() if title not in full],
                    [expression for _, expression, result in answers if not result])
        # Whether memory grows is known after twenty minutes.
        soon(lambda: empty() == ([], ['esper_run_memory_growth{run=~".*"}']))


@needs_prometheus
def test_a_page_that_comes_late_says_so_and_prometheus_too(tmp_path, tmp_path_factory):
    with in_progress(tmp_path), watching(tmp_path / "runs") as page, \
            prometheus(tmp_path_factory.mktemp("prometheus"), page.address[len("http://"):]) as ask:
        soon(lambda: [t for t in ask("targets")["activeTargets"] if t["health"] == "up"])
        assert page.rows()["demo"]["alerts"] == []
        assert series_of(page.get("/metrics"))["esper_run_lag_seconds", "demo"] < 10
        # What serves the page is a child of the command, or the command itself.
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(page.process.pid)],
                                  capture_output=True, text=True).stdout.split()
        stopped = [page.process.pid, *map(int, children)]
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        time.sleep(11)
        for process in reversed(stopped):
            os.kill(process, signal.SIGCONT)
        alerts = soon(lambda: page.rows()["demo"]["alerts"])
        assert [alert["kind"] for alert in alerts] == ["lag"] and "late" in alerts[0]["text"]
        late = series_of(page.get("/metrics"))["esper_run_lag_seconds", "demo"]
        assert 10 < late < 30
        fired = soon(lambda: [a for a in ask("alerts")["alerts"] if a["state"] == "firing"])
        assert [(a["labels"]["alertname"], a["labels"]["run"]) for a in fired] == [
            ("EsperRunLag", "demo")]
