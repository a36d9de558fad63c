"""Hosts and texts of growth_adapt: a character GPT that was trained on one text and meets another.

Two texts with one vocabulary: the sources of Python's own standard library (of the interpreter that
runs this, the first 6 MB in the order of their paths) and tinyshakespeare. Of each the first 85 %
train, the next 5 % are the probe (choices are made on it), the last 10 % are reported."""

import hashlib
import math
import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

ROOT = Path(__file__).resolve().parent.parent.parent
VOCABULARY = ["\n", "\t"] + [chr(c) for c in range(32, 127)]
WINDOW, WIDTH, BLOCKS, HEAD, BATCH = 64, 64, 4, 16, 16
PYTHON_BYTES = 6_000_000
PRETRAINING = {"python": 3000, "shakespeare": 2000}  # steps of 1,024 characters


def python_text():
    folder = Path(sysconfig.get_path("stdlib"))
    text, size = [], 0
    for path in sorted(folder.rglob("*.py")):
        if {"test", "tests", "site-packages", "dist-packages", "idlelib"} & set(path.parts):
            continue
        text.append(path.read_text(errors="ignore"))
        size += len(text[-1])
        if size >= PYTHON_BYTES:
            break
    return "".join(text)[:PYTHON_BYTES]


def text_of(name):
    if name == "python":
        return python_text()
    return (ROOT / "data" / "tinyshakespeare.txt").read_text(errors="ignore")


class Text:
    """One text as numbers, in three parts."""

    def __init__(self, name):
        number = {c: i for i, c in enumerate(VOCABULARY)}
        text = text_of(name)
        data = torch.tensor([number.get(c, number["?"]) for c in text])
        self.name, self.hash = name, hashlib.sha256(text.encode()).hexdigest()[:16]
        a, b = int(0.85 * len(data)), int(0.9 * len(data))
        self.train, self.probe, self.held_out = data[:a], data[a:b], data[b:]

    def batches(self, generator, size=BATCH):
        """Random windows of the training part, without end."""
        while True:
            yield self.batch(generator, size)

    def batch(self, generator, size=BATCH):
        at = torch.randint(0, len(self.train) - WINDOW - 1, (size, 1), generator=generator)
        x = self.train[at + torch.arange(WINDOW + 1)]
        return x[:, :-1], x[:, 1:]


def windows(part, count):
    """The first windows of a part, side by side: (x, y), each [count, WINDOW]."""
    count = min(count, (len(part) - 1) // WINDOW)
    return (part[:count * WINDOW].view(count, WINDOW), part[1:count * WINDOW + 1].view(count, WINDOW))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        # Where Houlsby's adapters sit: what flows after each half of the block.
        self.after_attention, self.after_mlp = nn.Identity(), nn.Identity()

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, d // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * HEAD ** -0.5
        mask = torch.full((t, t), -1e9, device=x.device).triu(1)
        a = (scores.float() + mask).softmax(-1).to(v.dtype)
        x = self.after_attention(x + self.out((a @ v).transpose(1, 2).reshape(n, t, d)))
        h = F.relu(self.up(self.norm2(x)))
        return self.after_mlp(x + self.down(h * h))


class Gpt(nn.Module):
    def __init__(self, blocks=BLOCKS, width=WIDTH):
        super().__init__()
        self.characters = nn.Embedding(len(VOCABULARY), width)
        self.places = nn.Parameter(torch.randn(WINDOW, width) * 0.1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, len(VOCABULARY), bias=False)
        nn.init.normal_(self.characters.weight, std=0.5)
        nn.init.zeros_(self.head.weight)
        for name, p in self.blocks.named_parameters():
            if p.dim() == 2:
                branch_end = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=(0.8 if branch_end else 1) / math.sqrt(width))

    def forward(self, x):
        h = self.characters(x) + self.places[:x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class Half(nn.Module):
    """A model whose matrix products run in bfloat16."""

    def __init__(self, gpt):
        super().__init__()
        self.gpt = gpt

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.gpt(x).float()


def loss_of(output, y):
    return F.cross_entropy(output.flatten(0, 1), y.flatten())


@torch.no_grad()
def token_losses(model, pair):
    """[windows, WINDOW]."""
    x, y = pair
    parts = []
    for a, b in zip(x.split(50), y.split(50)):
        parts.append(F.cross_entropy(model(a).flatten(0, 1), b.flatten(),
                                     reduction="none").view(-1, WINDOW))
    return torch.cat(parts)


def rate_at(share, step, warm_up):
    """Of the full rate: up over so many steps, then constant, linear to zero over the last 60 %."""
    return min(1, (step + 1) / warm_up) * min(1, (1 - share) / 0.6)


def adam(parameters, rate):
    parameters = list(parameters)
    return torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
         {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}],
        lr=rate, betas=(0.9, 0.97), foreach=True)


def step_at(model, optimizer, rate, x, y):
    loss = loss_of(model(x), y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss


def pretrain(text, steps, rate=3e-3, seed=17, say=print):
    torch.manual_seed(seed)
    model, draws = Half(Gpt()), torch.Generator().manual_seed(seed)
    optimizer = adam(model.parameters(), rate)
    mean = None
    for k in range(steps):
        loss = step_at(model, optimizer, rate * rate_at(k / steps, k, 100), *text.batch(draws)).item()
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if k % 500 == 499:
            say(f"host {text.name}: step {k + 1} of {steps}, training loss {mean:.4f}")
    return model.gpt.eval()


def host(folder, text, say=print, steps=None):
    """The host that was trained on a text, from the folder or made now."""
    steps = steps or PRETRAINING[text.name]
    path = Path(folder) / f"host-{text.name}-{text.hash}-{steps}.pt"
    model = Gpt()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(pretrain(text, steps, say=say).state_dict(), part)
        part.replace(path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return Half(model).eval()
