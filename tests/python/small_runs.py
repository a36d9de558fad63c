"""Runs of a second or two, made by the command as a user gives it."""

import json
import os
import subprocess
from pathlib import Path

from conftest import ESPER, ROOT


TINY = ["run.threads=1", "run.epochs=4", "run.steps_per_epoch=5", "data.workers=0",
        "model.width=16", "model.heads=2", "model.context=16", "data.batch_size=8",
        "run.precision=fp32"]
GROW = [*TINY, "run.epochs=16", "run.steps_per_epoch=10", "growth.graft_steps=10",
        "growth.training=1ep", "growth.stabilization=0ep", "growth.fine_tune=1ep",
        "growth.measure_share=100",
        "controller.policy=periodic", "controller.period=1ep", "growth.cooldown=1ep",
        "growth.embargo=1ep", "growth.gate.min_examples=50", "growth.gate.rent=0",
        "growth.gate.lag=0ba", "checkpoint.every=1ep", "checkpoint.keep=100",
        "optimization.learning_rate=0.005"]


def write_text(path):
    """60 KB of this repository's own sources, the same each time."""
    sources = sorted((ROOT / "scripts").glob("*.py"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(s.read_text() for s in sources)[:60_000])
    return path


def write_bars(path):
    """600 images of 12 x 12 pixels in three classes, by the place of a bright bar, as an .npz; the
    images, [600, 12, 12, 3]."""
    import numpy

    draw = numpy.random.default_rng(5)
    y = numpy.arange(600) % 3
    x = draw.integers(0, 90, (600, 12, 12, 3), dtype=numpy.uint8)
    for image, kind in zip(x, y):
        image[2 + 3 * kind:5 + 3 * kind] += 120
    numpy.savez(path, X=x, y=y)
    return x


def esper(*words, cwd, program=ESPER, **environment):
    return subprocess.run([program, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=dict(os.environ, **environment))


def train(folder, *settings, data, run="run", **environment):
    """The run's folder, or an AssertionError with what the command said."""
    done = esper("train", *settings, f"data.path={data}", "--run", run, cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    return Path(folder) / run


def record_of(run):
    return json.loads((Path(run) / "run.json").read_text())


def events_of(run):
    return [json.loads(line) for line in (Path(run) / "events.jsonl").read_text().splitlines()]
