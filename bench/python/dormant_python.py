#!/usr/bin/env python3
"""A user's own PyTorch loop, wrapped against not wrapped, and a seed that is awake against the same
module written into the model: whole training steps, in interleaved pairs.

    dormant_python.py --json PATH [--pairs N]
"""

import argparse
import copy
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "build" / "release" / "python"))

import _intervals  # noqa: E402
import _report  # noqa: E402

import esper  # noqa: E402

SECONDS_A_SIDE = 0.03


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.norm(self.conv(x)))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(32) for _ in range(4)))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
            for _ in range(2))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


def mlp():
    sizes = [64, 64, 64, 64, 10]
    return nn.Sequential(*(part for a, b in zip(sizes, sizes[1:])
                           for part in (nn.Linear(a, b), nn.ReLU())))


CASES = {"MLP 4×64, batch 16": (mlp, lambda: torch.randn(16, 64), "bottleneck_mlp"),
         "ResNet 4×32, batch 32": (ConvNet, lambda: torch.randn(32, 3, 16, 16), "bottleneck_1x1"),
         "encoder 2×64, batch 16": (Encoder, lambda: torch.randn(16, 32, 64), "bottleneck_mlp")}


class Loop:
    """A user's training step, and `growth.step` where there is a growth."""

    def __init__(self, model, x, grow=None):
        self.model, self.x = model, x
        self.target = torch.zeros(len(x), dtype=torch.long)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
        self.growth = grow(self) if grow else None

    def run(self, steps):
        began = time.perf_counter()
        for _ in range(steps):
            loss = F.cross_entropy(self.model(self.x), self.target)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if self.growth is not None:
                self.growth.step(loss)
        return (time.perf_counter() - began) / steps


def asleep(loop):
    return esper.wrap(loop.model, loop.x, loop.optimizer, steps_per_epoch=10**6, epochs=1,
                      quiet=True)


def awake(blueprint):
    def grow(loop):
        growth = asleep(loop)
        growth.germinate(0, blueprint)
        growth.graft(0, "INSTANT")
        for state in ("STABILIZATION", "EVALUATING", "FINE_TUNING"):
            growth.advance(0, state)
        return growth
    return grow


def with_module(model, x, blueprint):
    """The same module, as plain PyTorch inside the model."""
    loop = Loop(model, x, awake(blueprint))
    loop.growth.fossilize(0)
    return loop.growth.unwrap()


def pairs(ours, peer, count):
    steps = max(1, int(SECONDS_A_SIDE / peer.run(5)))
    ours.run(steps)
    times = ([], [])
    for i in range(count):
        order = (0, 1) if i % 2 else (1, 0)
        for side in order:
            times[side].append((ours, peer)[side].run(steps))
    return times


def row(case, ours, peer, count):
    mine, theirs = pairs(ours, peer, count)
    ratio, low, high = _intervals.paired_ratio(mine, theirs)
    return {"case": case, "ours": statistics.median(mine) * 1e6,
            "peer": statistics.median(theirs) * 1e6, "unit": "µs a step", "ratio": ratio,
            "ci_low": low, "ci_high": high, "n": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", required=True)
    parser.add_argument("--pairs", type=int, default=120)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, (make, example, blueprint) in CASES.items():
        torch.manual_seed(0)
        model, x = make(), example()
        rows.append(row(f"{name}, asleep against not wrapped", Loop(copy.deepcopy(model), x, asleep),
                        Loop(copy.deepcopy(model), x), arguments.pairs))
        static = with_module(copy.deepcopy(model), x, blueprint)
        rows.append(row(f"{name}, awake against the module by hand",
                        Loop(copy.deepcopy(model), x, awake(blueprint)), Loop(static, x),
                        arguments.pairs))
    _report.write(arguments.json, _report.report(
        "dormant_python", rows, {"esper": esper.__version__, "torch": torch.__version__}, 1))


if __name__ == "__main__":
    main()
