"""What Prometheus reads of `esper watch`: the metrics, and the alerts, which are the page's own."""

import contextlib
import json
import math
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from conftest import needs_esper
from small_runs import ROOT, esper
from test_watch import watching

pytestmark = needs_esper

PROMTOOL = ROOT / ".venv-test" / "bin" / "promtool"
PROMETHEUS = ROOT / ".venv-test" / "bin" / "prometheus"
RULES = ROOT / "deploy" / "prometheus" / "esper.rules.yml"
needs_promtool = pytest.mark.skipif(not PROMTOOL.exists(), reason="no promtool (make setup)")


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
def prometheus(folder, target):
    """Debian's Prometheus with our own files; only the target and the pace are others."""
    config = (RULES.parent / "prometheus.yml").read_text()
    config = config.replace("127.0.0.1:8005", target).replace("15s", "1s").replace(
        "esper.rules.yml", str(RULES))
    assert target in config and str(RULES) in config
    (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1s}\n" + config)
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)
    try:
        def ask(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as told:
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


@pytest.mark.skipif(not PROMETHEUS.exists(), reason="no prometheus (make setup)")
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
