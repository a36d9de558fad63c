"""What an adapter adds to the weight of a model's last linear layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from esper._anchors import Anchor

READOUT = "readout"
KINDS = {2: "vector", 3: "tokens"}  # by the axes of the layer's output
MOST = 0.5  # of an adapter's parameters


def readout_anchor(model, observer):
    """The linear layer whose output the model hands on, as an anchor; None where there is none of
    its own: layers that share their weight (a head tied to an embedding) are left alone."""
    for at in range(len(observer.order) - 1, -1, -1):
        name = observer.order[at]
        module = model.get_submodule(name)
        if type(module) is nn.Linear:
            break
        own = any(True for _ in module.parameters())
        last = [n for n in observer.order[:at] if type(model.get_submodule(n)) is nn.Linear]
        if own and not (last and last[-1].startswith(name + ".")):
            return None  # something with weights of its own comes after the last linear layer
    else:
        return None
    shape = observer.shapes[name]
    shared = sum(module.weight is p for m in model.modules() for p in m._parameters.values()) > 1
    if shared or len(shape) not in KINDS or not module.weight.is_floating_point():
        return None
    return Anchor(name, KINDS[len(shape)], (-1, *shape[1:]))


def inputs_of(model, anchor):
    """Features that the layer at an anchor reads, or None where it is no linear layer of the
    anchor's size."""
    module = model.get_submodule(anchor.name)
    if type(module) is not nn.Linear or module.out_features != anchor.shape[-1]:
        return None
    return module.in_features


class Readout(nn.Module):
    """Holds the change of a weight; zero at first."""

    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def put(self, name, tensor):
        setattr(self, name, tensor)


class AddReadout:
    """Forward hook: the layer with the changed weight. It computes what the layer would compute if
    the change were folded into it, to the last bit."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, module, args, output):
        return F.linear(args[0], changed_weight(module, self.seed), module.bias)


def changed_weight(module, seed):
    return module.weight + seed.weight.to(module.weight.dtype)


@torch.no_grad()
def fold(module, seed):
    """Makes the change part of the layer, with a weight of its own."""
    module.weight = nn.Parameter(changed_weight(module, seed), module.weight.requires_grad)
