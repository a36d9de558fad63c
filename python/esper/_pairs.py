"""Hidden layers that can be made wider: found in the autograd graph of one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn

from esper._compiled import uncompiled
from esper._statistics import buffers_kept, draws_kept

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# Backward functions of what works on each unit alone, so that another unit changes no other one.
PER_UNIT = {f"{name}Backward0" for name in (
    "Relu", "Gelu", "Silu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Celu", "Selu", "Hardtanh",
    "Hardswish", "Hardsigmoid", "Mish", "Softplus", "Softsign", "LogSigmoid", "NativeDropout",
    "ToCopy", "MaxPool2DWithIndices", "AvgPool2D", "MaxPool3DWithIndices", "AvgPool3D")}
# How dropout is written on a CPU. It is also how a model scales by numbers of its own.
DROPPED = "MulBackward0"


@dataclass(frozen=True)
class Pair:
    """A hidden layer: the module that makes its units, norms on the way, the module that reads them."""

    first: str
    norms: tuple[str, ...]
    second: str
    units: int


@dataclass
class Found:
    pairs: list[Pair]
    positions: dict[str, int]  # by layer: in how many places its weight was used in the pass
    batch: int  # examples in the pass


def find_pairs(model, again):
    """The hidden layers of a model. again: runs a training batch and returns its loss, a tensor with
    its graph. A hidden layer is one that one linear or convolution layer makes and one reads, with
    nothing in between but what works on each unit alone, and that nothing else reads. Buffers and
    random numbers are as before afterwards. Raises ValueError where the pass has no graph."""
    modules = {m: name for name, m in model.named_modules() if type(m) in LAYERS + NORMS}
    calls, batch, handles = {}, [], []

    def seen(module, args, output):
        x = args[0] if args else None
        calls.setdefault(module, []).append((
            x.grad_fn if isinstance(x, torch.Tensor) else None, output.grad_fn,
            output.numel() // max(_units_of(module), 1)))

    def entered(module, args, kwargs):
        batch.extend(a.shape[0] for a in (*args, *kwargs.values())
                     if isinstance(a, torch.Tensor) and a.dim())

    try:
        handles = [m.register_forward_hook(seen) for m in modules]
        handles.append(model.register_forward_pre_hook(entered, with_kwargs=True))
        with buffers_kept(model), draws_kept(model), torch.enable_grad(), uncompiled():
            loss = again()
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(loss, torch.Tensor) or loss.grad_fn is None:
        raise ValueError("again() returned no loss that was just computed with gradients")
    readers = _readers(loss.grad_fn)
    once = {m: c[0] for m, c in calls.items() if len(c) == 1}
    makers = {out: m for m, (_, out, _) in once.items() if out is not None}
    users = Counter(id(p) for m in model.modules() for p in m._parameters.values() if p is not None)
    accumulated = {id(n.variable): c for n, c in readers.items() if hasattr(n, "variable")}
    drops = any(isinstance(m, nn.modules.dropout._DropoutNd) for m in model.modules())
    free = {m for m in once if _is_free(m, users, accumulated)}
    pairs = []
    for second in (m for m in modules if m in free and type(m) in LAYERS):
        found = _maker(once[second][0], readers, makers, once, drops)
        if found is None:
            continue
        first, norms = found
        if first in free and all(n in free for n in norms) and _fits(first, second):
            pairs.append(Pair(modules[first], tuple(modules[n] for n in norms), modules[second],
                              first.weight.shape[0]))
    positions = {modules[m]: c[2] for m, c in once.items() if type(m) in LAYERS}
    return Found(pairs, positions, batch[0] if batch else 1)


def _units_of(module):
    return module.weight.shape[0] if module.weight is not None else 0


def _readers(root):
    """For each node of an autograd graph how many nodes take its gradient from it."""
    count, seen, waiting = Counter(), {root}, [root]
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None:
                continue
            count[node] += 1
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return count


def _maker(node, readers, makers, once, drops):
    """Walks back from what a layer reads to the layer that made it: (layer, norms), or None."""
    norms = []
    while node is not None and readers[node] == 1:
        maker = makers.get(node)
        if type(maker) in LAYERS:
            return maker, norms
        if maker is not None:  # a norm
            norms.append(maker)
            node = once[maker][0]
            continue
        name = type(node).__name__
        inputs = [n for n, _ in node.next_functions if n is not None]
        if len(inputs) != 1 or not (name in PER_UNIT or (drops and name == DROPPED)):
            return None
        node = inputs[0]
    return None


def _is_free(module, users, accumulated):
    """A module whose tensors are its own and used by nothing but itself, once a pass."""
    parameters = [p for p in module._parameters.values() if p is not None]
    return (bool(parameters) and not module._forward_pre_hooks and module.weight is not None
            and getattr(module, "groups", 1) == 1
            and all(p.requires_grad and p.is_floating_point() and p.layout == torch.strided
                    and users[id(p)] == 1 and accumulated.get(id(p)) == 1 for p in parameters))


def _fits(first, second):
    """A convolution's channels are not the features of a linear layer behind it."""
    return type(first) is type(second) and first.weight.shape[0] == second.weight.shape[1]
