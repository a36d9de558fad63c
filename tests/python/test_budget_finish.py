"""Runs with a budget, finished at smaller ones, and compared, by the commands as a user gives them."""

import json
import re
import subprocess
import sys

import pytest
from conftest import needs_esper

from small_runs import TINY, esper, events_of, record_of, train, write_text

pytestmark = needs_esper

STATIC = [*TINY, "growth.enabled=false", "optimization.cooldown=0.6", "optimization.warmup=3ba",
          "run.steps_per_epoch=10", "optimization.learning_rate=0.01"]
WHOLE, HALF, QUARTER = 4e8, 2e8, 1e8


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("data") / "small.txt")


@pytest.fixture(scope="module")
def trunk(tmp_path_factory, text):
    """One command: the run, and its networks at two smaller budgets."""
    return train(tmp_path_factory.mktemp("trunk"), *STATIC, f"run.budget={WHOLE:.0f}",
                 "run.finish_at=[1e8,2e8]", "checkpoint.every=1ep", data=text)


@pytest.fixture(scope="module")
def at_half(tmp_path_factory, text):
    return train(tmp_path_factory.mktemp("half"), *STATIC, f"run.budget={HALF:.0f}", data=text)


def spent(run):
    return record_of(run)["budget"]["spent"]


def test_the_run_ends_with_its_budget_and_each_smaller_one_has_a_run_of_its_own(trunk):
    step = record_of(trunk)["flops"]["training"] / record_of(trunk)["steps"]
    for folder, budget in ((trunk, WHOLE), (trunk / "finish/2e8", HALF),
                           (trunk / "finish/1e8", QUARTER)):
        record = record_of(folder)
        assert record["status"] == "done" and record["test_loss"] > 0
        assert budget <= spent(folder) < budget + step
        assert record["budget"] == {"of": "flops", "limit": budget, "spent": spent(folder),
                                    "cooldown_from": pytest.approx(0.4 * budget)}
    assert record_of(trunk / "finish/1e8")["steps"] < record_of(trunk / "finish/2e8")["steps"]


def test_a_network_finished_from_the_trunk_is_that_of_a_run_of_the_smaller_budget(trunk, at_half):
    finished = trunk / "finish/2e8"
    ours, theirs = record_of(finished), record_of(at_half)
    for key in ("steps", "val_loss", "test_loss", "train_loss", "flops_total", "program_sha256"):
        assert ours[key] == theirs[key], key
    assert [e["checkpoint"] for e in events_of(finished) if e["event"] == "forked"] == [
        f"trunk-{min(trunk_steps(trunk)[1:])}.ckpt"]
    assert (finished / "journal.jsonl").read_text() == (at_half / "journal.jsonl").read_text()


def trunk_steps(trunk):
    return sorted(int(re.search(r"\d+", f.name)[0]) for f in trunk.glob("checkpoints/trunk-*.ckpt"))


def test_the_finished_network_is_exported_and_runs_in_plain_pytorch(trunk):
    folder = trunk / "finish/1e8/export"
    code = ("import torch; from model import Model; m = Model.load(); "
            "print(tuple(m(torch.zeros(2, 16, dtype=torch.long)).shape))")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    if "No module named 'torch'" in done.stderr:
        pytest.skip("no torch in this Python")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(2, 16, ")


def test_what_is_finished_is_left_alone_and_a_new_budget_can_be_named(trunk):
    before = (trunk / "finish/2e8/run.json").read_bytes()
    done = esper("finish", trunk, "--at", "2e8,3e8", "--json", cwd=trunk.parent)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    finished = [line for line in lines if line["event"] == "finished"]
    assert [line["budget"] for line in finished] == ["2e8", "3e8"]
    assert (trunk / "finish/2e8/run.json").read_bytes() == before
    # No checkpoint was kept for 3e8; the newest of the ring from before its cool-down is taken.
    assert spent(trunk / "finish/3e8") >= 3e8
    assert record_of(trunk / "finish/3e8")["val_loss"] == finished[1]["run"]["val_loss"]


def test_an_interrupted_one_goes_on_where_it_was(trunk, text, tmp_path):
    run = train(tmp_path, *STATIC, f"run.budget={WHOLE:.0f}", data=text)
    done = esper("finish", run, "--at", "2e8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = run / "finish/2e8"
    expected = record_of(folder)["test_loss"]
    # As a kill leaves it early in the cool-down.
    for file in folder.glob("checkpoints/*"):
        if file.name not in {"last"} and not file.name.startswith("step-"):
            file.unlink()
    first = min(folder.glob("checkpoints/step-*.ckpt"),
                key=lambda f: int(re.search(r"\d+", f.name)[0]))
    for file in folder.glob("checkpoints/step-*.ckpt"):
        if file != first:
            file.unlink()
    (folder / "checkpoints/last").write_text(first.name + "\n")
    record = record_of(folder)
    (folder / "run.json").write_text(json.dumps(dict(record, status="running")))
    done = esper("finish", run, "--at", "2e8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert record_of(folder)["status"] == "done"
    assert record_of(folder)["test_loss"] == expected


@pytest.mark.parametrize("at, says", [
    ("8e8", "train a run with run.budget=8e8"),
    ("4e8", "esper resume"),
    ("5m", "no budget of the kind of the run's"),
    ("soon", "expected FLOPs such as 3e12"),
])
def test_a_budget_that_cannot_be_is_refused_with_what_to_do(trunk, at, says):
    done = esper("finish", trunk, "--at", at, cwd=trunk.parent)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (trunk / "finish" / at).exists()


def test_what_cannot_be_finished_is_named_and_the_others_are(text, tmp_path):
    run = train(tmp_path, *STATIC, f"run.budget={WHOLE:.0f}", data=text)
    first = trunk_steps(run)[0]
    for name in ("step-0.ckpt", f"trunk-{first}.ckpt"):
        (run / "checkpoints" / name).unlink(missing_ok=True)
    done = esper("finish", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cannot be finished at 25.0 M FLOPs" in done.stderr, done.stderr
    assert not (run / "finish/2.5e7").exists()
    assert record_of(run / "finish/2e8")["status"] == "done"
    named = esper("finish", run, "--at", "2.5e7,2e8", cwd=tmp_path)
    assert named.returncode == 3 and "200 M" not in named.stderr
    assert "2e8" in named.stdout


def test_a_budget_of_more_steps_than_there_are_numbers_is_planned(text, tmp_path):
    words = [*TINY, f"data.path={text}", "--dry-run"]
    said = esper("train", *words, "run.budget=1e25", cwd=tmp_path).stdout
    assert "until the time is over" not in said and "no seed can germinate" not in said
    plan = json.loads(esper("train", *words, "run.budget=10s", "growth.gate.min_examples=100000",
                            "controller.policy=heuristic",
                            "--json", cwd=tmp_path).stdout)
    assert "probe part is smaller" in plan["growth"]["warning"]


def test_a_trunk_that_has_not_come_so_far_is_told_to_train_on(text, tmp_path):
    short = train(tmp_path, *STATIC, "run.budget=1e8", data=text, run="short")
    config = (short / "config.yaml").read_text().replace('budget: "1e8"', 'budget: "8e9"')
    (short / "config.yaml").write_text(config)
    done = esper("finish", short, "--at", "4e9", cwd=tmp_path)
    assert done.returncode == 2
    assert "let it train on first" in done.stderr and "esper resume" in done.stderr


def test_a_run_of_epochs_has_no_smaller_budget(text, tmp_path):
    run = train(tmp_path, *STATIC, "run.epochs=1", data=text)
    done = esper("finish", run, "--at", "1e8", cwd=tmp_path)
    assert done.returncode == 2
    assert "run.budget=" in done.stderr


def test_the_plan_shows_the_budget_and_where_cool_downs_begin(text, tmp_path):
    words = [*STATIC, "run.budget=4e8", f"data.path={text}", "--dry-run"]
    plan = json.loads(esper("train", *words, "--json", cwd=tmp_path).stdout)
    assert plan["budget"]["limit"] == 4e8 and plan["budget"]["cooldown_from"] == pytest.approx(1.6e8)
    assert [one["budget"] for one in plan["budget"]["finish_at"]] == ["2e8", "1e8", "5e7", "2.5e7"]
    cost = plan["training_flops_per_example"] * plan["batch_size"]
    assert plan["steps"] == -(-4e8 // cost)
    assert "cool-down from 160 M FLOPs on" in esper("train", *words, cwd=tmp_path).stdout
    by_clock = json.loads(esper("train", *words, "run.budget=5m", "--json", cwd=tmp_path).stdout)
    assert by_clock["steps"] is None and by_clock["budget"]["limit"] == 300


def test_pareto_compares_a_trunk_with_a_run_beside_it(trunk, at_half, tmp_path):
    done = esper("pareto", trunk, at_half, "--json", "-o", tmp_path / "p.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    networks = [line for line in lines if line["event"] == "network"]
    # The trunk, its own finished networks, and the one beside it.
    own = {str(trunk)} | {str(f.parent) for f in trunk.glob("finish/*/run.json")}
    assert {n["folder"] for n in networks} == own | {str(at_half)}
    for network in networks:
        record = record_of(network["folder"])
        assert network["loss"] == record["test_loss"]
        assert network["flops_total"] == record["flops_total"]
        assert network["milliseconds_per_example"] > 0
        assert network["trunk"] == ("" if network["folder"] == str(at_half) else str(trunk))
    for best in (n for n in networks if n["best_by"]["flops"]):
        assert all(n["loss"] >= best["loss"] for n in networks
                   if n["flops_total"] <= best["flops_total"])
    assert any(n["best_by"]["flops"] for n in networks)
    page = (tmp_path / "p.html").read_text()
    assert page.count("<circle") == 3 * len(networks) and page.count("<svg") == 3
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_pareto_refuses_runs_on_different_data(trunk, text, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(text.read_text()[::-1])
    beside = train(tmp_path, *STATIC, "run.epochs=1", data=other)
    done = esper("pareto", trunk, beside, cwd=tmp_path)
    assert done.returncode == 2
    assert "different data" in done.stderr
