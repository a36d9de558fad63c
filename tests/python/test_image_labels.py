"""Several labels of images (labels.csv) and of arrays (a matrix of 1 and 0) through the commands."""

import csv
import importlib.util
import json
import shutil

import pytest
import small_runs
from conftest import needs_esper

pytestmark = needs_esper
numpy = pytest.importorskip("numpy")
image = pytest.importorskip("PIL.Image")

LABELS = ["bottom", "middle", "top"]
SHORT = ["run.threads=1", "run.precision=fp32", "growth.enabled=false"]
LEARN = ["run.epochs=5", "run.steps_per_epoch=30", "model.width=4", "data.augment.flip=false",
         "data.augment.shift=0"]


def esper(*words, cwd):
    return small_runs.esper(*words, cwd=cwd, XDG_CACHE_HOME=cwd / "cache")


def train(*words, cwd, run):
    done = esper("train", *words, *SHORT, "--run", run, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads((cwd / run / "run.json").read_text())


def info(*words, cwd):
    done = esper("data", "info", *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pictures(count, seed=1):
    """Images of 12 x 12 pixels, and 1 where there is a bright bar at the bottom, in the middle, at
    the top: each by itself."""
    draw = numpy.random.default_rng(seed)
    holds = draw.integers(0, 2, (count, 3), dtype=numpy.uint8)
    x = draw.integers(0, 90, (count, 12, 12, 3), dtype=numpy.uint8)
    for pixels, own in zip(x, holds):
        for bar, lit in enumerate(own):
            if lit:
                pixels[9 - 4 * bar:11 - 4 * bar] += 130
    return x, holds


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots")
    x, holds = pictures(420)
    (folder / "bars" / "shots").mkdir(parents=True)
    with (folder / "bars" / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *LABELS])
        for i, (pixels, own) in enumerate(zip(x, holds)):
            image.fromarray(pixels).save(folder / "bars" / "shots" / f"{i:03}.png")
            writer.writerow([f"shots/{i:03}.png", *own])
    numpy.savez(folder / "bars.npz", X=x, y=holds)
    return folder


@pytest.fixture(scope="module")
def learnt(shots):
    return train("bars", *LEARN, cwd=shots, run="learnt")


def test_labels_of_images_are_recognised_and_learnt(shots, learnt):
    said = info("bars", cwd=shots)
    assert "images, and labels.csv" in said
    assert "target 'bottom, middle, top': multi_label" in said and "labels      3: bottom " in said
    figures = learnt["test_metrics"]
    assert learnt["task"] == "multi_label" and figures["accuracy"] > 0.95
    assert figures["f1"] > 0.95 and figures["auc"] > 0.97
    measured = json.loads(esper("eval", "learnt", "--json", cwd=shots).stdout)
    assert measured["test_metrics"] == figures
    assert '"auc"' in (shots / "learnt" / "report.html").read_text()


def test_each_image_gets_a_probability_for_each_label(shots, learnt):
    x, holds = pictures(8, seed=7)
    for i, pixels in enumerate(x):
        image.fromarray(pixels).save(shots / f"new-{i}.png")
    files = [f"new-{i}.png" for i in range(8)]
    done = esper("predict", "learnt", *files, "--json", cwd=shots)
    assert done.returncode == 0, done.stderr
    said = numpy.array([[line["labels"][name] for name in LABELS]
                        for line in map(json.loads, done.stdout.splitlines())])
    assert ((said > 0.5) == holds).mean() > 0.9
    text = esper("predict", "learnt", files[0], cwd=shots).stdout
    assert text.startswith("new-0.png: ")
    for name, p in zip(LABELS, said[0]):
        assert f"{name} {100 * p:.1f} %" in text
    assert esper("predict", "learnt", files[0], "--tta", cwd=shots).returncode == 2


def test_the_exported_network_gives_the_probabilities_of_predict(shots, learnt):
    torch = pytest.importorskip("torch")
    done = esper("export", "learnt", "-o", "exported", cwd=shots)
    assert done.returncode == 0, done.stderr
    x, _ = pictures(4, seed=9)
    files = []
    for i, pixels in enumerate(x):
        image.fromarray(pixels).save(shots / f"out-{i}.png")
        files.append(f"out-{i}.png")
    lines = esper("predict", "learnt", *files, "--json", cwd=shots).stdout.splitlines()
    said = torch.tensor([[line["labels"][n] for n in LABELS] for line in map(json.loads, lines)])
    spec = importlib.util.spec_from_file_location("model", shots / "exported" / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The mean and deviation of the part that it learnt from are close to those of all pictures.
    every = numpy.load(shots / "bars.npz")["X"].reshape(-1, 3) / 255
    inputs = torch.tensor((x / 255 - every.mean(0)) / every.std(0)).float().permute(0, 3, 1, 2)
    with torch.no_grad():
        given = torch.sigmoid(module.Model.load().eval()(inputs))
    assert (given - said).abs().max() < 0.05


def test_labels_in_one_cell_are_the_same_labels(shots, learnt):
    folder = shots / "joined"
    shutil.copytree(shots / "bars", folder)
    with (shots / "bars" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "labels.csv").open("w") as file:
        file.write("name,what\n")
        for row in reversed(rows):  # the order of the rows says nothing
            name = row["file"].removeprefix("shots/").removesuffix(".png")
            file.write(name + "," + " | ".join(n for n in LABELS if row[n] == "1") + "\n")
    run = train("joined", *LEARN, cwd=shots, run="run-joined")
    assert run["data"]["fingerprint"] == learnt["data"]["fingerprint"]
    assert run["test_loss"] == learnt["test_loss"]


def test_a_column_with_one_name_for_each_image_is_classes(shots):
    folder = shots / "classes"
    shutil.copytree(shots / "bars", folder)
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "labels.csv").open("w") as file:
        file.write("id,kind\n")
        file.writelines(f"{row['file']},{'lit' if row['top'] == '1' else 'dark'}\n" for row in rows)
    assert "classification" in info("classes", cwd=shots)
    run = train("classes", *LEARN, cwd=shots, run="run-classes")
    assert run["task"] == "classification" and run["test_accuracy"] > 0.9


def test_some_of_the_columns_are_named(shots):
    said = info("bars", "data.target=top,b*", cwd=shots)
    assert "labels      2: top " in said and ", bottom " in said
    assert "classes     2: 0 " in info("bars", "data.target=middle", cwd=shots)
    done = esper("train", "bars", "data.target=left,top", "--run", "no", cwd=shots)
    assert done.returncode == 2 and "left" in done.stderr


def test_rows_and_images_that_do_not_fit_are_named_or_left_out(shots):
    folder = shots / "holes"
    shutil.copytree(shots / "bars", folder)
    (folder / "shots" / "000.png").rename(folder / "shots" / "stray.png")
    done = esper("train", "holes", "--run", "no", cwd=shots)
    assert done.returncode == 3 and "line 2 ('shots/000.png')" in done.stderr
    assert not (shots / "no").exists()
    said = info("holes", "data.corrupt=skip", cwd=shots)
    assert "1 rows of holes/labels.csv name no image" in said
    assert "1 images have no row in holes/labels.csv: 'holes/shots/stray.png'" in said
    (folder / "labels.csv").write_text("file,top\nshots/001.png,maybe\nshots/002.png,1\n")
    done = esper("data", "info", "holes", "data.target=top,", "data.corrupt=skip", cwd=shots)
    assert done.returncode == 2 and "labels.csv" in done.stderr


def test_a_labels_file_that_names_no_image_leaves_the_folders_as_classes(shots):
    folder = shots / "folders"
    for kind in ("a", "b"):
        (folder / kind).mkdir(parents=True)
        for i in range(30):
            shutil.copy(shots / "bars" / "shots" / f"{i:03}.png", folder / kind / f"{kind}{i}.png")
    before = info("folders", cwd=shots)
    (folder / "labels.csv").write_text("class,meaning\na,first\nb,second\n")
    said = info("folders", cwd=shots)
    assert "a 30, b 30" in said and "labels.csv names no image and is passed over" in said
    for text in (before, said):
        assert text.count("fingerprint") == 1
    line = next(row for row in before.splitlines() if "fingerprint" in row)
    assert line in said
    done = esper("data", "info", "folders", "data.task=multi_label", cwd=shots)
    assert done.returncode == 2 and "names no image" in done.stderr


# Arrays

def test_a_matrix_of_1_and_0_is_labels_of_images(shots):
    said = info("bars.npz", cwd=shots)
    assert "target 'y': multi_label, because it has 3 columns of 1 and 0" in said
    run = train("bars.npz", *LEARN, cwd=shots, run="arrays")
    assert run["task"] == "multi_label" and run["test_metrics"]["f1"] > 0.95


def test_a_matrix_of_1_and_0_is_labels_of_rows(tmp_path):
    draw = numpy.random.default_rng(3)
    x = draw.normal(size=(600, 5)).astype("float32")
    y = numpy.stack([x[:, 0] > 0.2, x[:, 1] > 0, x[:, 2] + x[:, 3] > 0], axis=1)
    numpy.savez(tmp_path / "rows.npz", x_train=x[:500], y_train=y[:500], x_test=x[500:],
                y_test=y[500:])
    run = train("rows.npz", "run.epochs=6", "run.steps_per_epoch=50", cwd=tmp_path, run="run")
    assert run["task"] == "multi_label" and run["test_metrics"]["accuracy"] > 0.9


def test_rows_with_exactly_one_1_are_classes_unless_labels_are_asked_for(shots):
    x, holds = pictures(300, seed=4)
    kind = holds[:, 0] + holds[:, 1]
    numpy.savez(shots / "hot.npz", X=x, y=numpy.eye(3)[kind])
    numpy.savez(shots / "plain.npz", X=x, y=kind)
    runs = [train(name, *LEARN[:4], "run.epochs=1", cwd=shots, run=f"run-{name}")
            for name in ("hot.npz", "plain.npz")]
    assert runs[0]["task"] == "classification" and runs[0]["test_loss"] == runs[1]["test_loss"]
    said = info("hot.npz", "data.task=multi_label", cwd=shots)
    assert "multi_label" in said and "labels      3: label1 " in said


@pytest.mark.parametrize("words, said, code", [
    (("odd.npz",), "holds 2; expected one target for each row", 3),
    (("bars.npz", "data.task=classification"), "these are labels (multi_label)", 2),
    (("bars.npz", "optimization.class_weights=1,2"),
     "expected 3 numbers, one for each label in this order: label1, label2, label3; got 2", 2),
    (("bars.npz", "optimization.class_weights=1,-2,3"), "numbers of at least 0", 2)])
def test_targets_and_keys_that_do_not_fit_are_refused(shots, words, said, code):
    x, holds = pictures(60)
    numpy.savez(shots / "odd.npz", X=x, y=holds * 2)
    done = esper("train", *words, "--run", "no", cwd=shots)
    assert done.returncode == code and said in done.stderr, done.stderr
    assert not (shots / "no").exists()


def test_images_with_labels_are_erased_and_changed(shots):
    run = train("bars", *LEARN[1:3], "run.epochs=1", "data.augment.erasing=0.5",
                "data.augment.randaugment=1", cwd=shots, run="changed")
    assert run["status"] == "done"


def test_a_run_on_labels_of_images_goes_on_exactly(shots):
    even = [*LEARN[1:3], "optimization.schedule=constant", "optimization.warmup=0ba"]
    whole = train("bars", *even, "run.epochs=2", cwd=shots, run="whole")
    train("bars", *even, "run.epochs=1", cwd=shots, run="parted")
    done = esper("resume", "parted", "run.epochs=2", cwd=shots)
    assert done.returncode == 0, done.stderr
    parted = json.loads((shots / "parted" / "run.json").read_text())
    for key in ("train_loss", "val_loss", "test_loss", "test_metrics", "program_sha256"):
        assert parted[key] == whole[key], key


SOFT = ["data.augment.mixup=0.4", "data.augment.cutmix=1", "optimization.class_weights=balanced"]


def test_weights_of_labels_are_told_and_what_rarely_holds_is_found_more_often(shots):
    x, holds = pictures(400, seed=11)
    holds[:, 2] = 0
    holds[:40, 2] = 1
    x = numpy.random.default_rng(5).integers(0, 256, x.shape, dtype=numpy.uint8)  # nothing to see
    numpy.savez(shots / "rare.npz", X=x, y=holds)
    said = info("rare.npz", "optimization.class_weights=balanced", cwd=shots)
    line = next(row for row in said.splitlines() if "weights  " in row)
    assert 7 < float(line.split("label3 ")[1]) < 11, line
    assert "weights  " not in info("rare.npz", cwd=shots)
    said = info("rare.npz", "optimization.class_weights=[1, 2.5, 40]", cwd=shots)
    assert "weights     label1 1, label2 2.5, label3 40" in said
    files = []
    for i in range(20):
        image.fromarray(x[i]).save(shots / f"noise-{i}.png")
        files.append(f"noise-{i}.png")
    means = []
    for name, weights in (("plain", "none"), ("weighted", "balanced")):
        train("rare.npz", "run.epochs=1", "run.steps_per_epoch=40", "model.width=4",
              "data.augment.flip=false", "data.augment.shift=0",
              f"optimization.class_weights={weights}", cwd=shots, run=f"rare-{name}")
        done = esper("predict", f"rare-{name}", *files, "--json", cwd=shots)
        means.append(numpy.mean([json.loads(line)["labels"]["label3"]
                                 for line in done.stdout.splitlines()]))
    assert means[0] < 0.3 < means[1]


def test_a_run_on_mixed_images_with_labels_goes_on_exactly(shots):
    even = [*LEARN[1:3], *SOFT, "optimization.schedule=constant", "optimization.warmup=0ba"]
    whole = train("bars", *even, "run.epochs=2", cwd=shots, run="mixed")
    train("bars", *even, "run.epochs=1", cwd=shots, run="mixed-parted")
    done = esper("resume", "mixed-parted", "run.epochs=2", cwd=shots)
    assert done.returncode == 0, done.stderr
    parted = json.loads((shots / "mixed-parted" / "run.json").read_text())
    for key in ("train_loss", "val_loss", "test_loss", "test_metrics"):
        assert parted[key] == whole[key], key
    for left_out in ("data.augment.cutmix=0", "optimization.class_weights=none"):
        other = train("bars", *even, left_out, "run.epochs=2", cwd=shots,
                      run=f"mixed-{left_out.split('=')[0]}")
        assert other["train_loss"] != whole["train_loss"], left_out


def test_the_views_of_an_image_are_averaged_label_by_label(shots):
    folder = shots / "parts"
    shutil.copytree(shots / "bars" / "shots", folder / "train" / "shots")
    (folder / "test").mkdir()
    x, holds = pictures(24, seed=21)
    rows = [f"{row}" for row in (shots / "bars" / "labels.csv").read_text().splitlines()]
    for i, (pixels, own) in enumerate(zip(x, holds)):
        image.fromarray(pixels).save(folder / "test" / f"t{i}.png")
        image.fromarray(pixels[:, ::-1]).save(shots / f"mirrored-{i}.png")
        rows.append(f"test/t{i}.png," + ",".join(map(str, own)))
    rows[1:421] = ["train/" + row for row in rows[1:421]]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    train("parts", "run.epochs=1", "run.steps_per_epoch=10", "model.width=4", "data.augment.shift=0",
          "data.augment.flip=true", cwd=shots, run="mirrors")

    def said(names, *words):
        done = esper("predict", "mirrors", *names, *words, "--json", cwd=shots)
        assert done.returncode == 0, done.stderr
        return numpy.array([[json.loads(line)["labels"][name] for name in LABELS]
                            for line in done.stdout.splitlines()])

    plain = [f"parts/test/t{i}.png" for i in range(24)]
    averaged = said(plain, "--tta")
    mean = (said(plain) + said([f"mirrored-{i}.png" for i in range(24)])) / 2
    numpy.testing.assert_allclose(averaged, mean, atol=1e-6)
    done = esper("eval", "mirrors", "--tta", "--json", cwd=shots)
    assert done.returncode == 0, done.stderr
    alone, both = map(json.loads, done.stdout.splitlines())
    assert (both["views"], both["examples"]) == (2, 24)
    loss = -numpy.where(holds == 1, numpy.log(mean), numpy.log(1 - mean)).mean()
    assert both["test_loss"] == pytest.approx(loss, abs=1e-5) != alone["test_loss"]
    assert both["test_metrics"]["accuracy"] == pytest.approx(((mean > 0.5) == holds).mean())
    assert both["test_metrics"]["f1"] > 0 and 0 < both["test_metrics"]["auc"] <= 1
