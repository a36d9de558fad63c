"""esper adapt of runs on images and tables, and what uses the adapter afterwards."""

import csv
import importlib.util
import json
import math
import random
import shutil

import pytest
from conftest import needs_esper

from small_runs import esper, write_bars

pytestmark = needs_esper

SHORT = ["growth.enabled=false", "run.threads=1", "data.workers=0"]


def write_table(path, rows, moved, seed):
    """A number by a rule; `moved`: by another one, and its columns in another order."""
    draw = random.Random(seed)
    with path.open("w", newline="") as file:
        names = ["a", "b", "place", "price"]
        writer = csv.DictWriter(file, names[::-1] if moved else names)
        writer.writeheader()
        for _ in range(rows):
            a, b, place = draw.gauss(0, 1), draw.gauss(0, 1), draw.choice("pqr")
            y = 3 * a + math.sin(2 * b) + "pqr".index(place) + (2 * a * b if moved else 0)
            writer.writerow({"a": f"{a:.4f}", "b": f"{b:.4f}", "place": place,
                             "price": f"{50 + 10 * y:.3f}"})
    return path


def lines(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_table(folder / "old.csv", 1500, False, 1)
    write_table(folder / "new.csv", 1000, True, 2)
    done = esper("train", "old.csv", *SHORT, "run.epochs=6", "--run", "host", cwd=folder)
    assert done.returncode == 0, done.stderr
    adapted = esper("adapt", "host", "new.csv", "--epochs", "10", "--name", "moved", "--json",
                    cwd=folder)
    return folder, lines(adapted)[-1]


def test_a_run_on_a_table_is_adapted_to_another_table(tables):
    folder, end = tables
    assert end["kept"] and end["losses"]["new"] < 0.8 * end["losses"]["new, host"]
    off, on = lines(esper("eval", "host", "--adapter", "moved", "--on", "new.csv", "--json",
                          cwd=folder))
    assert off["test_loss"] == pytest.approx(end["losses"]["new, host"], rel=1e-5)
    assert on["test_loss"] == pytest.approx(end["losses"]["new"], rel=1e-5)
    assert on["test_metrics"]["rmse"] < off["test_metrics"]["rmse"]


def test_a_rate_that_is_too_high_is_lowered(tables):
    folder, end = tables
    done = esper("adapt", "host", "new.csv", "--epochs", "10", "--rate", "0.1", "--name", "high",
                 "--json", cwd=folder)
    said = lines(done)
    lowered = [line for line in said if line["event"] == "lower"]
    assert len(lowered) == 1 and lowered[0]["rate"] == pytest.approx(0.1 / 3)
    best = min(line["loss"] for line in said if line["event"] == "look")
    assert said[-1]["losses"]["new"] < 0.8 * end["losses"]["new, host"] and best < 0.3


def test_predict_uses_the_adapter(tables):
    folder, _ = tables
    errors = []
    for words in ([], ["--adapter", "moved"]):
        done = esper("predict", "host", "new.csv", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert ("with moved" in done.stderr) == bool(words)
        errors.append(float(done.stderr.split("RMSE ")[1].split()[0]))
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize("name, content, code, message", [
    ("lacks.csv", "a,price\n" + "1,2\n3,4\n" * 100, 3, "lacks the columns 'b', 'place'"),
    ("few.csv", "a,b,place,price\n" + "1,2,p,30\n4,1,q,31.5\n" * 10, 3, "judged on at least"),
    ("text.txt", "to be or not to be\n" * 500, 2, "CSV"),
])
def test_a_table_that_does_not_fit_is_refused(tables, name, content, code, message):
    folder, _ = tables
    (folder / name).write_text(content)
    refused = esper("adapt", "host", name, "--name", "other", cwd=folder)
    assert refused.returncode == code and message in refused.stderr, refused.stderr
    assert not (folder / "host/adapters/other.esper").exists()


@pytest.mark.parametrize("words, message", [
    (["--rate", "nan"], "--rate"), (["--parameters", "150%"], "at most 100%"),
    (["-o", "new.csv"], "no adapter that could be replaced"),
    (["-o", "none/a.esper"], "its folder is not there")])
def test_bad_flags_are_refused_before_training(tables, words, message):
    folder, _ = tables
    before = (folder / "new.csv").read_bytes()
    refused = esper("adapt", "host", "new.csv", "--name", "other", *words, cwd=folder)
    assert refused.returncode != 0 and message in refused.stderr, refused.stderr
    assert "step " not in refused.stderr and (folder / "new.csv").read_bytes() == before


def test_the_test_part_is_the_same_with_and_without_on(tables):
    """The probe part takes what it lacks of the training part alone."""
    folder, _ = tables
    plain, = lines(esper("eval", "host", "--json", cwd=folder))
    on, = lines(esper("eval", "host", "--on", "old.csv", "--json", cwd=folder))
    assert on["test_loss"] == pytest.approx(plain["test_loss"], rel=1e-5)


def test_a_number_beyond_a_float_ends_in_a_figure_and_not_in_a_loop(tables):
    folder, _ = tables
    text = (folder / "new.csv").read_text().splitlines()
    text[500] = ",".join(["50", "p", "1e60", "1"])
    (folder / "far.csv").write_text("\n".join(text) + "\n")
    done = esper("predict", "host", "far.csv", cwd=folder)
    assert done.returncode == 3 and "line 501" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A run on bars, adapted to folders of negatives of them; one class has a name of its own."""
    numpy = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("images")
    bars = write_bars(folder / "bars.npz")
    for i, pixels in enumerate(bars):
        place = folder / "negatives" / ("0", "1", "low")[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        image.fromarray((255 - pixels).astype(numpy.uint8)).save(place / f"{i:03}.png")
    done = esper("train", "bars.npz", *SHORT, "run.epochs=3", "model.width=8", "--run", "host",
                 cwd=folder)
    assert done.returncode == 0, done.stderr
    adapted = esper("adapt", "host", "negatives", "--epochs", "8", "--name", "negatives", "--json",
                    cwd=folder)
    return folder, lines(adapted)[-1]


def test_a_run_on_images_is_adapted_to_other_images(images):
    folder, end = images
    assert end["kept"] and end["losses"]["new"] < 0.5 * end["losses"]["new, host"]
    off, on = lines(esper("eval", "host", "--adapter", "negatives", "--on", "negatives", "--json",
                          cwd=folder))
    assert on["test_loss"] == pytest.approx(end["losses"]["new"], rel=1e-4)
    assert on["test_accuracy"] > off["test_accuracy"]


def test_a_new_class_has_its_name_where_the_adapter_is_on(images):
    folder, _ = images
    file = next((folder / "negatives/low").iterdir())
    said = {}
    for words in ([], ["--adapter", "negatives"]):
        one, = lines(esper("predict", "host", file, *words, "--json", cwd=folder))
        said[bool(words)] = {c["class"] for c in one["top"]}
    assert said == {False: {"0", "1", "2"}, True: {"0", "1", "low"}}


def test_eval_goes_by_the_adapters_classes(images):
    """Of the classes `1` and `low` alone; without the adapter's list `low` would stand elsewhere."""
    folder, _ = images
    later = folder / "later"
    for name in ("1", "low"):
        shutil.copytree(folder / "negatives" / name, later / name)
    _, on = lines(esper("eval", "host", "--adapter", "negatives", "--on", "later", "--json", cwd=folder))
    assert on["test_accuracy"] > 0.8
    assert on["test_confusion"]["classes"] == ["0", "1", "low"]


def test_the_exported_network_has_the_adapter_in_it(images):
    torch = pytest.importorskip("torch")
    folder, end = images
    done = esper("export", "host", "--adapter", "negatives", cwd=folder)
    assert done.returncode == 0 and "with negatives" in done.stderr, done.stderr
    assert esper("export", "host", cwd=folder).returncode == 0
    lineage = json.loads((folder / "host/export-negatives/lineage.json").read_text())
    assert lineage["adapter"]["host"] == end["host"]
    assert lineage["adapter"]["program_sha256"] != lineage["program_sha256"]
    assert lineage["adapter"]["classes"] == ["0", "1", "low"]
    outputs = []
    x = torch.randn(4, 3, 12, 12)
    for place in ("export", "export-negatives"):
        spec = importlib.util.spec_from_file_location("model", folder / "host" / place / "model.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        outputs.append(module.Model.load().eval()(x))
    assert outputs[0].shape == outputs[1].shape and not torch.allclose(*outputs)


def test_a_run_on_images_refuses_a_table(images):
    folder, _ = images
    write_table(folder / "table.csv", 300, False, 3)
    refused = esper("adapt", "host", "table.csv", "--name", "t", cwd=folder)
    assert refused.returncode == 2 and "expected a folder of images" in refused.stderr, refused.stderr


def test_the_python_package_reads_the_classes(images, request):
    folder, _ = images
    said, = request.getfixturevalue("esper").adapters.ls(folder / "host/adapters")
    assert said["classes"] == ["0", "1", "low"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("exported")
    write_table(folder / "new.csv", 1000, True, 2)
    torch.manual_seed(0)
    # Two numbers and what they may lack, three places: the inputs that the table gives.
    model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16),
                                torch.nn.ReLU(), torch.nn.Linear(16, 1))
    batch = torch.export.Dim("batch", min=2)
    torch.export.save(torch.export.export(model, (torch.zeros(4, 5),),
                                          dynamic_shapes=({0: batch},)), folder / "model.pt2")
    return folder


def test_an_exported_model_is_adapted_as_a_run_of_its_own(exported):
    torch = pytest.importorskip("torch")
    end = lines(esper("adapt", "model.pt2", "new.csv", "data.target=price", "run.threads=1", "--run",
                      "host", "--epochs", "20", "--json", cwd=exported))[-1]
    assert end["kept"] and end["losses"]["new"] < 0.8 * end["losses"]["new, host"]
    assert set(end["losses"]) == {"new", "new, host"}
    record = json.loads((exported / "host/run.json").read_text())
    assert record["status"] == "stopped" and record["steps"] == 0
    said = esper("predict", "host", "new.csv", "--adapter", "adapter", cwd=exported)
    assert said.returncode == 0 and "RMSE" in said.stderr, said.stderr
    # Without the adapter it is the model that was given, value by value.
    assert esper("export", "host", "-o", "out", cwd=exported).returncode == 0
    from safetensors.torch import load_file
    given = torch.export.load(exported / "model.pt2").state_dict
    ours = load_file(exported / "out/model.safetensors")
    assert all(any(torch.equal(t, o) for o in ours.values()) for t in given.values())


@pytest.mark.parametrize("words, message", [
    (["model.pt2", "new.csv", "data.target=place", "--run", "b"], "model.path"),
    (["model.pt2", "none.csv", "--run", "b"], "none.csv"),
    (["model.pt2", "new.csv", "data.target=price", "--run", "b", "--parameters", "1e-9"], "too few"),
    (["host", "new.csv", "data.target=price"], "no .pt2 file"),
])
def test_what_does_not_fit_an_exported_model_leaves_no_run(exported, words, message):
    refused = esper("adapt", *words, cwd=exported)
    assert refused.returncode in (2, 3) and message in refused.stderr, refused.stderr
    assert not (exported / "b").exists()
