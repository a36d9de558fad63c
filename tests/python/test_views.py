"""Test-time augmentation: --tta of `esper eval` and `esper predict`."""

import json
import os
import subprocess

import pytest
from conftest import ESPER, needs_esper
from small_runs import write_bars

pytestmark = needs_esper
numpy = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

SHORT = ["run.threads=1", "run.precision=fp32", "run.epochs=2", "run.steps_per_epoch=12",
         "growth.enabled=false"]


def esper(*words, cwd):
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=dict(os.environ, XDG_CACHE_HOME=str(cwd / "cache")))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    x = write_bars(folder / "bars.npz")
    Image.fromarray(x[0]).save(folder / "one.png")
    for run, augment in (("moved", ["data.augment.flip=true", "data.augment.shift=1"]),
                         ("mirrored", ["data.augment.flip=true", "data.augment.shift=0"]),
                         ("plain", ["data.augment.flip=false", "data.augment.shift=0"])):
        done = esper("train", "bars.npz", *SHORT, *augment, "--run", run, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def views_of(image):
    """The image and what it is moved to, each with its mirror image; what is moved in is the mean."""
    moves = [image]
    for axis, by in ((2, 1), (2, -1), (1, 1), (1, -1)):
        moved = numpy.roll(image, by, axis)
        edge = [slice(None)] * 3
        edge[axis] = 0 if by > 0 else -1
        moved[tuple(edge)] = 0
        moves.append(moved)
    return numpy.stack([v for move in moves for v in (move, move[:, :, ::-1])])


@pytest.mark.parametrize("run, count", [("moved", 10), ("mirrored", 2)])
def test_predictions_are_the_mean_over_the_views(pictures, run, count):
    torch = pytest.importorskip("torch")
    import importlib.util
    done = esper("predict", run, "one.png", "--tta", "--json", cwd=pictures)
    assert done.returncode == 0, done.stderr
    said = {c["class"]: c["probability"] for c in json.loads(done.stdout)["top"]}
    exported = pictures / f"{run}-export"
    assert esper("export", run, "-o", exported, cwd=pictures).returncode == 0
    spec = importlib.util.spec_from_file_location("model", exported / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model.load().eval()
    # Mean and deviation of the training part are what one view alone tells.
    plain = esper("predict", run, "one.png", "--json", cwd=pictures)
    alone = {c["class"]: c["probability"] for c in json.loads(plain.stdout)["top"]}
    pixels = numpy.asarray(Image.open(pictures / "one.png")).transpose(2, 0, 1) / 255
    x, y = numpy.load(pictures / "bars.npz")["X"], numpy.load(pictures / "bars.npz")["y"]
    mean, deviation = x.mean((0, 1, 2)) / 255, x.std((0, 1, 2)) / 255
    image = ((pixels - mean[:, None, None]) / deviation[:, None, None]).astype("f")
    assert y[0] == 0
    with torch.no_grad():
        views = torch.from_numpy(views_of(image)[:count].copy())
        each = torch.softmax(model(views), 1)
    # The whole set's mean and deviation stand in for the training part's: near, not equal.
    for kind in range(3):
        assert alone[str(kind)] == pytest.approx(each[0, kind].item(), abs=0.02)
        assert said[str(kind)] == pytest.approx(each.mean(0)[kind].item(), abs=0.02)
    assert said != alone


def test_the_test_part_is_measured_over_views(pictures):
    done = esper("eval", "moved", "--tta", "--json", cwd=pictures)
    assert done.returncode == 0, done.stderr
    plain, averaged = map(json.loads, done.stdout.splitlines())
    assert averaged["views"] == 10 and "views" not in plain
    assert averaged["test_loss"] != plain["test_loss"]
    assert averaged["test_loss"] == pytest.approx(plain["test_loss"], rel=0.7)
    assert "mean over 10 views" in esper("eval", "moved", "--tta", cwd=pictures).stdout


def test_views_that_the_run_never_saw_are_refused(pictures, tmp_path):
    for command in (("eval", "plain"), ("predict", "plain", "one.png")):
        done = esper(*command, "--tta", cwd=pictures)
        assert done.returncode == 2 and "neither mirrored" in done.stderr
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,x\n2,y\n" * 60)
    done = esper("train", "rows.csv", *SHORT, "run.steps_per_epoch=2", "--run", "rows", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = esper("eval", "rows", "--tta", cwd=tmp_path)
    assert done.returncode == 2 and "only classes and labels of images" in done.stderr
