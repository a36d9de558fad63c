"""What bench/python/growth_frontier.py makes of the runs that it is given."""

import json
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "python"))

import growth_frontier as frontier  # noqa: E402

BUDGETS = (1e9, 2e9, 4e9)


def put(folder, loss, flops, fork=None):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({
        "status": "done", "test_loss": loss, "best_val_loss": loss - 0.01, "flops_total": flops,
        "wall_seconds": flops / 1e9, "parameters": 100, "versions": {}}))
    if fork is not None:
        (folder / "events.jsonl").write_text(json.dumps(
            {"event": "forked", "flops_total": fork, "wall_seconds": fork / 1e9}) + "\n")


def put_run(folder, losses, budgets):
    """A trunk for the last budget, finished at the others, each forked at 0.4 of it."""
    put(folder, losses[-1], budgets[-1])
    for loss, budget in zip(losses, budgets[:-1]):
        put(folder / "finish" / frontier.name_of(budget), loss, budget, 0.4 * budget)


class MadeRuns:
    """Stands for the runs of two seeds, which lie there already."""

    LOSSES = {"grown": (1.8, 1.6, 1.4), "L1": (1.81, 1.65, 1.6), "L2": (1.9, 1.61, 1.45),
              "L3": (1.7, 1.41), "L4": (1.5,)}

    def __init__(self, folder):
        self.folder = folder

    def do_all(self, jobs):
        folders = []
        for job in jobs:
            which = ((0, 1, 2) if job.name == "grown" else frontier.SWEEP[int(job.name[1:])])
            folder = self.folder / f"{job.name}-{job.seed}"
            put_run(folder, [v + 0.001 * job.seed for v in self.LOSSES[job.name]],
                    [BUDGETS[i] for i in which])
            folders.append(folder)
        return folders


@pytest.fixture
def rows(tmp_path):
    made = frontier.Frontier(MadeRuns(tmp_path), tmp_path / "c.yaml", (), BUDGETS, ())
    for seed in (1, 2):
        made.add_seed(seed)
    return {row["case"]: row for row in made.rows()}


def test_each_budget_is_compared_with_its_own_best_size(rows):
    peers = [rows[f"tinyshakespeare, {name}: loss against the best static"]["peer"]
             for name in ("1e9", "2e9", "4e9")]
    assert peers == pytest.approx([1.8115, 1.6115, 1.4115])  # L1, L2, L3


def test_a_trunk_is_counted_once_in_a_run_and_in_the_sweep(rows):
    row = rows["tinyshakespeare: FLOPs against the sweep"]
    assert row["ours"] == pytest.approx(4e9 + 0.6 * 3e9)
    assert row["peer"] == pytest.approx(2 * (4e9 + 1.8e9) + (4e9 + 1.2e9) + 4e9)
    assert row["ratio"] == pytest.approx(row["peer"] / row["ours"])


def test_flops_to_a_loss_are_read_between_the_budgets(rows):
    row = rows["tinyshakespeare: FLOPs to a given larger net's loss"]
    assert row["peer"] == 4e9
    assert row["ours"] == pytest.approx(2e9 * math.sqrt(2))  # 1.5 is half way from 1.6 to 1.4
    seconds = rows["tinyshakespeare: seconds to a given larger net's loss"]
    assert seconds["ratio"] == pytest.approx(row["ratio"])


def test_a_loss_beyond_the_last_budget_is_read_off_the_last_piece_and_none_off_a_flat_one():
    assert frontier.needed([(1, 2.0), (2, 1.5), (4, 1.25)], 1.0) == pytest.approx(8)
    assert frontier.needed([(1, 2.0), (2, 1.5)], 1.9) == pytest.approx(2 ** 0.2)
    assert frontier.needed([(1, 1.5), (2, 1.5)], 1.4) == math.inf


def test_budgets_are_named_as_the_command_names_them():
    assert [frontier.name_of(b) for b in (3e11, 6e11, 12e11, 1.5e12, 6e10)] == [
        "3e11", "6e11", "1.2e12", "1.5e12", "6e10"]
