"""Images that grow while a run goes on, by the commands as a user gives them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import needs_esper

from small_runs import esper, events_of, record_of, write_bars

pytestmark = needs_esper

GROWING = ["data.resolution=6, 8@25%, 12@50%", "model.width=4", "data.batch_size=16",
           "run.epochs=2", "run.steps_per_epoch=4", "run.precision=fp32", "run.threads=1",
           "growth.enabled=false"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_bars(folder / "bars.npz")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    done = esper("train", "bars.npz", *GROWING, "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "images grow from 6 to 8 pixels" in done.stderr
    return Path(folder) / "run"


def test_the_plan_shows_the_sizes_and_what_they_cost(folder):
    done = esper("train", "bars.npz", *GROWING, "--dry-run", cwd=folder)
    line = next(line for line in (done.stdout + done.stderr).splitlines()
                if line.startswith("# images"))
    assert re.fullmatch(r"# images       6 pixels \(.* FLOPs in training\), 8 pixels from 25 % on "
                        r"\(.*\), 12 pixels from 50 % on \(.*\)", line), line


def test_a_network_that_does_not_take_a_size_is_refused_in_the_plan_and_in_the_run(folder):
    for more in (["--dry-run"], ["--run", "refused"]):
        refused = esper("train", "bars.npz", *GROWING, "model.host=mlp", "model.depth=2", *more,
                        cwd=folder)
        assert refused.returncode != 0
        assert "does not take images of 6 x 6 pixels" in refused.stderr, refused.stderr
        assert "as resnet and vgg do" in refused.stderr
    assert not (folder / "refused").exists()


def test_sizes_above_the_images_own_are_refused(folder):
    refused = esper("train", "bars.npz", *GROWING, "data.resolution=6, 24@50%", cwd=folder)
    assert refused.returncode != 0
    assert "24 pixels, but the images of 'numpy' have 12 x 12" in refused.stderr, refused.stderr


def test_each_change_is_an_event_and_the_network_ends_at_the_last_size(folder, run):
    changes = [(e["step"], e["from"], e["to"]) for e in events_of(run) if e["event"] == "resolution"]
    assert changes == [(2, 6, 8), (4, 8, 12)]
    record = record_of(run)
    assert record["resolution"]["now"] == record["resolution"]["last"] == 12
    assert record["best_step"] == 8, "losses at smaller sizes are not compared"
    evaluated = esper("eval", "run", cwd=folder)
    assert f"{record['test_loss']:.4f}" in evaluated.stdout + evaluated.stderr
    assert esper("replay", "run", cwd=folder).returncode == 0
    assert "Its images grew" in (run / "report.html").read_text()


def test_the_exported_network_takes_images_of_the_last_size(folder, run):
    assert esper("export", "run", cwd=folder).returncode == 0
    pytest.importorskip("torch")
    code = ("import torch, model; net = model.Model.load(); "
            "net.eval(); print(tuple(net(torch.zeros(2, 3, 12, 12)).shape))")
    done = subprocess.run([sys.executable, "-c", code], cwd=run / "export", capture_output=True,
                          text=True, timeout=120)
    assert done.stdout.strip() == "(2, 3)", done.stderr
