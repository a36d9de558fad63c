"""A trained convolutional network that must not change learns to read clocks that run backwards.

    python adapt_frozen.py [EPOCHS] [FILE]

FILE (default adapter.esper, in a temporary folder) is written, loaded into a fresh copy of the network
and switched on and off there.
"""

import copy
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import esper


def clocks(n, seed, backwards=False):
    """Batches of images [50, 1, 16, 16] of one hand of a clock, and its hour 0 … 11."""
    generator = torch.Generator().manual_seed(seed)
    hour = torch.randint(0, 12, (n,), generator=generator)
    angle = (-hour if backwards else hour) * torch.pi / 6
    angle = angle + torch.randn(n, generator=generator) * 0.1
    image = torch.randn(n, 1, 16, 16, generator=generator) * 0.4
    for step in range(1, 8):
        x = (8 + step * torch.cos(angle)).long().clamp(0, 15)
        y = (8 + step * torch.sin(angle)).long().clamp(0, 15)
        image[torch.arange(n), 0, y, x] += 1.5
    return list(zip(image.split(50), hour.split(50)))


def trained_host(epochs=8):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Flatten(), nn.Linear(16 * 16, 12))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(epochs):
        for x, y in clocks(1000, 0):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.eval()


def main(epochs=20, file=None):
    model = trained_host()
    plain = copy.deepcopy(model)
    images, _ = clocks(50, 5)[0]

    grown = esper.adapt(model, images, epochs=epochs, anchors=["0", "1"], parameters=0.5)
    grown.fit(clocks(1000, 1, backwards=True), F.cross_entropy,
              probe=clocks(1000, 2, backwards=True), old=clocks(500, 3))
    with grown.off():
        print("off, the network's outputs are the same to the last bit:",
              torch.equal(model(images), plain(images)))

    with tempfile.TemporaryDirectory() as folder:
        file = Path(file or Path(folder) / "adapter.esper")
        grown.save(file, "clocks that run backwards")
        fresh = copy.deepcopy(plain)
        adapter = esper.adapters.add(fresh, file)
        print(f"{file.name}, {file.stat().st_size:,} bytes: {adapter}")
        print("loaded, it gives the same outputs:", torch.equal(fresh(images), model(images)))
    return grown


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]), *sys.argv[2:3])
