#!/usr/bin/env python3
"""Exports small modules and writes what PyTorch itself computes with them.

    make_pt2_cases.py FOLDER [hosts]

With `hosts`, only the two small models that a training run starts from. Otherwise, for each case FOLDER/<name>.pt2, and FOLDER/<name>.safetensors with the inputs `in.<i>`, the outputs
`out.<i>`, the numbers `weight.<i>` that each output is multiplied with before everything is summed
up to the loss, the loss, the gradients `grad.<parameter>` and the buffers afterwards,
`after.<buffer>`.
"""

import ctypes
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

BATCH = torch.export.Dim("batch", min=2, max=64)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 12), nn.ReLU(inplace=True), nn.Linear(12, 12),
                                  nn.GELU())
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        return self.head(self.body(x))


class ConvNet(nn.Module):
    """BatchNorm, in-place ReLU, a residual addition in place, a view at the end."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.bn2 = nn.BatchNorm2d(8, momentum=0.3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        y = self.pool(self.relu(y))
        y = F.adaptive_avg_pool2d(y, 1)
        return self.fc(y.view(y.size(0), -1))


class Block(nn.Module):
    """A transformer block by hand: one projection split into three, a mask made on the spot."""

    def __init__(self, width=16, heads=2):
        super().__init__()
        self.heads = heads
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).split(d, dim=-1)
        q, k, v = (z.view(n, t, self.heads, d // self.heads).transpose(1, 2) for z in (q, k, v))
        scores = q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5
        mask = torch.ones(t, t, dtype=torch.bool).tril()
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.mlp(self.ln2(x))


class Text(nn.Module):
    """Tied embedding and head, positions as a buffer, attention by the fused operator."""

    def __init__(self, vocabulary=11, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.register_buffer("positions", torch.arange(32), persistent=False)
        self.place = nn.Embedding(32, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(2)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens) + self.place(self.positions[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        return {"logits": self.head(self.norm(x)), "hidden": [x, x.mean(1)]}


class Several(nn.Module):
    """Several inputs and outputs, a number and None among the inputs, a list inside a tuple."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Bilinear(4, 3, 2)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.frozen = nn.Parameter(torch.full((4,), 0.3), requires_grad=False)

    def forward(self, x, y, k, nothing=None, *, shift):
        h = torch.tanh(self.a(x)) * self.scale * k + self.frozen
        first, second = h.chunk(2, dim=1)
        parts = torch.unbind(h, dim=1)
        return self.b(h, y) + shift, [first * second, parts[0] + parts[3]], h.max(1).values


class NoGrad(nn.Module):
    """A part without gradients, a lifted constant, a buffer that the model writes itself."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 5)
        self.register_buffer("average", torch.zeros(5))

    def forward(self, x):
        h = self.fc(x)
        with torch.no_grad():
            centre = h.mean(0) * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
            self.average.mul_(0.9).add_(centre, alpha=0.1)
        return (h - centre) * torch.arange(h.shape[0])[:, None] / h.shape[0] + self.average


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, num_layers=2, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        y, (h, _) = self.rnn(x)
        return self.fc(y[:, -1]), h


class Views(nn.Module):
    """Writes through views, indexing, padding, stacking."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3)
        self.weight = nn.Parameter(torch.randn(6, 4))

    def forward(self, x):
        h = self.conv(F.pad(x, (1, 1)))
        h = h.clone()
        h[:, 1:3].mul_(2)
        h[:, 0, ::2] = 1.5
        s = torch.stack([h, -h], dim=1).flatten(1, 2)
        w = self.weight[torch.tensor([0, 2, 4])]
        return torch.einsum("nct,kc->nkt", s[:, :4], w).clamp(min=-1), torch.cat([s, h], 1).permute(
            0, 2, 1)


class Grid(nn.Module):
    """Sizes that are computed from the batch's: a window partition, as in Swin."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 2, stride=2)
        self.norm = nn.GroupNorm(2, 8)
        self.fc = nn.Linear(8, 8)
        self.up = nn.ConvTranspose2d(8, 3, 2, stride=2)

    def forward(self, x):
        x = self.norm(self.embed(x))
        n, c, h, w = x.shape
        x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        x = x + self.fc(x)
        windows = x.shape[0] // n
        x = x.view(n, windows // 2, 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)
        return self.up(F.silu(x)), x.new_zeros((n, 2)) + windows


class Random(nn.Module):
    """Everything that draws: dropout of elements and channels, attention, drop path, noise."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.fc = nn.Linear(8, 8)
        self.drop = nn.Dropout(0.25)
        self.channels = nn.Dropout2d(0.5)

    def drop_path(self, x, p=0.3):
        if not self.training:
            return x
        keep = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1 - p)
        return x * keep.div_(1 - p)

    def floored_path(self, x, keep=0.6):
        """The same as transformers writes it."""
        if not self.training:
            return x
        coin = keep + torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype)
        coin.floor_()
        return x.div(keep) * coin

    def forward(self, x):
        x = self.channels(self.conv(x)).flatten(2).transpose(1, 2)
        q = self.fc(x).unflatten(-1, (2, 4)).transpose(1, 2)
        a = F.scaled_dot_product_attention(q, q, q, is_causal=True,
                                           dropout_p=0.2 if self.training else 0.0)
        x = x + self.drop_path(a.transpose(1, 2).flatten(2))
        x = x + self.floored_path(self.fc(x))
        x = F.dropout(x, 0.1, training=False) + F.dropout(x, 0.0, training=True)
        x = self.drop(x)
        return x, torch.rand(x.shape[0], 100) + torch.randn_like(x).mean() * 0


class Classifier(nn.Module):
    """A host for 32x32 images of ten classes."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.bn(self.stem(x)))
        return self.fc(self.drop(x.mean((2, 3)).view(x.size(0), -1)))


class Characters(nn.Module):
    """A host for text: 16 characters of at most 70 kinds."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(70, 16)
        self.block = Block()
        self.head = nn.Linear(16, 70)

    def forward(self, tokens):
        return {"logits": self.head(self.block(self.embed(tokens))), "unused": tokens.float()}


def images(n=4, size=8):
    return torch.randn(n, 3, size, size)


CASES = {
    "mlp": (Mlp, (torch.randn(5, 6),), {}, ({0: BATCH},)),
    "mlp_fixed": (Mlp, (torch.randn(5, 6),), {}, None),
    "convnet": (ConvNet, (images(),), {}, ({0: BATCH},)),
    "block": (Block, (torch.randn(3, 7, 16),), {}, ({0: BATCH},)),
    "text": (Text, (torch.randint(0, 11, (3, 9)),), {}, ({0: BATCH},)),
    "several": (Several, (torch.randn(4, 4), torch.randn(4, 3), 2, None),
                {"shift": torch.randn(2)}, None),
    "no_grad": (NoGrad, (torch.randn(6, 5),), {}, ({0: BATCH},)),
    "recurrent": (Recurrent, (torch.randn(3, 5, 4),), {}, None),
    "views": (Views, (torch.randn(3, 3, 8),), {}, None),
    "random": (Random, (images(3),), {}, ({0: BATCH},)),
    "grid": (Grid, (images(3),), {}, ({0: BATCH},)),
}


HOSTS = {
    "classifier": (Classifier, torch.randn(4, 3, 32, 32)),
    "characters": (Characters, torch.randint(0, 70, (4, 16))),
    "misfit": (Mlp, torch.randn(5, 6)),
}


def write_hosts(folder):
    for name, (make, x) in HOSTS.items():
        torch.manual_seed(1)
        exported = torch.export.export(make().train(), (x,), dynamic_shapes=({0: BATCH},),
                                       strict=False)
        torch.export.save(exported, folder / f"{name}.pt2")


TYPES = {torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL"}


def save_file(tensors, path):
    """As safetensors does, which the Python that has torch may lack."""
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach().contiguous()
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + size]}
        data += ctypes.string_at(tensor.data_ptr(), size) if size else b""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data)


def leaves(tree):
    return [x for x in torch.utils._pytree.tree_leaves(tree) if isinstance(x, torch.Tensor)]


def write(folder, name, make, args, kwargs, shapes):
    torch.manual_seed(sum(map(ord, name)))
    model = make().train()
    if shapes is not None and kwargs:
        raise ValueError("shapes of keyword arguments are not given here")
    exported = torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)
    torch.export.save(exported, folder / f"{name}.pt2")

    inputs = leaves((args, kwargs))
    content = {f"in.{i}": x.clone() for i, x in enumerate(inputs)}
    outputs = leaves(model(*args, **kwargs))
    loss = 0
    for i, out in enumerate(outputs):
        content[f"out.{i}"] = out.detach().clone().contiguous()
        weight = torch.randn(out.shape)
        content[f"weight.{i}"] = weight
        loss = loss + (out * weight).sum()
    loss.backward()
    content["loss"] = loss.detach()
    for parameter, value in model.named_parameters():
        if value.requires_grad:
            gradient = value.grad if value.grad is not None else torch.zeros_like(value)
            content[f"grad.{parameter}"] = gradient.clone().contiguous()
    for buffer, value in model.named_buffers():
        content[f"after.{buffer}"] = value.clone()
    model.eval()
    with torch.no_grad():
        for i, out in enumerate(leaves(model(*args, **kwargs))):
            content[f"eval.{i}"] = out.clone().contiguous()
    save_file(content, folder / f"{name}.safetensors")


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[2:] == ["hosts"]:
        return write_hosts(folder)
    for name, (make, args, kwargs, shapes) in CASES.items():
        write(folder, name, make, args, kwargs, shapes)


if __name__ == "__main__":
    main()
