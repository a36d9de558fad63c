"""Small models of every shape that seeds must cope with, and ways to grow them by hand."""

import torch
from torch import nn


class Block(nn.Module):
    """A residual block with in-place activations."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu_(self.norm(self.conv(x)).add_(x))


class ConvNet(nn.Module):
    def __init__(self, channels=8, classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(Block(channels), Block(channels), Block(channels))
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.blocks(self.act(self.stem(x))).mean((2, 3)))


class InPlaceAfter(nn.Module):
    """What the anchored layers return is overwritten by the next one."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 8),
                                    nn.ReLU(inplace=True), nn.Linear(8, 5))

    def forward(self, x):
        return self.layers(x)


class TupleLayer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.attention = nn.MultiheadAttention(size, 2, batch_first=True)

    def forward(self, x, scale=1.0):
        h = self.norm(x)
        out, weights = self.attention(h, h, h)
        return (x + scale * out, weights)


class Transformer(nn.Module):
    """Blocks that return tuples, called with keyword arguments; one of them is called twice."""

    def __init__(self, size=8, classes=5):
        super().__init__()
        self.embed = nn.Embedding(11, size)
        self.layers = nn.ModuleList(TupleLayer(size) for _ in range(2))
        self.head = nn.Linear(size, classes)

    def forward(self, ids, repeat=True):
        x = self.embed(ids)
        for layer in (*self.layers, *([self.layers[1]] if repeat else [])):
            x = layer(x, scale=0.5)[0]
        return self.head(x[:, -1])


class TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
                                    for _ in range(2))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = x.transpose(0, 1)
        for layer in self.layers:
            x = layer(x)
        return self.head(x[0])


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
            for _ in range(2))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x.mean((1, 2)))


class Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(2, 8, 3, padding=1), nn.BatchNorm1d(8), nn.GELU(),
                                    nn.Conv1d(8, 8, 3, padding=1), nn.GELU())
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.layers(x).mean(2))


class Branching(nn.Module):
    """Control flow that depends on the data."""

    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(3))
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        for step in self.steps:
            if x.abs().max() < 50:
                x = x + step(x)
        return self.head(x)


class SharedWeights(nn.Module):
    """One matrix embeds and reads out, one block runs twice, a view is written in place, and there
    are several outputs."""

    def __init__(self, size=8, words=11):
        super().__init__()
        self.embed = nn.Embedding(words, size)
        block = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, size), nn.ReLU(inplace=True))
        self.blocks = nn.ModuleList([block, nn.Sequential(nn.Linear(size, size), nn.GELU()), block])
        self.readout = nn.Linear(size, words, bias=False)
        self.readout.weight = self.embed.weight

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = x + block(x)
        first = x[:, 0].clone()
        first.view(-1).mul_(0.5)
        return {"logits": self.readout(x), "first": first, "all": (x, x.mean())}


MODELS = {
    "convolutions with in-place activations": (ConvNet, lambda: torch.randn(4, 3, 8, 8)),
    "images stored channels last": (
        ConvNet, lambda: torch.randn(4, 3, 8, 8).to(memory_format=torch.channels_last)),
    "layers overwritten in place": (InPlaceAfter, lambda: torch.randn(4, 6)),
    "shared weights, views and several outputs": (
        SharedWeights, lambda: torch.randint(0, 11, (4, 7))),
    "blocks that return tuples": (Transformer, lambda: torch.randint(0, 11, (4, 7))),
    "time before batch": (TimeFirst, lambda: torch.randn(4, 7, 8)),
    "channels last": (ChannelsLast, lambda: torch.randn(4, 8, 3, 5)),
    "one-dimensional convolutions": (Waves, lambda: torch.randn(4, 2, 9)),
    "control flow": (Branching, lambda: torch.randn(4, 6)),
}


def build(name):
    torch.manual_seed(7)
    make, example = MODELS[name]
    return make(), example()


def tensors_of(output):
    if isinstance(output, torch.Tensor):
        return [output]
    items = output.values() if isinstance(output, dict) else output
    return [t for item in items for t in tensors_of(item)]


def main_output(model, x):
    return tensors_of(model(x))[0]


def loss_and_gradients(model, x):
    model.zero_grad()
    torch.manual_seed(3)
    loss = sum(t.square().mean() for t in tensors_of(model(x)))
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters()
                           if p.grad is not None}


def germinate(growth, slot, blueprint=None):
    """Wakes one seed by hand and returns its name."""
    import esper

    return growth.germinate(slot, blueprint or esper.blueprints(growth.anchors[slot].kind)[0])


def blend(growth, slot, alpha):
    growth.graft(slot, "LINEAR", 10)
    growth.set_alpha(slot, alpha)


def fossilize(growth, slot):
    for state in ("STABILIZATION", "EVALUATING"):
        growth.advance(slot, state)
    growth.fossilize(slot)
