"""Every configuration of configs/ is run, only shorter and smaller: each ends, grows or says why not,
and its Program can be rebuilt from its journal."""

import json
import subprocess

import pytest
from conftest import ESPER, ROOT, needs_esper

pytestmark = needs_esper

# What makes each short: lengths and sizes, nothing that decides about growth.
SHORTER = {
    "cifar10": ["run.epochs=3", "run.steps_per_epoch=3", "data.train_examples=200"],
    "default": ["run.epochs=2", "run.steps_per_epoch=3", "model.width=16", "model.heads=2",
                "model.context=16"],
    "development": ["run.epochs=2", "run.steps_per_epoch=3", "model.width=16", "model.context=16"],
    "drawn": ["run.epochs=3", "run.steps_per_epoch=3", "model.width=4",
              "data.train_examples=400"],
    # Its budget is tried in test_budget_finish.py; here every run is counted in epochs.
    "frontier": ["run.budget=", "run.epochs=2", "run.steps_per_epoch=3",
                 "optimization.warmup=3ba", "model.width=16", "model.context=16"],
    "phase1_mvp": ["run.epochs=2", "run.steps_per_epoch=3", "model.depth=8", "model.width=4",
                   "data.train_examples=200"],
    # Its budget and its growing images are tried in test_growing_images.py.
    "resolution": ["run.budget=", "run.epochs=3", "run.steps_per_epoch=3", "optimization.warmup=3ba",
                   "run.precision=fp32", "model.width=4"],
    "shakespeare": ["run.epochs=2", "run.steps_per_epoch=3", "model.width=16", "model.heads=2",
                    "model.context=16"],
    "testing": [],
}
CIFAR = {"cifar10", "phase1_mvp", "resolution"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """CIFAR-10 in its layout: six files of 10,000 records, a class and 3,072 bytes each. The
    brightness tells the class."""
    folder = tmp_path_factory.mktemp("cifar")
    records = b"".join(bytes([i % 10]) + bytes([20 * (i % 10) + i % 7]) * 3072
                       for i in range(10_000))
    for name in [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]:
        (folder / name).write_bytes(records)
    return folder


def test_every_shipped_configuration_is_here():
    assert set(SHORTER) == {path.stem for path in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(SHORTER))
def test_a_shipped_configuration_runs_to_its_end(tmp_path, pictures, name):
    overrides = [*SHORTER[name], "run.threads=1", "run.precision=fp32"]
    if name in CIFAR:
        overrides.append(f"data.path={pictures}")
    # From the repository, as the documentation has it: the paths in the files are relative to it.
    done = subprocess.run(
        [ESPER, "train", str(ROOT / "configs" / f"{name}.yaml"), *overrides, "--run",
         str(tmp_path / "run")], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["status"] == "done" and run["val_loss"] > 0
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]
    assert len(rows) == run["epochs"] == (10 if name == "testing" else int(
        next(o for o in overrides if o.startswith("run.epochs")).split("=")[1]))
    # Something was decided, or the last screen says that nothing was.
    assert run["seeds"]["germinated"] or "grew" in done.stdout, done.stdout
    replayed = subprocess.run([ESPER, "replay", str(tmp_path / "run")], capture_output=True,
                              text=True, timeout=60)
    assert replayed.returncode == 0 and run["program_sha256"] in replayed.stdout


def test_bytes_that_are_no_picture_set_are_refused(tmp_path, pictures):
    for path in pictures.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "data_batch_3.bin").unlink()
    (tmp_path / "data_batch_3.bin").write_bytes((pictures / "data_batch_3.bin").read_bytes()[:-1])
    done = subprocess.run(
        [ESPER, "train", str(ROOT / "configs" / "cifar10.yaml"), f"data.path={tmp_path}", "--run",
         str(tmp_path / "run")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "data_batch_3.bin" in done.stderr, done.stderr
