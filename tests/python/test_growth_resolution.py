"""What bench/python/growth_resolution.py makes of the runs that it is given."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "python"))

import growth_resolution as resolution  # noqa: E402


class MadeRuns:
    """Stands for the runs, and keeps what was asked for."""

    ACCURACIES = {"grown": 0.7, "px16": 0.65, "px32": 0.6}

    def __init__(self, folder):
        self.folder, self.jobs = folder, []

    def do_all(self, jobs):
        self.jobs += jobs
        for job in jobs:
            arm = job.name.split("-")[0]
            folder = self.folder / f"{job.name}-{job.seed}"
            folder.mkdir()
            accuracy = self.ACCURACIES[arm] + job.seed / 100
            (folder / "run.json").write_text(
                f'{{"test_accuracy": {accuracy}, "test_loss": 1, "steps": 10, "wall_seconds": 1}}')
            yield folder


def test_all_arms_have_the_same_recipe_but_for_their_size(tmp_path):
    runs = MadeRuns(tmp_path)
    made = resolution.train(runs, ("run.threads=1",), (1, 2), ("1e12",), ("16", "32"))
    assert list(made) == [("1e12", "grown"), ("1e12", "px16"), ("1e12", "px32")]
    own = {job.name: job.overrides for job in runs.jobs}
    base = ("run.threads=1", "run.budget=1e12")
    assert own["grown-1e12"] == base
    assert own["px16-1e12"] == (*base, "data.resolution=[16]")
    rows = resolution.rows_of(made)
    assert [row["case"].split("against ")[1] for row in rows] == ["16 pixels", "32 pixels"]
    assert rows[1]["ours"] == pytest.approx(28.5)
    assert rows[1]["peer"] == pytest.approx(38.5)
    assert rows[1]["ratio"] > rows[0]["ratio"] > 1
    assert "| 1e12 | 16, 24, 32 px | 71.50 (71.00, 72.00) |" in resolution.arms_table(made)
