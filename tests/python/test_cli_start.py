"""What is checked before a run begins, and that its plan is what the run then does."""

import json
import re
import shutil

import pytest
from conftest import needs_esper
from test_cli import ESPER, GROWS, ROOT, TEXT, esper

pytestmark = needs_esper


def plan_of(*words, cwd):
    done = esper("train", *words, "--dry-run", "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused_alike(tmp_path, *words):
    """The message with which a dry run and a run refuse; neither leaves a folder."""
    dry = esper("train", *words, "--dry-run", cwd=tmp_path)
    wet = esper("train", *words, "--run", "run", cwd=tmp_path)
    assert dry.returncode == wet.returncode == 2, wet.stderr
    assert dry.stderr == wet.stderr and dry.stdout == ""
    assert not (tmp_path / "run").exists()
    return dry.stderr


@pytest.mark.parametrize("word, waits_for", [
    ("run.device=cuda", "training on a GPU"),
    ("telemetry.retention=1h", "health signals"),
    ("storage.artifacts=s3", "library"),
    ("bus.kind=redis", "bus"),
    ("controller.price.risk=1", "risk"),
])
def test_a_key_that_nothing_reads_is_refused(tmp_path, word, waits_for):
    said = refused_alike(tmp_path, *GROWS, word)
    assert said.startswith(f"esper: command line: {word.split('=')[0]}: ")
    assert waits_for in said and "leave it at" in said


def test_a_norm_is_built_or_refused(tmp_path):
    vgg = ["data.kind=drawn", "data.train_examples=200", "model.host=vgg", "model.depth=8",
           "model.width=4"]
    with_norm = plan_of(*TEXT, *vgg, cwd=tmp_path)
    without = plan_of(*TEXT, *vgg, "model.norm=none", cwd=tmp_path)
    assert with_norm["program_sha256"] == plan_of(*TEXT, *vgg, "model.norm=batch", cwd=tmp_path)[
        "program_sha256"]
    assert without["parameters"] < with_norm["parameters"]
    assert "cannot be built with 'rms'" in refused_alike(tmp_path, *TEXT, *vgg, "model.norm=rms")


@pytest.mark.parametrize("word", ["growth.blueprints=[nosuch]", "growth.anchors=[nosuch]",
                                  "growth.blueprints=[gated_unit,nosuch]",
                                  "growth.anchors=[layers.*,nosuch]"])
def test_a_pattern_that_matches_nothing_is_refused_with_the_names(tmp_path, word):
    said = refused_alike(tmp_path, *GROWS, word)
    assert word.split("=")[0] in said and "nosuch" in said
    assert "there are: " in said


def test_what_an_option_says_is_checked_as_its_key_is(tmp_path):
    option = esper("train", *TEXT, "--seed", "-1", cwd=tmp_path)
    assert option.returncode == 2
    assert option.stderr == esper("train", *TEXT, "run.seed=-1", cwd=tmp_path).stderr


def test_a_value_from_the_command_line_is_blamed_on_it(tmp_path):
    done = esper("train", "model.heads=3", "--dry-run", cwd=tmp_path)
    assert done.stderr.startswith("esper: command line: model.width, model.heads: ")


def test_a_network_from_a_file_is_named_and_brings_its_own_shape(tmp_path):
    program = esper("train", *TEXT, "run.epochs=1", "controller.policy=never", "--run", "host",
                    cwd=tmp_path)
    assert program.returncode == 0, program.stderr
    words = ["data.batch_size=8", "model.context=16", "run.epochs=1", "run.threads=1",
             "run.steps_per_epoch=3", "controller.policy=never", "model.path=host"]
    plan = plan_of(*words, cwd=tmp_path)
    assert plan["host"] == "gpt-2x16" and plan["path"] == "host"
    begun = esper("train", *words, "--run", "run", cwd=tmp_path)
    assert begun.stderr.startswith("gpt-2x16: "), begun.stderr
    shutil.rmtree(tmp_path / "run")
    assert "has its own shape" in refused_alike(tmp_path, *words, "model.width=32")


def test_the_plan_is_what_the_run_does(tmp_path):
    words = [*TEXT, "run.steps_per_epoch=0", "data.train_examples=100", "data.batch_size=64",
             "controller.policy=never"]
    plan = plan_of(*words, cwd=tmp_path)
    assert plan["examples"]["train"] == 100
    assert (plan["steps_per_epoch"], plan["batch_size"]) == (1, 64)
    assert plan["left_out_of_an_epoch"] == 36
    assert "the last 36 of each pass are left out" in esper("train", *words, "--dry-run",
                                                          cwd=tmp_path).stdout
    assert esper("train", *words, "--run", "run", cwd=tmp_path).returncode == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["steps"] == plan["steps"]
    # The text sampled at the end is counted besides.
    assert 0.5 * record["flops_total"] < plan["flops_total_without_growth"]
    assert plan["flops_total_without_growth"] <= 1.01 * record["flops_total"] * (
        1 + plan["examples"]["test"] / plan["examples"]["validation"])


def test_a_batch_larger_than_the_training_part_is_refused(tmp_path):
    said = refused_alike(tmp_path, *TEXT, "data.train_examples=4", "data.batch_size=64")
    assert "data.batch_size is 64" in said and "4 examples" in said
    huge = plan_of(*TEXT, "data.train_examples=99999999999", cwd=tmp_path)
    assert huge["examples"]["train"] == plan_of(*TEXT, cwd=tmp_path)["examples"]["train"]


def test_the_plan_prints_nothing_impossible(tmp_path):
    done = esper("train", "run.epochs=4", "--dry-run", cwd=tmp_path)
    assert "none of which can germinate" in done.stdout
    assert "no seed can germinate" in done.stdout
    assert not re.search(r"-\d+ |about 0", done.stdout.split("\nrun:")[0])
    plan = plan_of(*GROWS, cwd=tmp_path)
    growth = plan["growth"]
    assert 0 < growth["from_step"] <= growth["to_step"]
    assert growth["to_step"] + growth["steps_of_a_seed"] <= plan["steps"]
    assert plan["checkpoints"]["count"] >= 2
    clock = plan_of(*GROWS, "checkpoint.every=10m", cwd=tmp_path)["checkpoints"]
    assert clock["every"] == "10m" and "count" not in clock


def test_a_start_that_fails_takes_its_folder_away(tmp_path):
    (tmp_path / "mine").mkdir()
    done = esper("train", *GROWS, "--run", "run", cwd=tmp_path, ESPER_FAULTS="files.write@1+")
    assert done.returncode == 1 and "cannot write" in done.stderr
    assert not (tmp_path / "run").exists()
    # What was there before stays.
    esper("train", *GROWS, "--run", "mine", cwd=tmp_path, ESPER_FAULTS="files.write@1+")
    assert (tmp_path / "mine").exists()


def test_a_configuration_comes_from_standard_input(tmp_path):
    import subprocess
    text = (ROOT / "configs" / "testing.yaml").read_text()
    done = subprocess.run([ESPER, "train", "-", "--dry-run", "--json"], input=text, cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["host"].startswith("mlp"), done.stderr
    bad = subprocess.run([ESPER, "train", "-", "--dry-run"], input="rnu: {}\n", cwd=tmp_path,
                         capture_output=True, text=True, timeout=120)
    assert bad.returncode == 2 and "standard input:1" in bad.stderr


@pytest.mark.parametrize("name, content, as_text, as_it_is", [
    ("t.txt.gz", b"\x1f\x8b\x08\x00" + bytes(200), "a gzip file", "cannot be read"),
    ("t.npz", b"PK\x03\x04\x14\x00" + bytes(200), "a zip", "not a whole .npz archive"),
    ("t.png", b"\x89PNG\r\n\x1a\n" + bytes(200), "a PNG file", "a sub-folder of images for each class"),
    ("t.idx", b"\x00\x00\x08\x03" + bytes(200), "an IDX", "its head says 0 bytes, but 188 follow"),
    ("t.parquet", b"PAR1\x15\x04" + bytes(200), "a Parquet file", "cannot be read"),
])
def test_data_that_cannot_be_read_are_named(tmp_path, name, content, as_text, as_it_is):
    (tmp_path / name).write_bytes(content)
    done = esper("train", f"data.path={name}", cwd=tmp_path)
    assert done.returncode == 3 and as_text in done.stderr and "UTF-8 text" in done.stderr
    for words in (["train", name], ["data", "info", name]):
        done = esper(*words, cwd=tmp_path)
        assert done.returncode == 3 and name in done.stderr and as_it_is in done.stderr


def test_an_image_that_is_none_is_named(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.jpg").write_bytes(b"x")
    done = esper("data", "info", ".", cwd=tmp_path)
    assert done.returncode == 3 and "cats/1.jpg" in done.stderr
