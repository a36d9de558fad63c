"""The tasks of time_to_accuracy, each one recipe that both sides follow."""

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from _report import ROOT

TABLE_ROWS = 12_000


@dataclass(frozen=True)
class Race:
    """`target` is reached when the validation figure is at least it (accuracy) or at most it
    (loss)."""
    name: str
    kind: str            # table, text, images
    figure: str          # val_accuracy, val_loss
    target: float
    batch: int
    epochs: int
    steps: int           # in an epoch
    optimizer: str
    rate: float
    decay: float
    bf16: bool
    model: tuple         # depth, width

    def reached(self, value):
        return value >= self.target if self.figure == "val_accuracy" else value <= self.target

    def in_words(self):
        if self.figure == "val_accuracy":
            return f"{self.target * 100:g} % validation accuracy"
        return f"a validation loss of {self.target:g}"

    def overrides(self, folder):
        """What `esper train` is told: the recipe alone, without growth."""
        depth, width = self.model
        common = ["growth.enabled=false", "controller.policy=never", "run.threads=2",
                  f"run.precision={'bf16' if self.bf16 else 'fp32'}", f"run.epochs={self.epochs}",
                  f"run.steps_per_epoch={self.steps}", f"data.batch_size={self.batch}",
                  f"model.depth={depth}", f"model.width={width}", "optimization.schedule=cosine",
                  "optimization.warmup=5%", "optimization.clip_norm=1",
                  f"optimization.optimizer={self.optimizer}",
                  f"optimization.learning_rate={self.rate}",
                  f"optimization.weight_decay={self.decay}",
                  "checkpoint.every=100000ep", "telemetry.every=1000000",
                  "checkpoint.rollback.spike_factor=100"]
        split = ["data.split.train=0.8", "data.split.probe=0.05", "data.split.validation=0.1",
                 "data.split.test=0.05"]
        if self.kind == "table":
            return common + split + ["model.host=mlp", "data.kind=table",
                                     f"data.path={table(folder)}"]
        if self.kind == "text":
            return common + split + ["model.host=gpt", "model.heads=4", "model.context=128"]
        return common + ["model.host=resnet", "data.kind=cifar10",
                         f"data.path={images_folder()}", "data.split.train=0.9",
                         "data.split.probe=0.01", "data.split.validation=0.09",
                         "data.split.test=0"]


SHORT = (
    Race("table", "table", "val_accuracy", 0.86, 64, 20, 150, "adamw", 0.003, 0.01, False, (2, 64)),
    Race("text", "text", "val_loss", 1.9, 32, 24, 50, "adamw", 0.002, 0.01, False, (2, 128)),
    Race("CIFAR-10, 78,000 parameters", "images", "val_accuracy", 0.78, 128, 8, 351, "sgd", 0.2,
         0.0005, True, (8, 16)),
)
# The goal of CIFAR-10: 92 % with at most two million parameters. Many hours on two cores.
FULL = (Race("CIFAR-10, 1.2 million parameters", "images", "val_accuracy", 0.92, 128, 40, 351,
             "sgd", 0.2, 0.0005, True, (8, 64)),)


def images_folder():
    import cifar10  # scripts/, put on the path by _report
    return cifar10.find(say=print)


def text_file():
    return ROOT / "data" / "tinyshakespeare.txt"


def table(folder):
    """A table that is drawn: four classes by a rule of ten numbers and two categories, one row in
    twenty with another class."""
    path = Path(folder) / "drawn_table.csv"
    if path.exists():
        return path
    draw = random.Random(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(10)), "place", "kind", "class"])
        for _ in range(TABLE_ROWS):
            x = [draw.gauss(0, 1) for _ in range(10)]
            place, kind = draw.choice("abcdef"), draw.choice("uvw")
            first = x[0] * x[1] + x[2] * ("abcdef".index(place) - 2.5) > 0
            second = x[3] ** 2 + x[4] - x[5] * (kind == "v") > 1
            label = 2 * first + second if draw.random() > 0.05 else draw.randrange(4)
            writer.writerow([*(f"{v:.5f}" for v in x), place, kind, "pqrs"[label]])
    return path
