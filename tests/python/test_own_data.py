"""A new user's own data: what `esper data info PATH` says of them, and `esper train PATH` alone."""

import gzip
import json
import os
import pickle
import struct
import subprocess

import pytest
from conftest import ESPER, needs_esper

pytestmark = needs_esper

# Shorter than what is chosen; nothing that decides what is read or how it is divided.
SHORT = ["run.threads=1", "run.precision=fp32", "run.epochs=2", "run.steps_per_epoch=4",
         "growth.enabled=false"]


def esper(*words, cwd, **environment):
    env = dict(os.environ, XDG_CACHE_HOME=str(cwd / "cache"), **environment)
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=env)


def train(path, *overrides, cwd, run="run"):
    done = esper("train", path, *SHORT, *overrides, "--run", run, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads((cwd / run / "run.json").read_text()), done


def info(path, *words, cwd):
    done = esper("data", "info", path, *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*words, cwd, exit_code=3):
    done = esper(*words, cwd=cwd)
    assert done.returncode == exit_code, (done.returncode, done.stderr)
    return done.stderr


# Tables

@pytest.fixture
def flowers(tmp_path):
    """Three kinds by the length of a leaf, with a column of places and one that counts rows."""
    rows = ["id,length,width,place,kind"]
    for i in range(150):
        kind = i % 3
        place = ("shore", "wood")[i % 2]
        rows.append(f"{i + 1},{kind + 0.01 * (i % 7)},{0.1 * (i % 5)},{place},"
                    + ("iris", "rose", "tulip")[kind])
    (tmp_path / "flowers.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_table_is_recognised_and_its_last_column_predicted(flowers):
    said = info("flowers.csv", cwd=flowers)
    assert "a table (CSV)" in said and "classification of 'kind'" in said
    assert "iris 50, rose 50, tulip 50" in said
    assert "the last column" in said and "'id' is left out: it counts the rows" in said
    assert "too few: the gate needs 500" in said


def test_what_is_shown_is_a_configuration_that_trains(flowers):
    said = info("flowers.csv", cwd=flowers)
    (flowers / "own.yaml").write_text(said[said.index("# What 'esper train"):])
    shown, _ = train("own.yaml", cwd=flowers)
    chosen, _ = train("flowers.csv", cwd=flowers, run="chosen")
    assert chosen["data"]["fingerprint"] in said
    assert shown["data"]["fingerprint"] == chosen["data"]["fingerprint"]
    assert shown["val_loss"] == chosen["val_loss"]


def test_a_table_is_learnt_with_one_command(flowers):
    run, done = train("flowers.csv", "run.epochs=30", "run.steps_per_epoch=6", cwd=flowers)
    assert run["task"] == "classification" and run["test_accuracy"] > 0.9
    assert run["test_metrics"]["accuracy"] == run["test_accuracy"]
    assert "host: mlp  # a table of" in done.stderr


def test_a_number_is_predicted_with_its_error_in_its_own_unit(tmp_path):
    rows = ["size;rooms;price"]
    rows += [f"{40 + i % 60};{1 + i % 4};{1000 * (40 + i % 60) + 5000 * (i % 4)}"
             for i in range(400)]
    (tmp_path / "houses.csv").write_text("\r\n".join(rows))
    assert "regression of 'price'" in info("houses.csv", cwd=tmp_path)
    run, done = train("houses.csv", "run.epochs=20", "run.steps_per_epoch=20", cwd=tmp_path)
    assert run["task"] == "regression" and run["target"] == "price"
    assert run["test_accuracy"] is None and run["val_accuracy"] is None
    # The prices' deviation is 18,000.
    assert 0 < run["test_metrics"]["rmse"] < 6000
    assert f"RMSE {run['test_metrics']['rmse']:.5g}" in done.stdout
    assert "val RMSE" in done.stderr
    measured = esper("eval", "run", "--json", cwd=tmp_path)
    assert json.loads(measured.stdout)["test_metrics"]["rmse"] == pytest.approx(
        run["test_metrics"]["rmse"], rel=1e-5)
    page = (tmp_path / "run" / "report.html").read_text()
    assert '"rmse"' in page and '"target": "price"' in page.replace('":"', '": "')


def test_another_column_is_predicted_by_its_name(flowers):
    assert "classification of 'place'" in info("flowers.csv", "data.target=place", cwd=flowers)
    assert "regression of 'length'" in info("flowers.csv", "data.target=length", cwd=flowers)
    said = refused("data", "info", "flowers.csv", "data.target=plaice", cwd=flowers,
                   exit_code=2)
    assert "'plaice' (did you mean 'place'?)" in said and "width" in said


def test_a_bad_row_is_named_and_refused_or_left_out_as_asked(flowers):
    text = (flowers / "flowers.csv").read_text().splitlines()
    text[41] = "41,1.0"
    (flowers / "flowers.csv").write_text("\n".join(text))
    said = refused("train", "flowers.csv", "--run", "run", cwd=flowers)
    assert "line 42 has 2 cells, the first line has 5" in said and "data.corrupt=skip" in said
    assert not (flowers / "run").exists()
    said = info("flowers.csv", "data.corrupt=skip", cwd=flowers)
    assert "1 rows were left out" in said and "line 42" in said
    run, _ = train("flowers.csv", "data.corrupt=skip", cwd=flowers)
    assert run["status"] == "done"


def test_a_run_on_a_table_goes_on_exactly(flowers):
    whole, _ = train("flowers.csv", "run.epochs=4", cwd=flowers, run="whole")
    train("flowers.csv", "run.epochs=2", "optimization.schedule=constant",
          "optimization.warmup=0ba", cwd=flowers, run="parted")
    straight, _ = train("flowers.csv", "run.epochs=4", "optimization.schedule=constant",
                        "optimization.warmup=0ba", cwd=flowers, run="straight")
    done = esper("resume", "parted", "run.epochs=4", cwd=flowers)
    assert done.returncode == 0, done.stderr
    parted = json.loads((flowers / "parted" / "run.json").read_text())
    for key in ("val_loss", "test_loss", "train_loss", "program_sha256"):
        assert parted[key] == straight[key], key
    (flowers / "flowers.csv").write_text((flowers / "flowers.csv").read_text() + "9,1,1,wood,iris\n")
    said = esper("resume", "whole", "run.epochs=5", cwd=flowers)
    assert said.returncode != 0 and "fingerprint" in said.stderr


def test_a_packed_table_is_read(flowers):
    packed = flowers / "flowers.csv.gz"
    packed.write_bytes(gzip.compress((flowers / "flowers.csv").read_bytes()))
    assert "iris 50" in info(packed, cwd=flowers)
    packed.write_bytes(packed.read_bytes()[:-40])
    assert "ends early" in refused("data", "info", packed, cwd=flowers)


# NumPy

numpy = pytest.importorskip("numpy")


def bright_digits(count, side=12, seed=0):
    random = numpy.random.default_rng(seed)
    labels = numpy.arange(count) % 4
    images = random.integers(0, 40, (count, side, side))
    images += (labels * 50)[:, None, None]
    return images.astype("uint8"), labels.astype("int64")


@pytest.mark.parametrize("packed", [False, True])
def test_an_npz_of_images_is_learnt(tmp_path, packed):
    x, y = bright_digits(400)
    save = numpy.savez_compressed if packed else numpy.savez
    save(tmp_path / "digits.npz", x_train=x[:300], y_train=y[:300], x_test=x[300:],
         y_test=y[300:])
    said = info("digits.npz", cwd=tmp_path)
    assert "12 x 12 pixels, 1 channel" in said and "100 test" in said
    run, _ = train("digits.npz", "run.steps_per_epoch=10", "model.width=4", cwd=tmp_path)
    assert run["task"] == "classification" and run["test_loss"] > 0


def test_rows_and_targets_of_two_files_are_learnt(tmp_path):
    random = numpy.random.default_rng(0)
    x = random.normal(size=(300, 5)).astype("float32")
    numpy.save(tmp_path / "X.npy", x)
    numpy.save(tmp_path / "y.npy", x @ numpy.arange(5, dtype="float32"))
    for path in (".", "X.npy"):
        assert "regression of 'y'" in info(path, cwd=tmp_path)
    run, _ = train("X.npy", cwd=tmp_path)
    assert run["test_metrics"]["rmse"] > 0


@pytest.mark.parametrize("array, why", [
    (numpy.array([{}, {}], dtype=object), "pickles and are never read"),
    (numpy.zeros((4, 3, 2), dtype="complex64"), "its elements are '<c8'"),
    (numpy.zeros((6, 3), dtype=">f8"), "big-endian"),
    (numpy.asfortranarray(numpy.zeros((6, 3))), "Fortran order"),
])
def test_an_array_that_cannot_be_read_is_refused_with_advice(tmp_path, array, why):
    numpy.save(tmp_path / "X.npy", array, allow_pickle=True)
    assert why in refused("train", "X.npy", cwd=tmp_path)


def test_a_head_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    numpy.save(tmp_path / "X.npy", numpy.zeros((6, 3)))
    whole = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(whole.replace(b"(6, 3), ", b"(99999999999, 99999), ")[:1000])
    said = refused("train", "X.npy", cwd=tmp_path)
    assert "bytes, but" in said or "multiplies to no number" in said or "head" in said


# IDX

def write_idx(path, array):
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    head += b"".join(struct.pack(">I", n) for n in array.shape)
    data = head + array.astype("uint8").tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def test_an_mnist_file_is_learnt_with_one_command(tmp_path):
    x, y = bright_digits(300)
    for name, a, b in (("train", x[:240], y[:240]), ("t10k", x[240:], y[240:])):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", a)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", b)
    of_folder = info(".", cwd=tmp_path)
    of_file = info("train-images-idx3-ubyte.gz", cwd=tmp_path)
    assert "IDX" in of_folder and "60 test" in of_folder
    fingerprint = [line for line in of_folder.splitlines() if "fingerprint" in line]
    assert fingerprint[0] in of_file
    assert "flip: false  # digits" in of_folder
    run, _ = train("train-images-idx3-ubyte.gz", "model.width=4", cwd=tmp_path)
    assert run["test_loss"] > 0
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", y[:239])
    assert "240 images" in refused("train", "train-images-idx3-ubyte.gz", cwd=tmp_path)


def test_sizes_beyond_the_file_are_refused_before_memory_is_asked_for(tmp_path):
    name = tmp_path / "train-images-idx3-ubyte"
    name.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 4_000_000_000, 30_000, 30_000) + bytes(99))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 0))
    said = refused("train", name, cwd=tmp_path)
    assert "its head says 3600000000000000000 bytes, but 99 follow" in said


# Folders of images

def write_images(folder, count, side=24, seed=0, kinds=("cat", "dog"), suffixes=(".png", ".jpg")):
    image = pytest.importorskip("PIL.Image")
    random = numpy.random.default_rng(seed)
    for number, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(0, 60, (side + i % 3, side, 3), dtype="uint8")
            pixels[:, :, number] += 150
            image.fromarray(pixels).save(folder / kind / f"{i:03}{suffixes[i % len(suffixes)]}")


def test_a_folder_of_photographs_is_learnt_with_one_command(tmp_path):
    write_images(tmp_path / "pets", 60)
    said = info("pets", "--png", "samples.png", cwd=tmp_path)
    assert "images, a folder for each class" in said and "cat 60, dog 60" in said
    assert "scaled to 24 x 24 pixels" in said
    image = pytest.importorskip("PIL.Image")
    assert image.open(tmp_path / "samples.png").size[0] >= 24
    run, _ = train("pets", "run.epochs=6", "run.steps_per_epoch=10", "model.width=4", cwd=tmp_path)
    assert run["test_accuracy"] > 0.9
    # The second time nothing is decoded: the pixels come from the cache, and are the same.
    (kept,) = (tmp_path / "cache" / "esper" / "images").iterdir()
    assert kept.stat().st_size > 120 * 24 * 24 * 3
    again, _ = train("pets", "run.epochs=1", "model.width=4", cwd=tmp_path, run="again")
    kept.unlink()
    anew, _ = train("pets", "run.epochs=1", "model.width=4", cwd=tmp_path, run="anew")
    assert again["val_loss"] == anew["val_loss"] and again["data"] == anew["data"]


def test_train_and_val_folders_are_parts_of_their_own(tmp_path):
    write_images(tmp_path / "pets" / "train", 20)
    write_images(tmp_path / "pets" / "val", 7, seed=1)
    assert "14 validation" in info("pets", cwd=tmp_path)
    write_images(tmp_path / "pets" / "val", 7, seed=1, kinds=("cow",))
    assert "is a class that" in refused("data", "info", "pets", cwd=tmp_path)


def test_damaged_images_are_named_and_refused_or_left_out_as_asked(tmp_path):
    write_images(tmp_path / "pets", 20)
    cut = tmp_path / "pets" / "cat" / "001.jpg"
    cut.write_bytes(cut.read_bytes()[:-200])
    (tmp_path / "pets" / "dog" / "000.png").write_bytes(b"no image")
    said = refused("train", "pets", "--run", "run", cwd=tmp_path)
    assert "000.png" in said and "data.corrupt=skip" in said
    said = info("pets", "data.corrupt=skip", cwd=tmp_path)
    assert "001.jpg" in said and "000.png" in said and "cat 19, dog 19" in said


# Text and tokens

def test_a_text_of_ones_own_is_learnt_with_one_command(tmp_path):
    for n in (1, 2):
        (tmp_path / f"part.{n}.txt").write_text(f"The cat {n} sat on the mat. Für Elise.\n" * 400)
    run, done = train("part.1.txt", "model.width=16", "model.heads=2", cwd=tmp_path)
    assert run["task"] == "next_token"
    assert run["val_metrics"]["perplexity"] > 1 and run["val_metrics"]["bits_per_byte"] > 0
    assert "bits a byte" in done.stdout and "Text sampled" in done.stdout
    both = info("part.*.txt", cwd=tmp_path)
    assert "texts, 2 files" in both
    assert "texts" in info(".", cwd=tmp_path)


def test_token_files_of_nanogpt_are_learnt(tmp_path):
    tokens = numpy.tile(numpy.arange(40, dtype="uint16"), 100)
    tokens.tofile(tmp_path / "train.bin")
    tokens[:800].tofile(tmp_path / "val.bin")
    said = info(".", cwd=tmp_path)
    assert "tokens of 40 kinds" in said and "99 validation" in said
    run, _ = train(".", "model.width=16", "model.heads=2", cwd=tmp_path)
    assert run["val_metrics"]["perplexity"] > 1 and "bits_per_byte" not in run["val_metrics"]
    (tmp_path / "train.bin").write_bytes(b"abc")
    assert "no whole number of 16-bit tokens" in refused("train", ".", cwd=tmp_path)


# CIFAR, and what is refused

def test_cifar_100_is_learnt_and_its_top_five_reported(tmp_path):
    random = numpy.random.default_rng(0)
    for name, count in (("train.bin", 400), ("test.bin", 100)):
        records = random.integers(0, 255, (count, 3074), dtype="uint8")
        records[:, 1] = numpy.arange(count) % 100
        records.tofile(tmp_path / name)
    assert "CIFAR-100" in info(".", cwd=tmp_path)
    run, done = train(".", "model.width=4", cwd=tmp_path)
    assert 0 <= run["test_metrics"]["accuracy"] <= run["test_metrics"]["top5_accuracy"] <= 1
    assert "top-5" in done.stdout


def test_pickles_and_unread_formats_are_refused_with_advice(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    (tmp_path / "data.pkl").write_bytes(pickle.dumps(Bomb()))
    assert "numpy.savez" in refused("train", "data.pkl", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()
    (tmp_path / "data.arrow").write_bytes(b"ARROW1\x00\x00" + bytes(100))
    assert "to_csv" in refused("train", "data.arrow", cwd=tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "batches.meta").write_bytes(b"\x80\x04")
    assert "esper data fetch cifar10" in refused("data", "info", folder, cwd=tmp_path)


def test_a_yaml_file_still_is_a_configuration(tmp_path):
    (tmp_path / "own.yaml").write_text("run:\n  epochs: nonsense\n")
    done = esper("train", "own.yaml", cwd=tmp_path)
    assert done.returncode == 2 and "run.epochs" in done.stderr
    (tmp_path / "own.conf").write_text("# mine\nrun:\n  epochs: nonsense\n")
    done = esper("train", "own.conf", cwd=tmp_path)
    assert done.returncode == 2 and "run.epochs" in done.stderr


# What is refused, and what is said

@pytest.mark.parametrize("name, content, advice", [
    ("a.zip", b"PK\x03\x04" + bytes(60), "unzip"),
    ("a.pt", b"PK\x03\x04" + bytes(60), "numpy.savez"),
    ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(60), "7z x"),
    ("a.npy", bytes(range(200, 256)) * 4, "does not begin as one does"),
    ("a.npz", bytes(range(200, 256)) * 4, "does not begin as one does"),
    ("a.h5", bytes(range(200, 256)) * 4, "does not begin as one does"),
    ("b.7z", b"1,2\n3,4\n", "does not begin as one does"),
])
def test_an_archive_is_refused_with_what_to_do(tmp_path, name, content, advice):
    (tmp_path / name).write_bytes(content)
    said = refused("data", "info", name, cwd=tmp_path)
    assert advice in said and "iconv" not in said


def test_what_is_known_of_data_kept_in_a_file_is_a_configuration(flowers):
    (flowers / "h.yaml").write_text(info("flowers.csv", cwd=flowers))
    done = esper("train", "h.yaml", "--dry-run", cwd=flowers)
    assert done.returncode == 0, done.stderr


def test_validation_rows_of_their_own_that_are_left_out_are_said(tmp_path):
    numpy = pytest.importorskip("numpy")
    x = numpy.random.default_rng(0).normal(size=(240, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    numpy.savez(tmp_path / "a.npz", x_train=x[:200], y_train=y[:200], x_val=x[200:],
                y_val=y[200:])
    assert "the 40 validation rows" in info("a.npz", cwd=tmp_path)
