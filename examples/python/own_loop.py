"""A convolutional network in your own PyTorch loop, grown on the digits of a drawn clock face.

    python own_loop.py [EPOCHS]
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

import esper


def clocks(n, seed):
    """Images [n, 1, 16, 16] of one hand of a clock, and its hour 0 … 11, [n]."""
    generator = torch.Generator().manual_seed(seed)
    hour = torch.randint(0, 12, (n,), generator=generator)
    angle = hour * torch.pi / 6 + torch.randn(n, generator=generator) * 0.1
    image = torch.randn(n, 1, 16, 16, generator=generator) * 0.4
    for step in range(1, 8):
        x = (8 + step * torch.cos(angle)).long().clamp(0, 15)
        y = (8 + step * torch.sin(angle)).long().clamp(0, 15)
        image[torch.arange(n), 0, y, x] += 1.5
    return image, hour


def main(epochs=12):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()),
        nn.Flatten(), nn.Linear(8 * 16, 12))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    images, hours = clocks(2000, 0)
    probe = esper.probe(model, [clocks(1000, 1)], F.cross_entropy)
    test_images, test_hours = clocks(1000, 2)

    growth = esper.wrap(model, images[:2], optimizer, epochs=epochs, anchors=["0.0", "1.0"],
                        probe=probe, overrides=["growth.training=1ep", "growth.graft_steps=60"])
    for epoch in range(epochs):
        for chosen in torch.randperm(2000).split(50):
            loss = F.cross_entropy(model(images[chosen]), hours[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            growth.step(loss)
        with torch.no_grad():
            validation = F.cross_entropy(model(test_images), test_hours).item()
        decisions = growth.epoch(validation)
        print(f"epoch {epoch + 1}: loss {validation:.3f}")
        for d in decisions:
            print(f"  {d['command']} {d['blueprint']} at {d['anchor']}: {d['reason']}")
    print(growth.summary())
    return growth.unwrap()


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
