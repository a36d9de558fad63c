"""Wraps a model whose parameters fill SHARE of the memory there is, and prints what that took.

    wrap_large_model.py SHARE     a share of what Linux calls available, 0 … 1

In a process of its own: the memory goes back with it, and THP_MEM_ALLOC_ENABLE=1 lets PyTorch have
large pages.
"""

import json
import sys
import time

import torch
from torch import nn

import esper

SIZE = 4096


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.utils.skip_init(nn.Linear, SIZE, SIZE, bias=False)
        with torch.no_grad():
            self.layer.weight.fill_(1e-6)

    def forward(self, x):
        return x + self.layer(x)


def memory(field, of="/proc/self/status"):
    """Bytes, as Linux counts them."""
    with open(of) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


@torch.no_grad()
def main(share):
    layers = max(int(memory("MemAvailable", "/proc/meminfo") * share) // (4 * SIZE * SIZE), 2)
    model = nn.Sequential(*(Residual() for _ in range(layers)), nn.Linear(SIZE, 2)).eval()
    config, x = esper.load_config(), torch.ones(1, SIZE)
    before = model(x)
    held = [(p.data_ptr(), p._version) for p in model.parameters()]
    resident = memory("VmRSS")
    began = time.perf_counter()
    growth = esper.wrap(model, config=config, steps_per_epoch=10, quiet=True)
    took = time.perf_counter() - began
    same = torch.equal(model(x), before)
    grew = memory("VmRSS") - resident
    same &= held == [(p.data_ptr(), p._version) for p in model.parameters()]
    print(json.dumps({
        "bytes": sum(p.numel() * p.element_size() for p in model.parameters()),
        "layers": layers, "anchors": len(growth.anchors), "seconds": took, "grew_by": grew,
        "same": same and esper.unwrap(model) is model}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
