"""A run is a folder: it can be moved, looked at from anywhere, and given by a stranger."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from conftest import needs_esper

from small_runs import TINY, esper, record_of, train, write_text

pytestmark = needs_esper

NEVER = [*TINY, "controller.policy=never"]


@pytest.fixture
def place(tmp_path):
    """A folder with data/small.txt and a run `run`, started in it with a relative path."""
    write_text(tmp_path / "data" / "small.txt")
    train(tmp_path, *NEVER, data="data/small.txt")
    return tmp_path


def accuracy(run, *words, cwd):
    done = esper("eval", run, "--json", *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["test_accuracy"]


def test_a_run_can_be_used_from_another_folder(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run = place / "run"
    assert accuracy(run, cwd=elsewhere) == accuracy("run", cwd=place)
    for words in (["export", run], ["report", run], ["resume", run, "run.epochs=6"]):
        done = esper(*words, cwd=elsewhere)
        assert done.returncode == 0, done.stderr
    assert record_of(run)["epochs"] == 6


def test_a_run_remembers_which_data_it_was_started_on(place):
    record = record_of(place / "run")
    assert record["working_directory"] == str(place)
    assert record["data"]["path"] == str(place / "data" / "small.txt")
    assert len(record["data"]["fingerprint"]) == 64
    assert f"path: {place}/data/small.txt" in (place / "run" / "config.yaml").read_text()


def test_a_moved_run_takes_the_same_data_at_another_path(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    expected = accuracy("run", cwd=place)
    run = Path(shutil.move(place / "run", elsewhere / "run"))
    (place / "data" / "small.txt").rename(elsewhere / "renamed.txt")
    lost = esper("eval", "run", cwd=elsewhere)
    assert lost.returncode == 3 and "data.path=" in lost.stderr
    lost = esper("resume", "run", "run.epochs=6", cwd=elsewhere)
    assert lost.returncode == 3 and "data.path=" in lost.stderr
    assert accuracy("run", "data.path=renamed.txt", cwd=elsewhere) == expected
    done = esper("resume", "run", "run.epochs=6", "data.path=renamed.txt", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert accuracy(run, cwd=place) >= 0
    assert record_of(run)["data"]["path"] == str(elsewhere / "renamed.txt")


def test_other_data_is_refused_with_both_fingerprints(place):
    (place / "other.txt").write_text((place / "data" / "small.txt").read_text() + "more\n")
    fingerprint = record_of(place / "run")["data"]["fingerprint"]
    for words in (["eval", "run"], ["resume", "run", "run.epochs=6"]):
        done = esper(*words, "data.path=other.txt", cwd=place)
        assert done.returncode == 2, done.stdout + done.stderr
        assert fingerprint[:12] in done.stderr
        assert len(set(re.findall(r"\b[0-9a-f]{12}\b", done.stderr))) == 2


def test_a_run_of_before_finds_its_relative_path_again(place, tmp_path_factory):
    run = place / "run"
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace(f"{place}/data", "data"))
    record = record_of(run)
    del record["working_directory"], record["data"]
    (run / "run.json").write_text(json.dumps(record))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert accuracy(run, cwd=elsewhere) == accuracy(run, cwd=place)
    assert esper("resume", run, "run.epochs=6", cwd=elsewhere).returncode == 0
    (place / "data").rename(place / "gone")
    lost = esper("eval", run, cwd=elsewhere)
    assert lost.returncode == 3 and "data.path=" in lost.stderr


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("mine")
    text = write_text(tmp_path / "small.txt")
    done = esper("train", *NEVER, f"data.path={text}", "--run", "own", cwd=tmp_path)
    assert done.returncode == 2 and "thesis.tex" in done.stderr
    assert os.listdir(tmp_path / "own") == ["thesis.tex"]


@pytest.mark.parametrize("settings, environment", [
    (["growth.seeds_per_anchor=99"], {}),
    ([], {"ESPER_FAULTS": "files.write@3"}),
    ([], {"ESPER_FAULTS": "files.rename@2"}),
])
def test_a_start_that_fails_leaves_no_folder(tmp_path, settings, environment):
    text = write_text(tmp_path / "small.txt")
    words = ["train", *TINY, f"data.path={text}", "--run", "runs/new"]
    done = esper(*words, *settings, cwd=tmp_path, **environment)
    assert done.returncode in (1, 2), done.stderr
    assert "esper resume" not in done.stderr
    assert os.listdir(tmp_path) == ["small.txt"]
    assert esper(*words, cwd=tmp_path).returncode == 0


FILES = ["events.jsonl", "metrics.csv", "journal.jsonl", "config.yaml", "run.json", "lock",
         "checkpoints", "checkpoints/best.ckpt"]


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_a_strangers_run_is_not_followed(place, name):
    run, mine = place / "run", place / "mine"
    (run / name).rename(mine)
    if mine.is_file():
        mine.write_bytes(mine.read_bytes() + b"SECRET\n")
        before = mine.read_bytes()
    (run / name).symlink_to(mine)
    for words in (["resume", run, "run.epochs=6"], ["eval", run], ["export", run], ["inspect", run],
                  ["report", run], ["replay", run], ["rollback", run]):
        done = esper(*words, cwd=place)
        assert done.returncode in (1, 4), (words, done.stderr)
        assert name in done.stderr and "link" in done.stderr
        assert (run / name).is_symlink()
    if mine.is_file():
        assert mine.read_bytes() == before


def test_an_export_folder_that_is_a_link_is_not_followed(place):
    (place / "mine").mkdir()
    (place / "run" / "export").symlink_to(place / "mine")
    done = esper("export", "run", cwd=place)
    assert done.returncode == 4 and "export" in done.stderr
    assert os.listdir(place / "mine") == []
