"""Parquet tables through the commands: the same run as on the CSV of the same table."""

import csv
import json
import random
import shutil
from pathlib import Path

import pytest
from conftest import BINARY, needs_esper
from small_runs import esper

pa = pytest.importorskip("pyarrow", reason="scripts/setup.sh installs pyarrow")
import pyarrow.parquet as pq  # noqa: E402

LIBRARY = BINARY.parent / "libesper_parquet.so"
pytestmark = needs_esper
SHORT = ["run.threads=1", "run.precision=fp32", "run.epochs=2", "run.steps_per_epoch=6",
         "growth.enabled=false"]


def train(path, *overrides, cwd, run):
    done = esper("train", path, *SHORT, *overrides, "--run", run, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads((cwd / run / "run.json").read_text())


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """houses.parquet and houses.csv of one table, and the same rows in three files."""
    folder = tmp_path_factory.mktemp("houses")
    draw = random.Random(2)
    rows = 240
    columns = {
        "size": [None if i % 11 == 0 else draw.gauss(80, 20) for i in range(rows)],
        "rooms": [1 + i % 4 for i in range(rows)],
        "place": [("shore", "wood", None)[i % 3] for i in range(rows)],
        "garden": [i % 5 == 0 for i in range(rows)],
    }
    columns["kind"] = [("flat", "house")[r > 2] for r in columns["rooms"]]
    table = pa.table({**columns, "place": pa.array(columns["place"]).dictionary_encode()})
    pq.write_table(table, folder / "houses.parquet", row_group_size=100)
    with open(folder / "houses.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(["" if v is None else v for v in row] for row in zip(*columns.values()))
    (folder / "parts").mkdir()
    for i in range(3):
        pq.write_table(table.slice(80 * i, 80), folder / "parts" / f"part-{i}.parquet")
    return folder


def test_one_command_trains_what_it_trains_on_the_csv_of_the_same_table(houses):
    said = esper("data", "info", "houses.parquet", cwd=houses).stdout
    assert "a table (Parquet)" in said and "classification of 'kind'" in said
    runs = [train(f"houses.{kind}", cwd=houses, run=kind) for kind in ("csv", "parquet")]
    for key in ("train_loss", "val_loss", "test_loss", "test_metrics", "program_sha256"):
        assert runs[0][key] == runs[1][key], key
    assert runs[0]["data"]["fingerprint"] != runs[1]["data"]["fingerprint"]
    measured = esper("eval", "parquet", "--json", cwd=houses)
    assert json.loads(measured.stdout)["test_metrics"] == runs[1]["test_metrics"]


def test_a_column_is_predicted_by_name_and_the_configuration_shown_trains_it(houses):
    said = esper("data", "info", "houses.parquet", "data.target=size", "data.corrupt=skip",
                 cwd=houses).stdout
    assert "regression of 'size'" in said and "row 1 has no value for the target 'size'" in said
    (houses / "own.yaml").write_text(said[said.index("# What 'esper train"):])
    overrides = ["data.target=size", "data.corrupt=skip"]
    assert 'for \'esper train FILE.yaml "data.target=size" "data.corrupt=skip"\'' in said
    run = train("own.yaml", *overrides, cwd=houses, run="size")
    assert run["target"] == "size" and run["data"]["fingerprint"] in said
    missing = esper("train", "houses.parquet", "data.target=size", cwd=houses)
    assert missing.returncode == 3 and "row 1 has no value" in missing.stderr


@pytest.mark.parametrize("path", ["parts", "parts/*.parquet"])
def test_several_files_are_one_table(houses, path):
    said = esper("data", "info", path, cwd=houses).stdout
    assert "tables (Parquet), 3 files" in said or "a table (Parquet), 3 files" in said
    run = train(path, cwd=houses, run="run-of-" + path.replace("/*.", "-"))
    whole = train("houses.parquet", cwd=houses, run="whole-" + path.replace("/*.", "-"))
    assert run["test_loss"] == whole["test_loss"] and run["val_loss"] == whole["val_loss"]


def test_rows_that_come_later_are_predicted_from_parquet_as_from_csv(houses):
    train("houses.csv", cwd=houses, run="for-predict")
    said = {}
    for kind in ("csv", "parquet"):
        done = esper("predict", "for-predict", f"houses.{kind}", "--json", cwd=houses)
        assert done.returncode == 0, done.stderr
        said[kind] = [json.loads(line) for line in done.stdout.splitlines()]
        assert "accuracy" in done.stderr
    assert len(said["parquet"]) == 240 and said["parquet"][0]["row"] == 1
    assert [p["top"] for p in said["parquet"]] == [p["top"] for p in said["csv"]]
    text = esper("predict", "for-predict", "houses.parquet", cwd=houses).stdout.splitlines()
    assert text[0] == "size,rooms,place,garden,kind,predicted_kind,probability"


@pytest.mark.parametrize("damage", ["cut", "garbage", "head", "text"])
def test_a_damaged_file_is_named_and_nothing_is_made(houses, tmp_path, damage):
    whole = (houses / "houses.parquet").read_bytes()
    path = tmp_path / "broken.parquet"
    path.write_bytes({"cut": whole[:-700], "garbage": b"PAR1\x15\x04" + bytes(300) + b"PAR1",
                      "head": whole[:4] + b"\xff" * 40 + whole[44:-300] + b"\x7f" * 292
                      + whole[-8:], "text": b"no table at all"}[damage])
    for words in (["data", "info"], ["train"]):
        done = esper(*words, path, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert "broken.parquet" in done.stderr and len(done.stderr) < 1500
    assert [p.name for p in tmp_path.iterdir()] == ["broken.parquet"]


def loaded(path, cwd):
    """The libraries that the dynamic linker opened for `esper data info PATH`."""
    done = esper("data", "info", path, cwd=cwd, LD_DEBUG="files")
    assert done.returncode == 0
    return done.stderr


def test_only_a_parquet_file_makes_the_program_load_arrow(houses):
    assert "libarrow" not in loaded("houses.csv", houses)
    assert "libarrow" in loaded("houses.parquet", houses)


def test_without_the_library_it_says_what_is_missing_and_what_to_do(houses, tmp_path):
    alone = Path(shutil.copy(BINARY, tmp_path / "esper"))
    done = esper("data", "info", "houses.parquet", cwd=houses, program=alone)
    assert done.returncode == 3 and "houses.parquet" in done.stderr
    assert f"there is no '{tmp_path}/libesper_parquet.so'" in done.stderr
    assert "scripts/setup.sh" in done.stderr and "to_csv" in done.stderr
    assert esper("data", "info", "houses.csv", cwd=houses, program=alone).returncode == 0
