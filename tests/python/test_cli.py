"""The commands as a user meets them: what they print, what they write, how they refuse."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper

# A whole life in seconds: growth as soon as the window opens.
GROWS = [str(ROOT / "configs" / "testing.yaml"), "controller.policy=periodic",
         "controller.period=1ep", "growth.start=0.1"]
TEXT = ["run.threads=1", "run.precision=fp32", "run.epochs=2", "run.steps_per_epoch=5",
        "model.width=16", "model.context=16", "data.batch_size=8"]


def esper(*words, cwd, **environment):
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=dict(os.environ, **environment))


def test_threads_that_wait_for_each_other_soon_sleep_unless_they_are_told_otherwise(tmp_path):
    untold = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    for told, seen in (({}, "1000"), ({"GOMP_SPINCOUNT": "5"}, "5"), ({"OMP_WAIT_POLICY": "passive"}, "0")):
        shown = subprocess.run([ESPER, "--version"], cwd=tmp_path, capture_output=True, text=True,
                               env=untold | told | {"OMP_DISPLAY_ENV": "VERBOSE"})
        assert f"GOMP_SPINCOUNT = '{seen}'" in shown.stderr, shown.stderr


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown")
    done = esper("train", *GROWS, "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done


def events_of(run):
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def test_a_run_says_what_it_trains_and_shows_each_decision(grown):
    run, done = grown
    first = done.stderr.splitlines()[0]
    for word in ("anchors", "seeds", "parameters", "fp32", "thread", "FLOPs"):
        assert word in first
    assert re.search(r"germinated \S+ at \S+ \(s1\): ", done.stderr)
    assert "\033" not in done.stderr and "\r" not in done.stderr


def test_a_run_ends_by_telling_what_grew_and_why(grown):
    run, done = grown
    germinated = [e for e in events_of(run) if e.get("command") == "germinate"]
    assert germinated
    for event in germinated:
        assert event["seed"] and event["reason"] in done.stdout
    assert str("run/report.html") in done.stdout


def test_the_report_needs_nothing_else_and_holds_each_decision(grown):
    run, _ = grown
    page = (run / "report.html").read_text()
    before, rest = page.split('id="data">', 1)
    shell = before + rest.split("</script>", 1)[1]
    assert not re.search(r"""(src|href)\s*=|url\(|@import|https?://""", shell)
    for mark in ("@DATA@", "@SCRIPT@", "@STYLE@", "@TITLE@"):
        assert mark not in page
    data = json.loads(page.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert data["events"] == events_of(run)
    assert len(data["topology"]) == len((run / "journal.jsonl").read_text().splitlines())


def test_json_means_json_lines_only(tmp_path):
    done = esper("train", *GROWS, "run.epochs=4", "--run", "run", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds[0] == "start" and kinds[-1] == "end"
    assert kinds.count("epoch") == 4 and "decision" in kinds
    own = ("plan", "start", "epoch", "end", "recipe")
    assert [line for line in lines if line["event"] not in own] == events_of(tmp_path / "run")


def test_quiet_prints_one_line_with_folder_and_result(tmp_path):
    done = esper("train", *GROWS, "run.epochs=2", "--run", "run", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    loss = json.loads((tmp_path / "run" / "run.json").read_text())["val_loss"]
    assert re.fullmatch(rf"run: validation loss {loss:.4f}, .*\n", done.stdout)


def test_a_text_run_samples_at_the_end(tmp_path):
    done = esper("train", *TEXT, "controller.policy=never", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Text sampled at the end" in done.stdout
    assert [e["when"] for e in events_of(tmp_path / "run") if e["event"] == "sample"] == [
        "at the end"]


def test_a_text_run_samples_before_it_grows(tmp_path):
    done = esper("train", *TEXT, "run.epochs=8", "controller.policy=periodic",
                 "controller.period=1ep", "growth.training=1ep", "growth.graft_steps=5",
                 "growth.stabilization=1ba", "growth.fine_tune=1ba", "growth.cooldown=0ep",
                 "growth.measure_share=100",
                 "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    events = events_of(tmp_path / "run")
    at = [i for i, e in enumerate(events) if e["event"] == "sample"]
    assert events[at[0]]["when"] == "before the first growth"
    assert events[at[0] + 1]["command"] == "germinate"
    assert len(at) == 2


def test_a_dry_run_prints_a_plan_that_is_a_configuration(tmp_path):
    done = esper("train", *GROWS, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("anchors", "parameters", "FLOPs", "checkpoints", "steps"):
        assert word in done.stdout
    (tmp_path / "again.yaml").write_text(done.stdout)
    again = esper("train", "again.yaml", "--dry-run", cwd=tmp_path)
    assert again.stdout == done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_refuses_what_a_run_would(tmp_path):
    nowhere = [*GROWS, "growth.anchors=[fc9]"]
    dry = esper("train", *nowhere, "--dry-run", cwd=tmp_path)
    wet = esper("train", *nowhere, "--run", "run", cwd=tmp_path)
    assert "no anchor of 'mlp-2x32' matches fc9" in dry.stderr
    assert (dry.returncode, dry.stderr) == (wet.returncode, wet.stderr)


@pytest.mark.parametrize("folder, code", [("mine", 2), ("taken", 2), ("a.txt/run", 2),
                                          ("/proc/x", 2)])
def test_a_dry_run_refuses_the_folder_that_a_run_would(tmp_path, folder, code):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "run.json").write_text("{}")
    (tmp_path / "a.txt").write_text("")
    before = sorted(tmp_path.rglob("*"))
    dry = esper("train", *GROWS, "--dry-run", "--run", folder, cwd=tmp_path)
    wet = esper("train", *GROWS, "--run", folder, cwd=tmp_path)
    assert (dry.returncode, dry.stdout) == (code, "")
    assert dry.stderr == wet.stderr and wet.returncode == code
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_leaves_a_checkpoint_and_resume_goes_on(tmp_path):
    process = subprocess.Popen([ESPER, "train", *GROWS, "run.epochs=100000", "--run", "run"],
                               cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    try:
        deadline = time.time() + 120
        while time.time() < deadline and not (
                (tmp_path / "run" / "metrics.csv").exists()
                and (tmp_path / "run" / "metrics.csv").read_text().count("\n") > 1):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "esper resume run" in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"


def test_a_reader_that_goes_away_ends_the_run_as_ctrl_c_does(tmp_path):
    process = subprocess.Popen(
        [ESPER, "train", *GROWS, "run.epochs=100000", "--run", "run", "--json"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(4):
            process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=120) == 130, said
    finally:
        process.kill()
    assert "esper resume run" in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"


@pytest.mark.parametrize("words, code, message", [
    (["train", ""], 2, "names no configuration"),
    (["train", "--run", "", "--dry-run"], 2, "names no folder"),
    (["train", "growht.enabled=false"], 2, "did you mean 'growth'"),
    (["train", "run.epochs=many"], 2, "run.epochs"),
    (["train", "missing.yaml"], 2, "missing.yaml"),
    (["train", "."], 3, "a folder without data that are known"),
    (["train", "a.yaml", "b.yaml"], 2, "b.yaml"),
    (["train", "data.path=missing.txt", "--run", "x"], 3, "missing.txt"),
    (["trian"], 2, "did you mean 'train'"),
    (["train", "--sede", "1"], 2, "--sede"),
    (["resume", "."], 2, "not a run's folder"),
    (["eval", "missing"], 2, "not a run's folder"),
    (["export", "."], 2, "not a run's folder"),
    (["report", "."], 2, "not a run's folder"),
    (["replay", "."], 2, "not a run's folder"),
    (["inspect", "missing"], 3, "missing"),
    (["data", "info", "missing.txt"], 3, "missing.txt"),
    (["data", "fetch", "cifar11"], 2, "did you mean 'cifar10'"),
    (["tezzeret", "serve"], 1, "not built yet"),
])
def test_a_mistake_is_named_with_its_exit_code(tmp_path, words, code, message):
    done = esper(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_fetching_without_a_network_says_what_to_do(tmp_path):
    if (ROOT / "data" / "cifar-10-batches-bin").exists():
        pytest.skip("cifar10 is here")
    done = esper("data", "fetch", "cifar10", cwd=tmp_path, https_proxy="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "could not be downloaded" in done.stderr and "data/" in done.stderr


def test_a_run_can_be_inspected_evaluated_replayed_and_exported(grown):
    run, _ = grown
    cwd = run.parent
    record = json.loads((run / "run.json").read_text())
    described = json.loads(esper("inspect", run, "--checkpoint", "last", "--json", cwd=cwd).stdout)
    assert described["program_sha256"] == record["program_sha256"]
    assert [life["seed"] for life in described["lives"]]
    assert len(described["lineage"]) == len((run / "journal.jsonl").read_text().splitlines())
    assert "lineage" in esper("inspect", run, cwd=cwd).stdout
    measured = json.loads(esper("eval", run, "--json", cwd=cwd).stdout)
    assert measured["test_accuracy"] == pytest.approx(record["test_accuracy"], abs=1e-6)
    assert esper("replay", run, cwd=cwd).stdout == f"program {record['program_sha256']}\n"
    exported = esper("export", run, cwd=cwd)
    assert [Path(line).name for line in exported.stdout.splitlines()] == [
        "model.safetensors", "model.py", "lineage.json"]
    assert esper("eval", run, "--checkpoint", "77777", cwd=cwd).returncode == 3


def test_what_a_command_cannot_heed_it_refuses(grown, tmp_path):
    run, _ = grown
    said = esper("eval", run, "model.width=3", cwd=run.parent)
    assert said.returncode == 2 and "data.path=" in said.stderr
    journal = (run / "journal.jsonl").read_bytes()
    for words in (["report", run, "-o", run / "journal.jsonl"],
                  ["pareto", run, "-o", run / "checkpoints" / "last"]):
        assert esper(*words, cwd=tmp_path).returncode == 2
    assert (run / "journal.jsonl").read_bytes() == journal
    steps = json.loads((run / "run.json").read_text())["steps"]
    again = esper("resume", run, "run.epochs=1", cwd=run.parent)
    assert again.returncode == 2 and f"all {steps} steps of it" in again.stderr


def test_an_unknown_fault_point_is_refused_with_those_there_are(tmp_path):
    done = esper("doctor", cwd=tmp_path, ESPER_FAULTS="nosuch.point@3")
    assert done.returncode == 2
    there = set(done.stderr.split("there are: ")[1].strip().split(", "))
    sources = "".join(f.read_text() for f in (ROOT / "src" / "esper").rglob("*.cpp"))
    assert there == set(re.findall(r'FaultPoint \w+\{"([a-z0-9_.]+)"\}', sources))


def test_a_journal_that_was_changed_fails_the_replay(grown, tmp_path):
    run, _ = grown
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    (tmp_path / "journal.jsonl").write_text(
        (run / "journal.jsonl").read_text().replace('"step":0', '"step":1', 1))
    assert esper("replay", tmp_path, cwd=tmp_path).returncode == 4


def test_data_list_answers(tmp_path):
    listed = esper("data", "list", cwd=tmp_path)
    assert listed.returncode == 0 and "drawn" in listed.stdout
    assert esper("data", "info", "drawn", cwd=tmp_path).returncode == 0
