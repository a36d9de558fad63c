"""`esper sweep`: many runs from one command, checked before the first, gone on with after a kill."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import ESPER, ROOT, needs_esper
from small_runs import TINY, esper, record_of, write_text

pytestmark = needs_esper

SMALL = [*TINY, "run.epochs=2", "growth.enabled=false"]
RATES = "optimization.learning_rate=0.001,0.03"


@pytest.fixture
def folder(tmp_path):
    write_text(tmp_path / "text.txt")
    settings = {}
    for word in [*SMALL, "data.path=text.txt", "run.name=small"]:
        key, value = word.split("=")
        section, name = key.split(".", 1)
        settings.setdefault(section, {})[name] = value
    text = "".join(f"{section}:\n" + "".join(f"  {k}: {v}\n" for k, v in keys.items())
                   for section, keys in settings.items())
    (tmp_path / "small.yaml").write_text(text)
    return tmp_path


def lines(*words, cwd, exit_code=0):
    done = esper("sweep", *words, "--json", cwd=cwd)
    assert done.returncode == exit_code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(kind, found):
    return [line for line in found if line["event"] == kind]


def test_every_combination_is_trained_with_every_seed(folder):
    done = esper("sweep", "small.yaml", RATES, "--seeds", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    sweep = folder / "runs" / "small-sweep-1"
    runs = {p.name: record_of(p) for p in sweep.glob("c*-s*") if p.is_dir()}
    assert sorted(runs) == ["c1-s0", "c1-s1", "c2-s0", "c2-s1"]
    assert {r["status"] for r in runs.values()} == {"done"}
    assert runs["c1-s1"]["seed"] == 1
    means = {c: (runs[f"{c}-s0"]["best_val_loss"] + runs[f"{c}-s1"]["best_val_loss"]) / 2
             for c in ("c1", "c2")}
    best = min(means, key=means.get)
    head, first, second = done.stdout.splitlines()[:3]
    assert "optimization.learning_rate" in head and "best val loss" in head
    assert first.split()[0] == best and f"{means[best]:.4f} ±" in first and "2/2" in first
    assert "written to runs/small-sweep-1/best.yaml" in done.stdout
    listed = esper("runs", "ls", "--json", cwd=folder)
    assert len(listed.stdout.splitlines()) == 4


def test_the_best_configuration_trains_as_its_runs_did(folder):
    found = lines("small.yaml", RATES, "--run", "sweep", cwd=folder)
    best, = of("best", found)
    assert esper("train", best["file"], "--run", "again", cwd=folder).returncode == 0
    run = record_of(folder / "sweep" / f"{best['combination']}-s0")
    again = record_of(folder / "again")
    assert again["best_val_loss"] == run["best_val_loss"] and "program_sha256" in again
    combinations = of("combination", found)
    assert combinations[0]["combination"] == best["combination"]
    assert combinations[0]["figures"]["best_val_loss"]["n"] == 1
    assert combinations[0]["figures"]["best_val_loss"]["half_width"] is None


@pytest.mark.parametrize("words, said", [
    ([RATES, "model.heads=2,3"], "model.heads=3"),
    (["optimization.learning_rate=0.1,-1"], "optimization.learning_rate=-1"),
    (["optimization.learning_rat=1,2"], "did you mean"),
    (["growth.blueprints=[nothing],[low_rank]", "growth.enabled=true"], "nothing"),
    (["data.path=nowhere.txt,text.txt"], "nowhere.txt"),
    (["run.seed=1,2"], "--seeds N"),
    (["optimization.learning_rate=1,1"], "twice"),
    (["optimization.learning_rate=1,,2"], "nothing between two commas"),
    (["--jobs", "0"], "--jobs"),
])
def test_nothing_begins_where_one_combination_is_refused(folder, words, said):
    done = esper("sweep", "small.yaml", *words, cwd=folder)
    assert done.returncode in (2, 3) and said in done.stderr, done.stderr
    assert not (folder / "runs").exists()


def test_a_sweep_of_data_needs_no_configuration(tmp_path):
    rows = ["x,y"] + [f"{i % 10},{'low' if i % 10 < 5 else 'high'}" for i in range(300)]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    found = lines("rows.csv", "optimization.learning_rate=0.001,0.01", "run.epochs=2",
                  "run.steps_per_epoch=3", "growth.enabled=false", "run.precision=fp32",
                  "--jobs", "2", cwd=tmp_path)
    assert len(of("run", found)) == 2 and of("best", found)
    assert all("test_accuracy" in c["figures"] for c in of("combination", found))


def test_lists_are_values_too(folder):
    found = lines("small.yaml", "optimization.betas=[0.9,0.95],[0.8,0.99]", "--run", "sweep",
                  cwd=folder)
    assert [c["settings"] for c in sorted(of("combination", found),
                                          key=lambda c: c["combination"])] == [
        {"optimization.betas": "[0.9,0.95]"}, {"optimization.betas": "[0.8,0.99]"}]


def test_a_finished_sweep_is_left_alone_and_shown_again(folder):
    words = ["small.yaml", RATES, "--run", "sweep"]
    first = lines(*words, cwd=folder)
    before = {p: p.stat().st_mtime_ns for p in (folder / "sweep").glob("*/run.json")}
    again = lines("sweep", cwd=folder)
    assert of("combination", again) == of("combination", first)
    assert not of("run_started", again)
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "sweep").glob("*/run.json")}
    other = esper("sweep", "small.yaml", "optimization.learning_rate=0.001,0.02", "--run", "sweep",
                  cwd=folder)
    assert other.returncode == 2 and "its c2 is optimization.learning_rate=0.03" in other.stderr


def test_the_environment_does_not_undo_what_is_swept(folder):
    done = esper("sweep", "small.yaml", RATES, "--run", "sweep", cwd=folder,
                 ESPER_OPTIMIZATION__LEARNING_RATE="0.5", ESPER_OPTIMIZATION__MOMENTUM="0.5")
    assert done.returncode == 0, done.stderr
    for name, rate in (("c1", "0.001"), ("c2", "0.03")):
        text = (folder / "sweep" / f"{name}-s0" / "config.yaml").read_text()
        assert f"learning_rate: {rate}\n" in text and "momentum: 0.5\n" in text


def begin(folder, *words):
    return subprocess.Popen([ESPER, "sweep", "small.yaml", *words, "run.epochs=400", "--run",
                             "sweep"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True, env=dict(os.environ))


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} has not come"
        time.sleep(0.02)


def shorten(folder):
    """What is left of the runs is made short: they go on where they were, to an end that is near."""
    for path in (folder / "sweep").glob("*.yaml"):
        path.write_text(path.read_text().replace("epochs: 400", "epochs: 2"))
    for path in (folder / "sweep").glob("*/config.yaml"):
        path.write_text(path.read_text().replace("epochs: 400", "epochs: 2"))


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_goes_on_after_a_blow(folder, blow):
    process = begin(folder, RATES, "checkpoint.every=1ep")
    wait_for(folder / "sweep" / "c1-s0" / "checkpoints" / "best.ckpt")
    process.send_signal(blow)
    said = process.communicate(timeout=60)[1]
    if blow != signal.SIGKILL:
        assert process.returncode == 130 and "esper sweep sweep" in said
    end = time.monotonic() + 30
    run = folder / "sweep" / "c1-s0"
    while record_of(run)["status"] == "running" and time.monotonic() < end:
        time.sleep(0.05)  # a child ends by itself, with a checkpoint
    assert record_of(run)["status"] == "stopped"
    assert not (folder / "sweep" / "c2-s0").exists()
    events = (run / "events.jsonl").read_text()
    shorten(folder)
    found = lines("sweep", cwd=folder)
    assert [(line["run"], line["resumed"]) for line in of("run_started", found)] == [
        ("c1-s0", True), ("c2-s0", False)]
    assert {record_of(p)["status"] for p in (folder / "sweep").glob("c*-s0")
            if p.is_dir()} == {"done"}
    assert (run / "events.jsonl").read_text().startswith(events[:200])


def test_a_run_that_fails_takes_no_other_with_it(folder):
    words = ["small.yaml", RATES, "--run", "sweep"]
    (folder / "sweep").mkdir()
    assert lines(*words, cwd=folder)
    # A finished run is broken, as a bad disk would: it cannot go on, the other is as it was.
    run = folder / "sweep" / "c1-s0"
    (run / "run.json").write_text((run / "run.json").read_text().replace('"done"', '"failed"'))
    for checkpoint in (run / "checkpoints").glob("*.ckpt"):
        checkpoint.write_bytes(b"")
    done = esper("sweep", "sweep", cwd=folder)
    assert done.returncode not in (0, 130)
    assert "c1-s0" in done.stderr and "not done (exit code" in done.stderr
    assert "1/1" in done.stdout and "0/1" in done.stdout


def test_a_strange_sweep_is_refused(folder):
    sweep = folder / "sweep"
    sweep.mkdir()
    good = {"version": 1, "config": "x", "name": "x", "threads": 1, "seeds": [0],
            "combinations": [{"name": "c1", "settings": []}]}
    for change, said in [({"version": 2}, "this build reads 1"), ({"seeds": []}, "it has 0 runs"),
                         ({"combinations": [{"name": "../../x", "settings": []}]},
                          "is not what a sweep writes"),
                         ({"seeds": ["0"]}, "something else than numbers")]:
        (sweep / "sweep.json").write_text(json.dumps({**good, **change}))
        done = esper("sweep", "sweep", cwd=folder)
        assert done.returncode == 3 and said in done.stderr, done.stderr


# Opens the study as Optuna does, says what it found, and goes on with two trials of Optuna's own.
READ_STUDY = """
import json, sys
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name=sys.argv[2],
                          storage=JournalStorage(JournalFileBackend(sys.argv[1])))
print(json.dumps({"direction": study.direction.name, "best": study.best_trial.number,
                  "config": study.user_attrs["config"],
                  "trials": [{"number": t.number, "state": t.state.name, "value": t.value,
                              "params": t.params, "user_attrs": t.user_attrs,
                              "seconds": t.duration.total_seconds()} for t in study.trials]}))
study.optimize(lambda t: t.suggest_float("optimization.learning_rate", 0.001, 0.03, log=True) +
               t.suggest_int("model.width", 16, 32) + len(
                   t.suggest_categorical("optimization.schedule", ["cosine", "constant"])),
               n_trials=2)
again = optuna.load_study(study_name=sys.argv[2],
                          storage=JournalStorage(JournalFileBackend(sys.argv[1])))
assert len(again.trials) == len(study.trials)
print(len(again.trials))
"""


def test_a_sweep_becomes_a_study_that_optuna_opens_and_goes_on_with(folder):
    python = ROOT / ".venv-test" / "bin" / "python"
    if subprocess.run([python, "-c", "import optuna"], capture_output=True).returncode != 0:
        pytest.skip("no optuna in .venv-test (scripts/setup.sh)")
    words = ["small.yaml", RATES, "model.width=16,32", "optimization.schedule=cosine,constant",
             "run.epochs=1", "--run", "sweep"]
    found = lines(*words, "--optuna", "study.log", cwd=folder)
    runs = of("run", found)
    done = subprocess.run([python, "-c", READ_STUDY, folder / "study.log", "sweep"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said, count = done.stdout.splitlines()
    study = json.loads(said)
    assert int(count) == 10
    assert study["direction"] == "MINIMIZE" and study["config"] == "small.yaml"
    for trial, run in zip(study["trials"], runs, strict=True):
        assert trial["state"] == "COMPLETE" and trial["value"] == run["best_val_loss"]
        settings = run["settings"]
        assert trial["params"] == {
            "optimization.learning_rate": float(settings["optimization.learning_rate"]),
            "model.width": int(settings["model.width"]),
            "optimization.schedule": settings["optimization.schedule"]}
        assert trial["user_attrs"]["run"] == f"sweep/{run['run']}"
        assert trial["user_attrs"]["seed"] == 0 and trial["user_attrs"]["test_loss"] > 0
        assert trial["seconds"] == pytest.approx(run["wall_seconds"], abs=0.01)
    assert study["best"] == min(range(8), key=lambda n: runs[n]["best_val_loss"])
    # What Optuna has added is not overwritten.
    again = esper("sweep", "sweep", "--optuna", "study.log", cwd=folder)
    assert again.returncode == 2 and "is there already" in again.stderr
    assert esper("sweep", "sweep", "--optuna", "no/study.log", cwd=folder).returncode == 2


def test_a_run_that_failed_is_a_failed_trial(folder):
    lines("small.yaml", RATES, "--run", "sweep", cwd=folder)
    run = folder / "sweep" / "c1-s0"
    (run / "run.json").write_text((run / "run.json").read_text().replace('"done"', '"failed"'))
    for checkpoint in (run / "checkpoints").glob("*.ckpt"):
        checkpoint.write_bytes(b"")
    assert esper("sweep", "sweep", "--optuna", "study.log", cwd=folder).returncode != 0
    study = [json.loads(line) for line in (folder / "study.log").read_text().splitlines()]
    assert [(t["state"], t["value"] is None) for t in study if t["op_code"] == 4] == [
        (3, True), (1, False)]
