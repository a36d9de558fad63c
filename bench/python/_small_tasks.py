"""Six small tasks as users have them: data in four parts, a loss, and a network of a given width."""

import math
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F
from _report import ROOT
from torch import nn


@dataclass
class Task:
    parts: list  # (input, target) to train on, for the probe, for validation, to test on
    loss: Callable
    build: Callable  # width, relative to the usual one -> module
    epochs: int
    batch: int
    rate: float


class Residual(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        return x + self.down(F.relu(self.up(self.norm(x))))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.norm1, self.qkv = nn.LayerNorm(d), nn.Linear(d, 3 * d, bias=False)
        self.out, self.norm2 = nn.Linear(d, d, bias=False), nn.LayerNorm(d)
        self.up, self.down, self.heads = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        heard = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heard.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self, symbols, context, d, layers):
        super().__init__()
        self.token, self.place = nn.Embedding(symbols, d), nn.Embedding(context, d)
        self.blocks = nn.Sequential(*(Attention(d, 2) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, symbols)

    def forward(self, ids):
        x = self.token(ids) + self.place(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def mlp(*sizes):
    layers = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def cnn(c):
    def block(a, b, stride):
        return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
    return nn.Sequential(block(3, c, 1), block(c, 2 * c, 2), block(2 * c, 2 * c, 1),
                         block(2 * c, 4 * c, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4 * c, 10))


def parted(x, y, sizes):
    return list(zip(x.split(sizes), y.split(sizes)))


def each_sequence(output, target, reduction="mean"):
    losses = F.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="none")
    return losses.mean() if reduction == "mean" else losses.view(target.shape).mean(1)


def table(g):
    """A sum of products."""
    x = torch.randn(9000, 8, generator=g)
    y = (x[:, :4] * x[:, 4:]).sum(1, keepdim=True) + 0.1 * torch.randn(9000, 1, generator=g)
    return Task(parted(x, y, [5000, 2000, 1000, 1000]), F.mse_loss,
                lambda w: mlp(8, int(32 * w), int(32 * w), 1), 20, 64, 3e-3)


def spirals(g):
    t = torch.rand(6000, generator=g) * 3 * math.pi + 0.5
    label = torch.randint(0, 2, (6000,), generator=g)
    side = 1 - 2 * label.float()
    x = torch.stack([side * t * t.cos(), side * t * t.sin()], 1) / 5
    x = x + 0.05 * torch.randn(6000, 2, generator=g)
    return Task(parted(x, label, [3000, 1500, 750, 750]), F.cross_entropy,
                lambda w: mlp(2, int(16 * w), int(16 * w), 2), 20, 32, 5e-3)


def residual(g):
    """A product of sines, which 5,000 examples hardly show; two residual blocks."""
    x, a = torch.randn(9000, 16, generator=g), torch.randn(16, 16, generator=g)
    y = torch.sin(x @ a / 2)[:, :4].prod(1, keepdim=True) * 4 + x[:, :1] * x[:, 1:2]

    def build(w):
        d = 8 * round(32 * w / 8)
        return nn.Sequential(nn.Linear(16, d), Residual(d), Residual(d), nn.Linear(d, 1))
    return Task(parted(x, y, [5000, 2000, 1000, 1000]), F.mse_loss, build, 20, 64, 2e-3)


def labels(g):
    """Few examples, and one label in six drawn at random."""
    x = torch.randn(3000, 20, generator=g)
    a, b = torch.randn(20, 16, generator=g), torch.randn(16, 5, generator=g)
    y = (torch.tanh(x @ a) @ b).argmax(1)
    wrong = torch.rand(3000, generator=g) < 1 / 6
    y = torch.where(wrong, torch.randint(0, 5, (3000,), generator=g), y)
    return Task(parted(x, y, [1000, 1000, 300, 700]), F.cross_entropy,
                lambda w: mlp(20, int(24 * w), int(24 * w), 5), 30, 32, 2e-3)


def images(g):
    """Gratings of ten directions in noise."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    label = torch.randint(0, 10, (5000,), generator=g)
    angle = label * math.pi / 10 + 0.15 * torch.randn(5000, generator=g)
    frequency, phase = 4 + 4 * torch.rand(5000, generator=g), 6.28 * torch.rand(5000, generator=g)
    wide = lambda v: v[:, None, None]
    grating = torch.sin(wide(frequency) * (x * wide(angle.cos()) + y * wide(angle.sin()))
                        + wide(phase))
    pictures = grating[:, None] * torch.rand(5000, 3, 1, 1, generator=g)
    pictures = pictures + 0.6 * torch.randn(5000, 3, 16, 16, generator=g)
    return Task(parted(pictures, label, [3000, 1000, 500, 500]), F.cross_entropy,
                lambda w: cnn(int(8 * w)), 8, 32, 3e-3)


def text(g):
    """300,000 characters of the bundled text, in windows of 64; another stretch for each seed."""
    whole = (ROOT / "data" / "tinyshakespeare.txt").read_text()
    symbols = sorted(set(whole))
    begin = int(torch.randint(0, len(whole) - 300_001, (1,), generator=g))
    index = {c: i for i, c in enumerate(symbols)}
    ids = torch.tensor([index[c] for c in whole[begin:begin + 300_001]])
    n, context = 300_000 // 64, 64
    x, y = ids[:n * context].view(n, context), ids[1:n * context + 1].view(n, context)
    held = n // 10
    return Task(parted(x, y, [n - 2 * held - held // 2, held, held // 2, held]), each_sequence,
                lambda w: GPT(len(symbols), context, 4 * round(32 * w / 4), 2), 5, 32, 3e-3)


TASKS = {make.__name__: make for make in (table, spirals, residual, labels, images, text)}
