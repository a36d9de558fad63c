"""The benchmark time_to_accuracy: both sides follow one recipe from the same first values."""

import csv
import importlib
import sys

import pytest
from conftest import BINARY, ROOT, needs_esper

pytestmark = needs_esper


@pytest.fixture(scope="module")
def bench():
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    sys.path.insert(0, str(ROOT / "bench" / "python"))
    return importlib.import_module("time_to_accuracy"), importlib.import_module("_race_peer")


def small(race):
    return race.__class__(**{**vars(race), "epochs": 3, "steps": 7, "target": 0.2})


def test_both_sides_have_one_schedule_and_one_start(bench, tmp_path, monkeypatch):
    ours, peer = bench
    race = small(ours.SHORT[0])
    start = ours.first_values(BINARY, race, 1, tmp_path)
    command = [str(BINARY), "train", *race.overrides(tmp_path), "--run", str(tmp_path / "run"),
               "--seed", "1", "--json"]
    whole, trained, best = ours.followed(race, command)
    assert 0 < trained < whole and best >= 0.2
    with (tmp_path / "run" / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["learning_rate"]) == pytest.approx(
                peer.rate(race, int(row["step"]) - 1), rel=1e-9)
    monkeypatch.setattr(peer, "SHORT", (race,))
    monkeypatch.setattr(sys, "argv", ["", race.name, "1", str(tmp_path), str(start)])
    peer.main()  # refuses first values of another network


def test_a_figure_is_reached_from_its_own_side(bench):
    accuracy, loss = bench[0].SHORT[0], bench[0].SHORT[1]
    assert accuracy.reached(accuracy.target) and not accuracy.reached(accuracy.target - 0.01)
    assert loss.reached(loss.target) and not loss.reached(loss.target + 0.01)
    assert all(bench[0].row("x", [1.0, 2.0], [2.0, 4.0])[key] == 2 for key in ("ratio", "n"))
