"""Several labels of a table, class weights, figures of classes, confusion matrix; augmentations and
test-time views through the commands."""

import csv
import json
import random
import shutil
import subprocess
import time

import pytest
import small_runs
from conftest import ESPER, needs_esper
from small_runs import write_bars

pytestmark = needs_esper
numpy = pytest.importorskip("numpy")


def esper(*words, cwd):
    return small_runs.esper(*words, cwd=cwd, XDG_CACHE_HOME=cwd / "cache")


def train(*words, cwd, run="run"):
    done = esper("train", *words, "run.threads=1", "run.precision=fp32", "--run", run, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads((cwd / run / "run.json").read_text())


# Labels

@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    draw = random.Random(3)
    with (folder / "songs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tempo", "loud", "key", "tag_fast", "tag_noisy", "sad"])
        for _ in range(600):
            tempo, loud = draw.gauss(0, 1), draw.gauss(0, 1)
            key = draw.choice(["minor", "major"])
            writer.writerow([f"{tempo:.4f}", f"{loud:.4f}", key, int(tempo > 0.3),
                             "yes" if loud > 0.8 else "no", str(key == "minor")])
    return folder


LABELS = ["data.target=tag_*,sad", "run.epochs=6", "run.steps_per_epoch=60", "growth.enabled=false"]


def test_several_labels_are_learnt_from_a_table(songs):
    said = esper("data", "info", "songs.csv", "data.target=tag_*,sad", cwd=songs).stdout
    assert "multi_label of 'tag_fast, tag_noisy, sad'" in said and "tag_noisy 1" in said
    run = train("songs.csv", *LABELS, cwd=songs)
    figures = run["test_metrics"]
    assert run["task"] == "multi_label" and figures["accuracy"] > 0.9
    assert figures["f1"] > 0.85 and figures["auc"] > 0.95
    assert run["val_metrics"]["accuracy"] == run["val_accuracy"]
    measured = json.loads(esper("eval", "run", "--json", cwd=songs).stdout)
    assert measured["test_metrics"] == figures


def test_labels_are_predicted_as_probabilities(songs):
    if not (songs / "run").exists():
        train("songs.csv", *LABELS, cwd=songs)
    (songs / "new.csv").write_text("tempo,loud,key\n2.5,-2,minor\n-2.5,2.5,major\n")
    done = esper("predict", "run", "new.csv", cwd=songs)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert float(rows[0]["probability_tag_fast"]) > 0.9 > 0.1 > float(rows[1]["probability_tag_fast"])
    assert float(rows[1]["probability_tag_noisy"]) > 0.8
    assert float(rows[0]["probability_sad"]) > 0.9 > 0.1 > float(rows[1]["probability_sad"])
    line = json.loads(esper("predict", "run", "new.csv", "--json", cwd=songs).stdout.splitlines()[0])
    assert set(line["labels"]) == {"tag_fast", "tag_noisy", "sad"}


def test_the_loss_of_labels_is_the_binary_cross_entropy(songs):
    torch = pytest.importorskip("torch")
    import importlib.util
    run = train("songs.csv", *LABELS[:1], "run.epochs=1", "run.steps_per_epoch=2",
                "growth.enabled=false", cwd=songs, run="short")
    with (songs / "songs.csv").open() as file:
        rows = list(csv.DictReader(file))
    (songs / "all.csv").write_text((songs / "songs.csv").read_text())
    done = esper("predict", "short", "all.csv", "--json", cwd=songs)
    said = torch.tensor([[line["labels"][name] for name in ("tag_fast", "tag_noisy", "sad")]
                         for line in map(json.loads, done.stdout.splitlines())])
    right = torch.tensor([[row["tag_fast"] == "1", row["tag_noisy"] == "yes", row["sad"] == "True"]
                          for row in rows]).float()
    whole = torch.nn.functional.binary_cross_entropy(said, right).item()
    # The test part is a sample of these rows.
    assert run["test_loss"] == pytest.approx(whole, rel=0.2)


@pytest.mark.parametrize("target, said", [
    ("tag_fast,tempo", "a label holds or does not"), ("tag_fast,absent", "absent"),
    ("*", "names all columns")])
def test_columns_that_are_no_labels_are_refused(songs, target, said):
    done = esper("train", "songs.csv", f"data.target={target}", "--run", "no", cwd=songs)
    assert done.returncode == 2 and said in done.stderr, done.stderr


GROW = ["run.steps_per_epoch=20", "controller.policy=periodic", "growth.gate.rent=0",
        "growth.measure_share=100", "controller.period=1ep", "growth.enabled=true",
        "growth.gate.min_examples=20", "run.epochs=16", "checkpoint.every=1ep",
        "growth.gate.budget=10ba", "growth.gate.lag=0ba", "growth.start=0", "growth.stop=0.9",
        "growth.training=10ba", "growth.graft_steps=10", "growth.stabilization=5ba",
        "growth.fine_tune=5ba", "growth.cooldown=0ep", "growth.embargo=0ep",
        "optimization.schedule=constant", "optimization.warmup=0ba", "data.split.probe=0.25",
        "data.split.train=0.45"]


def assert_a_growing_run_goes_on_exactly(data, *words, cwd):
    whole = train(data, *GROW, *words, cwd=cwd, run="grown")
    assert whole["seeds"]["germinated"] > 0
    killed = cwd / "killed"
    with subprocess.Popen([ESPER, "train", data, *GROW, *words, "run.threads=1",
                           "run.precision=fp32", "--run", "killed", "-q"], cwd=cwd) as process:
        rows = killed / "metrics.csv"
        while process.poll() is None and not (rows.exists() and rows.read_text().count("\n") > 4):
            time.sleep(0.005)
        process.kill()
    assert json.loads((killed / "run.json").read_text())["status"] == "running"
    done = esper("resume", "killed", cwd=cwd)
    assert done.returncode == 0, done.stderr
    resumed = json.loads((killed / "run.json").read_text())
    for key in ("program_sha256", "train_loss", "val_loss", "test_loss", "seeds"):
        assert resumed[key] == whole[key], key


@pytest.mark.parametrize("settings", [
    [], ["optimization.class_weights=[1, 3, 0.5]", "optimization.label_smoothing=0.1"]],
    ids=["plain", "weighted"])
def test_a_run_on_labels_grows_and_goes_on_exactly(songs, settings, tmp_path):
    shutil.copy(songs / "songs.csv", tmp_path)
    assert_a_growing_run_goes_on_exactly("songs.csv", "data.target=tag_*,sad", *settings,
                                         cwd=tmp_path)


# Classes

@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    write_bars(folder / "bars.npz")
    return folder


SHORT = ["run.epochs=3", "run.steps_per_epoch=12", "growth.enabled=false", "data.augment.flip=true",
         "data.augment.shift=1"]


def test_figures_and_confusions_of_classes(pictures):
    run = train("bars.npz", *SHORT, cwd=pictures)
    confusion = numpy.array(run["test_confusion"]["rows"])
    figures = run["test_metrics"]
    assert confusion.sum() == pytest.approx(60, abs=30) and confusion.shape == (3, 3)
    assert figures["accuracy"] == pytest.approx(confusion.trace() / confusion.sum())
    hits = confusion.diagonal()
    f1 = 2 * hits / (confusion.sum(0) + confusion.sum(1))
    assert figures["f1"] == pytest.approx(f1[confusion.sum(0) + confusion.sum(1) > 0].mean())
    assert 0.4 < figures["auc"] <= 1
    page = (pictures / "run" / "report.html").read_text()
    assert "What it takes for what" in page and '"test_confusion"' in page


def test_views_are_averaged_at_test_time(pictures):
    train("bars.npz", *SHORT, cwd=pictures, run="views")
    done = esper("eval", "views", "--tta", "--json", cwd=pictures)
    assert done.returncode == 0, done.stderr
    plain, averaged = map(json.loads, done.stdout.splitlines())
    assert averaged["views"] == 10 and "views" not in plain
    assert averaged["test_loss"] != plain["test_loss"]
    assert averaged["test_loss"] == pytest.approx(plain["test_loss"], rel=0.6)
    train("bars.npz", *SHORT, "data.augment.flip=false", "data.augment.shift=0", cwd=pictures,
          run="plain")
    done = esper("eval", "plain", "--tta", cwd=pictures)
    assert done.returncode == 2 and "neither mirrored" in done.stderr


MIXED = ["data.augment.mixup=0.4", "data.augment.cutmix=1", "data.augment.erasing=0.3",
         "data.augment.randaugment=2", "optimization.label_smoothing=0.1",
         "optimization.schedule=constant", "optimization.warmup=0ba"]


def test_mixed_and_changed_images_go_on_exactly_after_a_stop(pictures):
    whole = train("bars.npz", *SHORT, *MIXED, cwd=pictures, run="whole")
    train("bars.npz", *SHORT, *MIXED, "run.epochs=1", cwd=pictures, run="parted")
    done = esper("resume", "parted", "run.epochs=3", cwd=pictures)
    assert done.returncode == 0, done.stderr
    parted = json.loads((pictures / "parted" / "run.json").read_text())
    for key in ("train_loss", "val_loss", "test_loss"):
        assert parted[key] == whole[key], key
    for left_out in ("mixup", "cutmix", "erasing", "randaugment"):
        other = train("bars.npz", *SHORT, *MIXED, f"data.augment.{left_out}=0", cwd=pictures,
                      run=f"no-{left_out}")
        assert other["train_loss"] != whole["train_loss"], left_out


def test_a_growing_run_on_mixed_images_goes_on_exactly(pictures):
    assert_a_growing_run_goes_on_exactly(
        "bars.npz", *MIXED, "optimization.class_weights=balanced", "optimization.layer_decay=0.8",
        "optimization.groups=[head.** rate=0.5, seed.** weight_decay=0]", "model.host=mlp",
        "model.width=32", "model.depth=2", cwd=pictures)


def test_threads_that_prepare_batches_do_not_change_them(pictures):
    losses = {train("bars.npz", *SHORT, *MIXED, f"data.workers={n}", cwd=pictures,
                    run=f"workers-{n}")["train_loss"] for n in (0, 2)}
    assert len(losses) == 1


@pytest.mark.parametrize("words, said", [
    (("songs.csv", "data.augment.mixup=1"), "mixup"),
    (("songs.csv", "data.augment.erasing=0.5"), "erasing"),
    (("songs.csv", "data.augment.randaugment=2"), "randaugment"),
    (("songs.csv", "data.target=tempo", "optimization.class_weights=balanced"), "class_weights"),
    (("songs.csv", "data.target=tempo", "optimization.label_smoothing=0.1"), "label_smoothing"),
    (("songs.csv", "data.target=tag_*,sad", "optimization.class_weights=1,2"), "got 2; give as many"),
    (("songs.csv", "data.tokenizer=bytes"), "tokenizer"),
    (("songs.csv", "data.augment.erasing=2"), "from 0 to 1"),
    (("songs.csv", "data.augment.magnitude=31"), "from 0 to 30"),
    (("songs.csv", "optimization.layer_decay=0"), "layer_decay"),
    (("songs.csv", "optimization.class_weights=some"), "balanced"),
    (("rows.npz", "data.augment.randaugment=2"), "randaugment"),
    (("rows.npz", "data.augment.cutmix=1"), "cutmix"),
    (("rows.npz", "data.task=multi_label"), "expected targets [N, labels] of 1 and 0"),
    (("plain.txt", "data.task=multi_label"), "several labels come with a table")])
def test_keys_that_do_not_fit_the_data_are_refused(songs, words, said):
    draw = numpy.random.default_rng(2)
    numpy.savez(songs / "rows.npz", X=draw.normal(size=(300, 4)), y=numpy.arange(300) % 3)
    (songs / "plain.txt").write_text("words " * 2000)
    done = esper("train", *words, "--run", "no", cwd=songs)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not (songs / "no").exists()
