"""`controller.policy=clock` from the command line: a block becomes two, and every command that reads
a run knows of it."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from conftest import needs_esper

from small_runs import TINY, esper, events_of, record_of, train, write_text

pytestmark = needs_esper

CLOCK = [*TINY, "run.epochs=6", "run.steps_per_epoch=10", "model.depth=1",
         "controller.policy=clock", "controller.clock.ratio=1", "controller.clock.final_ratio=0.1",
         "controller.clock.first_step=5", "controller.clock.guard_steps=5",
         "controller.clock.guard_margin=9", "growth.start=0.01",
         "growth.limits.max_flops_ratio=9"]


# The loss rises after the split, so it is taken back.
RUINED = [*CLOCK, "controller.clock.guard_margin=0.02", "run.epochs=8",
          "optimization.schedule=constant", "optimization.warmup=60ba",
          "optimization.learning_rate=8", "optimization.clip_norm=0",
          "checkpoint.rollback.spike_factor=1000"]


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    return train(folder, *CLOCK, data=write_text(folder / "small.txt"))


def splits_of(run):
    return [e for e in events_of(run) if e["event"] == "split"]


def load_exported(folder):
    spec = importlib.util.spec_from_file_location("exported_split", Path(folder) / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Model.load()


def test_a_run_splits_and_every_reader_says_so(grown):
    cwd = grown.parent
    first = splits_of(grown)[0]
    assert record_of(grown)["splits"]["made"] == len(splits_of(grown)) > 0
    words = f"block blocks.0 was split into two at step {first['step']}"
    assert esper("replay", grown, cwd=cwd).stdout == (
        f"program {record_of(grown)['program_sha256']}\n")
    assert esper("report", grown, cwd=cwd).returncode == 0
    assert words in (grown / "report.html").read_text()
    described = json.loads(esper("inspect", grown, "--checkpoint", "last", "--json",
                                 cwd=cwd).stdout)
    assert "blocks.0-2" in json.dumps(described)
    again = esper("train", *CLOCK, f"data.path={cwd / 'small.txt'}", "--run", "again", cwd=cwd)
    assert words in again.stderr + again.stdout
    assert (cwd / "again" / "journal.jsonl").read_text() == (grown / "journal.jsonl").read_text()


def test_the_exported_network_is_the_runs(grown):
    cwd = grown.parent
    done = esper("export", grown, "--checkpoint", "last", "-o", "out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    lineage = json.loads((cwd / "out" / "lineage.json").read_text())
    assert {"edit": "split_block", "block": "blocks.0", "copy": "blocks.0-2"}.items() <= (
        lineage["edits"][0].items())
    model = load_exported(cwd / "out")
    assert any(name.startswith("blocks.0-2.") for name in model.state_dict())
    text = (cwd / "small.txt").read_text()
    characters = sorted(set(text))
    ids = torch.tensor([characters.index(c) for c in text])
    begin = int(0.8 * len(ids)) + int(0.1 * len(ids)) + int(0.05 * len(ids))
    part = ids[begin:begin + int(0.05 * len(ids))]
    windows = (len(part) - 1) // 16
    x, y = part[:windows * 16].view(-1, 16), part[1:windows * 16 + 1].view(-1, 16)
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model.eval()(x).flatten(0, 1), y.flatten())
    said = json.loads(esper("eval", grown, "--checkpoint", "last", "--json", cwd=cwd).stdout)
    assert loss.item() == pytest.approx(said["test_loss"], abs=1e-4)


def test_a_rate_that_ruins_the_network_takes_the_split_back(tmp_path):
    data = write_text(tmp_path / "small.txt")
    run = train(tmp_path, *RUINED, data=data)
    back = [e for e in events_of(run) if e["event"] == "rollback"]
    assert back and all(e["trouble"] == "split" for e in back)
    assert back[0]["failed_split"]["step"] == splits_of(run)[0]["step"] == back[0]["to_step"]
    assert record_of(run)["splits"]["taken_back"] == len(back)
    assert esper("replay", run, cwd=tmp_path).returncode == 0
