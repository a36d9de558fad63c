"""`esper sample` and `esper predict`: using what was trained."""

import csv
import importlib.util
import io
import json
import os
import re
import subprocess

import pytest
from conftest import ESPER, needs_esper
from small_runs import TINY, events_of, train, write_text

pytestmark = needs_esper


def esper(*words, cwd):
    env = dict(os.environ, XDG_CACHE_HOME=str(cwd / "cache"))
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=env)


def lines(*words, cwd):
    done = esper(*words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(*words, cwd, exit_code):
    done = esper(*words, cwd=cwd)
    assert done.returncode == exit_code, (done.returncode, done.stderr)
    return done.stderr


# Text

@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    data = write_text(folder / "text.txt")
    return train(folder, *TINY, "run.epochs=6", "run.steps_per_epoch=20", "growth.enabled=false",
                 "optimization.learning_rate=0.01", data=data)


def test_a_sample_without_words_is_what_the_run_wrote_at_its_end(text_run):
    sample, = lines("sample", text_run, "--checkpoint", "last", cwd=text_run)
    at_the_end = [e for e in events_of(text_run) if e["event"] == "sample"][-1]
    assert sample["text"] == at_the_end["text"]
    assert (sample["checkpoint"], sample["tokens"], sample["step"]) == ("last", 300, 120)


def test_a_prompt_is_continued_and_the_checkpoint_said(text_run):
    done = esper("sample", text_run, "--prompt", "def ", "--tokens", "40", cwd=text_run)
    assert done.returncode == 0, done.stderr
    assert re.match(r"best checkpoint \(step \d+\), temperature 0.8, seed 0\n", done.stderr)
    sample, = lines("sample", text_run, "--prompt", "def ", "--tokens", "40", cwd=text_run)
    assert len(sample["text"]) == 40
    assert done.stdout == "def " + sample["text"] + "\n"


def test_draws_depend_on_seed_temperature_and_top_k(text_run):
    def text(*words):
        return lines("sample", text_run, "--prompt", "import", "--tokens", "60", *words,
                     cwd=text_run)[0]["text"]

    assert text("--seed", "1") == text("--seed", "1") != text("--seed", "2")
    greedy = text("--temperature", "0")
    # Of the one likeliest token there is one choice, whatever the seed.
    assert text("--top-k", "1", "--seed", "5") == greedy == text("--temperature", "0", "--seed", "9")
    assert len(set(text("--temperature", "50"))) > len(set(text("--temperature", "50", "--top-k",
                                                                "2")))


def test_a_character_that_the_network_never_saw_is_named(text_run):
    said = refused("sample", text_run, "--prompt", "x\u0436y\u00e9\u0436", cwd=text_run, exit_code=2)
    assert "'ж', 'é' are not among the" in said and "characters of the text" in said
    said = refused("sample", text_run, "--prompt", "\033", cwd=text_run, exit_code=2)
    assert "'\\x1b' is not among" in said


@pytest.mark.parametrize("words, said", [
    (["--temperature", "-1"], "--temperature: expected 0"),
    (["--tokens", "0"], "--tokens: expected a number from 1 on, got 0"),
    (["--top-k", "-3"], "--top-k: expected 0"),
    (["--prompt", ""], "--prompt is empty"),
])
def test_a_flag_that_makes_no_sense_is_refused(text_run, words, said):
    assert said in refused("sample", text_run, *words, cwd=text_run, exit_code=2)


def test_a_key_that_would_change_the_run_is_refused(text_run, image_run, table_run, tmp_path):
    assert "data.path=" in refused("sample", text_run, "model.width=3", cwd=tmp_path, exit_code=2)
    for run in (image_run, table_run):
        assert "data.path=" in refused("predict", run, "x", "data.batch_size=3", cwd=tmp_path,
                                       exit_code=2)


def test_data_that_have_moved_are_named(text_run, tmp_path):
    moved = tmp_path / "moved.txt"
    (text_run.parent / "text.txt").rename(moved)
    try:
        assert "data.path=PATH" in refused("sample", text_run, cwd=tmp_path, exit_code=3)
        sample, = lines("sample", text_run, f"data.path={moved}", "--tokens", "5", cwd=tmp_path)
        assert len(sample["text"]) == 5
    finally:
        moved.rename(text_run.parent / "text.txt")


def test_numbers_without_their_text_are_prompted_by_number(tmp_path):
    numpy = pytest.importorskip("numpy")
    (numpy.arange(20_000) % 7).astype("<u2").tofile(tmp_path / "tokens.bin")
    train(tmp_path, *TINY, "data.kind=tokens", "growth.enabled=false", "run.epochs=10",
          "optimization.learning_rate=0.02", data=tmp_path / "tokens.bin")
    sample, = lines("sample", "run", "--prompt", "3 4 5", "--tokens", "3", "--temperature", "0",
                    cwd=tmp_path)
    assert sample["text"].split() == ["6", "0", "1"]
    assert "from 0 to 6" in refused("sample", "run", "--prompt", "3 9", cwd=tmp_path, exit_code=2)


# Images

COLOURS = {"red": (200, 30, 30), "green": (30, 190, 40), "blue": (30, 40, 200)}


def picture(path, colour, size=(20, 14), brighter=0):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.new("RGB", size, tuple(min(255, c + brighter) for c in COLOURS[colour])).save(path)


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    for colour in COLOURS:
        for i in range(30):
            picture(folder / "photos" / colour / f"{i}.png", colour, brighter=i)
    done = esper("train", "photos", "run.threads=1", "run.precision=fp32", "run.epochs=6",
                 "run.steps_per_epoch=10", "growth.enabled=false", "data.image_size=8", "--run",
                 "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_images_get_a_class_and_a_probability(image_run, tmp_path):
    for colour in COLOURS:
        picture(tmp_path / "new" / f"{colour}.jpg", colour, size=(31, 31), brighter=7)
    (tmp_path / "new" / "notes.txt").write_text("no picture")
    found = lines("predict", image_run, "new", cwd=tmp_path)
    assert [(line["file"], line["class"]) for line in found] == [
        (f"new/{c}.jpg", c) for c in sorted(COLOURS)]
    for line in found:
        assert [one["class"] for one in line["top"]][0] == line["class"]
        assert sum(one["probability"] for one in line["top"]) == pytest.approx(1)
    done = esper("predict", image_run, "new/red.jpg", "--top", "2", cwd=tmp_path)
    assert re.fullmatch(r"new/red.jpg: red \d+\.\d %  \((blue|green) \d+\.\d %\)\n", done.stdout)
    assert re.match(r"best checkpoint \(step \d+\) of ", done.stderr)


def test_a_checkpoint_of_convolutions_is_what_the_run_tested(image_run):
    """Their weights lie in memory in another order than their shape says."""
    measured, = (json.loads(line) for line in esper("eval", image_run, "--json",
                                                    cwd=image_run).stdout.splitlines())
    record = json.loads((image_run / "run.json").read_text())
    assert measured["test_loss"] == pytest.approx(record["test_loss"], rel=1e-5)
    assert measured["test_accuracy"] == record["test_accuracy"] == 1


def test_predictions_are_those_of_the_exported_network(image_run, tmp_path):
    """The exported module is plain PyTorch; its inputs are made here as docs/data.md says."""
    torch = pytest.importorskip("torch")
    numpy = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    picture(tmp_path / "a.png", "green", size=(8, 8), brighter=3)
    found, = lines("predict", image_run, "a.png", cwd=tmp_path)
    assert esper("export", image_run, "-o", tmp_path / "out", cwd=tmp_path).returncode == 0
    spec = importlib.util.spec_from_file_location("model", tmp_path / "out" / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model.load().eval()
    train_part = [numpy.asarray(image.open(p).resize((8, 8)), dtype="float64") / 255
                  for p in (image_run.parent / "photos").glob("*/*.png")]
    pixels = torch.tensor(numpy.asarray(image.open(tmp_path / "a.png"), dtype="float64") / 255)
    # The mean and deviation of the part that it learnt from are close to those of all pictures.
    stack = numpy.stack(train_part).reshape(-1, 3)
    x = ((pixels - torch.tensor(stack.mean(0))) / torch.tensor(stack.std(0))).float()
    with torch.no_grad():
        y = torch.softmax(model(x.permute(2, 0, 1)[None]), -1)[0]
    classes = sorted(COLOURS)
    assert classes[int(y.argmax())] == found["class"] == "green"
    assert float(y.max()) == pytest.approx(found["probability"], abs=0.05)


def test_files_that_are_no_images_are_named(image_run, tmp_path):
    picture(tmp_path / "good.png", "red")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    done = esper("predict", image_run, "rows.csv", "good.png", "torn.png", "missing.png",
                 cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout.startswith("good.png: red")
    assert "rows.csv is a CSV file; this network was trained on images" in done.stderr
    assert "torn.png" in done.stderr and "missing.png" in done.stderr
    assert "nothing is predicted of 3 of the files" in done.stderr


def test_each_kind_of_run_says_which_command_it_wants(image_run, text_run, tmp_path):
    assert "'esper predict" in refused("sample", image_run, cwd=tmp_path, exit_code=2)
    assert "'esper sample" in refused("predict", text_run, "x.png", cwd=tmp_path, exit_code=2)


# Tables

@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    rows = ["length;place;kind"]
    for i in range(300):
        kind = i % 3
        rows.append(f"{kind + 0.01 * (i % 7)};{('shore', 'wood')[i % 2]};"
                    + ("iris", "rose", "wild; tulip")[kind])
    (folder / "flowers.csv").write_text("\n".join(r if "wild" not in r else
                                                  ";".join(r.split(";")[:2]) + ';"wild; tulip"'
                                                  for r in rows) + "\n")
    done = esper("train", "flowers.csv", "run.threads=1", "run.precision=fp32", "run.epochs=20",
                 "run.steps_per_epoch=10", "growth.enabled=false", "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_table_comes_back_with_the_predicted_column(table_run, tmp_path):
    (tmp_path / "new.csv").write_text('place;note;length\nwood;"a;b";0.02\nshore;;2.03\n')
    done = esper("predict", table_run, "new.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout), delimiter=";"))
    assert [row["predicted_kind"] for row in rows] == ["iris", "wild; tulip"]
    assert rows[0]["note"] == "a;b" and float(rows[0]["probability"]) > 0.5
    written = esper("predict", table_run, "new.csv", "-o", "out.csv", cwd=tmp_path)
    assert written.stdout == "out.csv\n"
    assert (tmp_path / "out.csv").read_text() == done.stdout
    again = esper("predict", table_run, "out.csv", cwd=tmp_path).stdout.splitlines()[0]
    assert again == "place;note;length;predicted_kind;probability;predicted_kind.1;probability.1"
    found = lines("predict", table_run, "new.csv", cwd=tmp_path)
    assert [(line["line"], line["class"]) for line in found] == [(2, "iris"), (3, "wild; tulip")]


def test_predictions_are_not_written_over_what_a_run_lives_by(table_run, tmp_path):
    (tmp_path / "new.csv").write_text("place;length\nwood;0.02\n")
    before = (table_run / "journal.jsonl").read_bytes()
    said = refused("predict", table_run, "new.csv", "-o", table_run / "journal.jsonl", cwd=tmp_path,
                   exit_code=2)
    assert "name another one with -o" in said
    assert (table_run / "journal.jsonl").read_bytes() == before


def test_one_row_is_enough_and_its_target_is_compared(table_run, tmp_path):
    (tmp_path / "one.csv").write_text("length,place,kind\n1.01,wood,rose\n")
    done = esper("predict", table_run, "one.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("1.01,wood,rose,rose,")
    assert "accuracy 100.00 % on the 1 rows that have 'kind'" in done.stderr


def test_the_training_table_predicts_as_the_run_measured_it(table_run):
    done = esper("predict", table_run, table_run.parent / "flowers.csv", cwd=table_run)
    share = float(re.search(r"accuracy ([\d.]+) %", done.stderr).group(1))
    assert share > 95


def test_a_category_that_was_never_seen_is_said(table_run, tmp_path):
    (tmp_path / "new.csv").write_text("length,place\n0.0,moon\n")
    done = esper("predict", table_run, "new.csv", cwd=tmp_path)
    assert done.returncode == 0 and "column 'place': 1 rows have a category" in done.stderr


@pytest.mark.parametrize("text, said", [
    ("length\n1\n", "it lacks the column 'place'"),
    ("length,place\nlong,wood\n", "line 2, column 'length': expected a number"),
    ("0.1,wood\n", "its first line holds no names"),
    ("length,place\n1,wood\n1\n", "line 3 has 1 cells"),
])
def test_a_table_that_does_not_fit_is_refused(table_run, tmp_path, text, said):
    (tmp_path / "bad.csv").write_text(text)
    message = refused("predict", table_run, "bad.csv", cwd=tmp_path, exit_code=3)
    assert "bad.csv" in message and said in message


def test_a_picture_is_no_table(table_run, tmp_path):
    picture(tmp_path / "a.png", "red")
    said = refused("predict", table_run, "a.png", cwd=tmp_path, exit_code=3)
    assert "a.png: is a PNG file; this network was trained on a table" in said


def test_a_number_is_predicted_in_its_own_unit(tmp_path):
    rows = ["size,price"] + [f"{40 + i % 60},{1000 * (40 + i % 60)}" for i in range(400)]
    (tmp_path / "houses.csv").write_text("\n".join(rows))
    done = esper("train", "houses.csv", "run.threads=1", "run.precision=fp32", "run.epochs=20",
                 "run.steps_per_epoch=20", "growth.enabled=false", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "new.csv").write_text("size\n50\n90\n")
    low, high = (line["value"] for line in lines("predict", "run", "new.csv", cwd=tmp_path))
    assert low == pytest.approx(50_000, abs=6000) and high == pytest.approx(90_000, abs=6000)
