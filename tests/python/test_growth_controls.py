"""bench/python/growth_controls.py on tiny real runs: every arm is what its name says."""

import json
import subprocess
import sys

import pytest

from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("controls") / "controls.json"
    done = subprocess.run([sys.executable, ROOT / "bench/python/growth_controls.py", "--quick",
                           "--binary", ESPER, "--json", path], capture_output=True, text=True,
                          timeout=400)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


def test_the_arms_spend_what_they_are_said_to_spend(report):
    arms = report["arms"]

    def spent(arm):
        return [run["flops_total"] - sum(run["flops"][k] for k in ("validation", "test", "sampling"))
                for run in arms[arm]]
    for grown, longer, scratch in zip(spent("grown"), spent("longer"), spent("scratch")):
        assert longer == pytest.approx(grown, rel=0.03)
        assert scratch == pytest.approx(grown, rel=0.03)
    assert all(run["seeds"]["germinated"] == 0 for arm in ("never", "longer", "scratch")
               for run in arms[arm])
    assert all(run["parameters"] == grown["parameters"]
               for run, grown in zip(arms["scratch"], arms["grown"]))
    assert {run["seed"] for run in arms["grown"]} == {4, 5}, "none that was tuned on"


def test_each_row_compares_the_means_of_two_arms(report):
    rows = {row["case"]: row for row in report["rows"]}
    losses = {arm: sum(run["test_loss"] for run in runs) / 2
              for arm, runs in report["arms"].items()}
    for case, peer in (("longer training, equal FLOPs", "longer"),
                       ("the final network from scratch, equal FLOPs", "scratch"),
                       ("random growth", "random"), ("never growing, equal steps", "never")):
        row = rows[f"tinyshakespeare: loss against {case}"]
        assert row["ours"] == pytest.approx(losses["grown"])
        assert row["peer"] == pytest.approx(losses[peer])
        assert row["n"] == 2
