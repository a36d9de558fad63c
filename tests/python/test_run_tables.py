"""`esper runs ls` and `esper compare`: what a folder of runs says, and what differs between runs."""

import json
import os
import shutil

import pytest
from conftest import needs_esper
from small_runs import TINY, esper, record_of, train, write_text

pytestmark = needs_esper

QUIET = [*TINY, "run.epochs=2", "growth.enabled=false"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two learning rates, two seeds of each, in `runs`."""
    folder = tmp_path_factory.mktemp("tables")
    data = write_text(folder / "text.txt")
    for rate in (0.001, 0.03):
        for seed in (0, 1):
            train(folder, *QUIET, f"optimization.learning_rate={rate}", f"run.seed={seed}",
                  data=data, run=f"runs/lr{rate}-s{seed}")
    return folder / "runs"


def lines(*words, cwd, exit_code=0):
    done = esper(*words, "--json", cwd=cwd)
    assert done.returncode == exit_code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_folder_of_runs_is_a_table(runs):
    done = esper("runs", "ls", cwd=runs.parent)  # `runs` is the default
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    for column in ("run", "status", "host", "data", "epochs", "steps", "train", "val", "test",
                   "accuracy", "parameters", "kept/culled", "time", "written"):
        assert column in head.split()
    assert [row.split()[0] for row in rows] == sorted(p.name for p in runs.iterdir())
    for row in rows:
        record = record_of(runs / row.split()[0])
        cells = row.split()
        assert cells[1:6] == ["done", "gpt", "text.txt", "2", "10"]
        assert f"{record['best_val_loss']:.4f}" in cells and f"{record['test_loss']:.4f}" in cells
    assert "4 runs: 4 done" in done.stderr


def test_rows_are_sorted_by_what_is_asked(runs):
    def order(*words):
        return [line["run"] for line in lines("runs", "ls", runs, *words, cwd=runs)]

    losses = {p.name: record_of(p)["best_val_loss"] for p in runs.iterdir()}
    assert order("--sort", "val") == sorted(losses, key=losses.get)
    assert order("--sort", "val", "-r") == sorted(losses, key=losses.get, reverse=True)
    done = esper("runs", "ls", runs, "--sort", "vall", cwd=runs)
    assert done.returncode == 2 and "did you mean 'val'" in done.stderr


def test_the_table_as_json_has_what_run_json_has(runs):
    found = lines("runs", "ls", runs, cwd=runs)
    assert {line["event"] for line in found} == {"run"}
    for line in found:
        record = record_of(runs / line["run"])
        for key in ("best_val_loss", "test_loss", "parameters", "parameters_initial", "seeds",
                    "wall_seconds", "steps"):
            assert line[key] == record[key]
        assert line["data_fingerprint"] == record["data"]["fingerprint"]
        assert (line["host"], line["data"], line["state"]) == ("gpt", "text.txt", "done")


def test_broken_and_strange_folders_are_named_and_left_alone(runs, tmp_path):
    folder = tmp_path / "runs"
    shutil.copytree(runs / "lr0.001-s0", folder / "good")
    (folder / "notes").mkdir()
    (folder / "begun").mkdir()
    (folder / "begun" / "lock").write_text("1 elsewhere\n")
    (folder / "torn").mkdir()
    (folder / "torn" / "run.json").write_text('{"status": "do')
    (folder / "linked").mkdir()
    (folder / "linked" / "run.json").symlink_to(runs / "lr0.001-s0" / "run.json")
    (folder / "away").symlink_to(runs / "lr0.001-s0")
    os.mkfifo(folder / "pipe")
    strange = folder / "evil\033[2J"
    strange.mkdir()
    (strange / "run.json").write_text(json.dumps({
        "status": "done\033[31m", "name": ["x"], "steps": "many", "seeds": 3, "parameters": {},
        "val_loss": "\033[5m", "val_metrics": [1], "data": 7}))
    done = esper("runs", "ls", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout + done.stderr
    rows = {row.split()[0]: row for row in done.stdout.splitlines()[1:]}
    assert set(rows) == {"good", "torn", "linked", "evil\\x1b[2J"}
    assert "unreadable" in rows["torn"] and "unreadable" in rows["linked"]
    said = done.stderr
    assert "torn: expected one JSON object" in said
    assert "notes: holds no run" in said
    assert "begun: has no run.json: a run begins there, or its start was cut short" in said
    assert "run.json is a symbolic link, which is not followed" in said
    assert "away: a symbolic link, which is not followed" in said
    strangers = {line["folder"]: line["why"] for line in lines("runs", "ls", cwd=tmp_path)
                 if line["event"] == "no_run"}
    assert set(strangers) == {"notes", "begun", "away"}


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    done = esper("runs", "ls", cwd=tmp_path)
    assert done.returncode == 2 and "runs is no folder" in done.stderr
    (tmp_path / "runs").mkdir()
    done = esper("runs", "ls", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "") and "0 runs" in done.stderr


def test_runs_stand_beside_each_other_with_what_differs(runs):
    a, b = runs / "lr0.001-s0", runs / "lr0.03-s0"
    done = esper("compare", a, b, cwd=runs)
    assert done.returncode == 0, done.stderr
    rows = {line[:30].split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    for run in (a, b):
        assert f"{record_of(run)['test_loss']:.4f}" in rows["test loss"]
    assert rows["optimization.learning_rate"].split()[1:] == ["0.001", "0.03"]
    assert "run.seed" not in rows and "over seeds" not in done.stdout


def test_runs_that_differ_by_seed_alone_are_judged_together(runs):
    done = esper("compare", runs, cwd=runs)
    assert done.returncode == 0, done.stderr
    assert "over seeds, mean ± 95 % interval" in done.stdout
    assert "against optimization.learning_rate=0.001" in done.stdout
    found = lines("compare", runs, cwd=runs)
    groups = {line["name"]: line for line in found if line["event"] == "group"}
    assert set(groups) == {"optimization.learning_rate=0.001", "optimization.learning_rate=0.03"}
    losses = {}
    for name, group in groups.items():
        assert len(group["runs"]) == 2
        values = [record_of(run)["test_loss"] for run in group["runs"]]
        figure = group["figures"]["test_loss"]
        assert figure["mean"] == pytest.approx(sum(values) / 2)
        # t of one degree of freedom is 12.706.
        assert figure["half_width"] == pytest.approx(12.7062 * abs(values[0] - values[1]) / 2,
                                                     rel=1e-4)
        losses[name] = values
    contrast = next(line for line in found
                    if line["event"] == "contrast" and line["figure"] == "test_loss")
    first, second = losses.values()
    assert contrast["is_paired"]
    assert contrast["difference"] == pytest.approx(
        ((second[0] - first[0]) + (second[1] - first[1])) / 2)
    assert 0 < contrast["p"] <= 1


def test_what_is_no_run_is_refused(runs, tmp_path):
    done = esper("compare", tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 2 and "is no folder" in done.stderr
    done = esper("compare", tmp_path, cwd=tmp_path)
    assert done.returncode == 2 and "holds no run" in done.stderr
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("[]")
    done = esper("compare", tmp_path / "torn", runs / "lr0.001-s0", cwd=tmp_path)
    assert done.returncode == 3 and "torn/run.json cannot be read" in done.stderr


def test_runs_on_other_data_are_told_apart(runs, tmp_path):
    text = tmp_path / "other.txt"
    text.write_text("abcdefgh\n" * 4000)
    train(tmp_path, *QUIET, "optimization.learning_rate=0.001", data=text, run="other")
    done = esper("compare", runs / "lr0.001-s0", tmp_path / "other", cwd=tmp_path)
    assert done.returncode == 0 and "trained on different data" in done.stderr
