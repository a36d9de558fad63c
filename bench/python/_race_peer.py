"""A race's recipe in eager PyTorch at its best setting: channels-last, fused optimizer, batches made
with whole-tensor operations, bfloat16 by autocast where ours has it. A process of its own; prints a
JSON line after each epoch.

    _race_peer.py RACE SEED FOLDER START    START: a folder with model.safetensors, ours at step 0
"""

import csv
import json
import math
import sys
import time
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from _peers import Gpt, Mlp, ResNet
from _races import FULL, SHORT, images_folder, table, text_file

PAD = 4


def shuffled(n, generator, shares):
    order = torch.randperm(n, generator=generator)
    train, held = round(n * shares[0]), round(n * shares[1])
    return order[:train], order[train:train + held]


class Table:
    """Numbers standardised by the training part, a column for each category."""

    def __init__(self, race, folder, generator):
        with Path(table(folder)).open() as file:
            rows = list(csv.reader(file))[1:]
        numbers = torch.tensor([[float(v) for v in row[:10]] for row in rows])
        columns = [numbers]
        for c in (10, 11):
            names = sorted({row[c] for row in rows})
            columns.append(F.one_hot(torch.tensor([names.index(row[c]) for row in rows])).float())
        y = torch.tensor(["pqrs".index(row[12]) for row in rows])
        train, held = shuffled(len(rows), generator, (0.8, 0.1))
        columns[0] = (numbers - numbers[train].mean(0)) / numbers[train].std(0, unbiased=False)
        x = torch.cat(columns, 1)
        self.train, self.held = (x[train], y[train]), (x[held], y[held])
        self.batch, self.generator, self.order, self.at = race.batch, generator, None, 0

    def pick(self):
        x, y = self.train
        if self.order is None or self.at + self.batch > len(y):
            self.order, self.at = torch.randperm(len(y), generator=self.generator), 0
        self.at += self.batch
        return self.order[self.at - self.batch:self.at]

    def next(self):
        rows = self.pick()
        return self.train[0][rows], self.train[1][rows]

    def validation(self):
        yield from zip(self.held[0].split(512), self.held[1].split(512))

    def model(self, race):
        depth, width = race.model
        model = Mlp(depth, width, 4)
        model.layers[0] = torch.nn.Linear(self.train[0].shape[1], width)
        return model


class Images(Table):
    def __init__(self, race, _folder, generator):
        records = numpy.concatenate([
            numpy.fromfile(images_folder() / f"data_batch_{i}.bin", numpy.uint8).reshape(-1, 3073)
            for i in range(1, 6)])
        y = torch.from_numpy(records[:, 0].astype(numpy.int64))
        x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255)
        train, held = shuffled(len(y), generator, (0.9, 0.09))
        mean, deviation = x[train].mean((0, 2, 3)), x[train].std((0, 2, 3))
        x = (x - mean[:, None, None]) / deviation[:, None, None]
        self.held = (x[held].contiguous(memory_format=torch.channels_last), y[held])
        self.train = (F.pad(x[train], (PAD,) * 4), y[train])
        self.batch, self.generator, self.order, self.at = race.batch, generator, None, 0

    def next(self):
        rows = self.pick()
        x = torch.empty(len(rows), 3, 32, 32).contiguous(memory_format=torch.channels_last)
        shifts = torch.randint(0, 2 * PAD + 1, (len(rows), 2), generator=self.generator).tolist()
        for i, (row, (down, right)) in enumerate(zip(rows.tolist(), shifts)):
            x[i] = self.train[0][row, :, down:down + 32, right:right + 32]
        mirrored = torch.rand(len(rows), generator=self.generator) < 0.5
        x[mirrored] = x[mirrored].flip(3)
        return x, self.train[1][rows]

    def model(self, race):
        return ResNet(*race.model).to(memory_format=torch.channels_last)


class Text:
    def __init__(self, race, _folder, generator):
        text = text_file().read_text()
        names = sorted(set(text))
        place = {c: i for i, c in enumerate(names)}
        tokens = torch.tensor([place[c] for c in text])
        n = len(tokens)
        self.train = tokens[:int(0.8 * n)]
        self.held = tokens[int(0.85 * n):int(0.85 * n) + int(0.1 * n)]
        self.batch, self.generator, self.names = race.batch, generator, len(names)
        self.steps = torch.arange(128)

    def next(self):
        starts = torch.randint(0, len(self.train) - 128, (self.batch, 1), generator=self.generator)
        return self.train[starts + self.steps], self.train[starts + self.steps + 1]

    def validation(self):
        n = (len(self.held) - 1) // 128
        x, y = self.held[:n * 128].view(n, 128), self.held[1:n * 128 + 1].view(n, 128)
        yield from zip(x.split(32), y.split(32))

    def model(self, race):
        return Gpt(race.model[0], race.model[1], 4, 128, self.names)


def rate(race, step):
    """As ours: a warm-up of 5 %, then half a cosine."""
    total = race.epochs * race.steps
    warm = int(0.05 * total)
    if step < warm:
        return race.rate * (step + 1) / warm
    return race.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def optimizer_of(race, model):
    if race.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=race.rate, momentum=0.9, nesterov=True,
                               weight_decay=race.decay, fused=True)
    return torch.optim.AdamW(model.parameters(), lr=race.rate, betas=(0.9, 0.99),
                             weight_decay=race.decay, fused=True)


def main():
    name, seed, folder, start = sys.argv[1:]
    race = next(r for r in SHORT + FULL if r.name == name)
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(int(seed))
    data = {"table": Table, "text": Text, "images": Images}[race.kind](race, folder, generator)
    model = data.model(race)
    missing = model.load_state_dict(load_file(Path(start) / "model.safetensors"), strict=False)
    if missing.unexpected_keys or any("num_batches" not in k for k in missing.missing_keys):
        raise SystemExit(f"parameters differ: {missing}")
    optimizer = optimizer_of(race, model)
    step = 0
    for _ in range(race.epochs):
        begin = time.monotonic()
        model.train()
        for _ in range(race.steps):
            x, y = data.next()
            for group in optimizer.param_groups:
                group["lr"] = rate(race, step)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=race.bf16):
                logits = model(x)
            F.cross_entropy(logits.flatten(0, -2).float(), y.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            optimizer.step()
            step += 1
        model.eval()
        loss, right, count = 0.0, 0, 0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=race.bf16):
            for x, y in data.validation():
                logits = model(x).flatten(0, -2).float()
                loss += F.cross_entropy(logits, y.flatten(), reduction="sum").item()
                right += (logits.argmax(1) == y.flatten()).sum().item()
                count += y.numel()
        print(json.dumps({"event": "epoch", "val_loss": loss / count,
                          "val_accuracy": right / count, "seconds": time.monotonic() - begin}),
              flush=True)


if __name__ == "__main__":
    main()
