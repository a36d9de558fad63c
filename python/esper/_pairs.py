"""Hidden layers that can be made wider: found in the autograd graph of one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

from esper._compiled import uncompiled
from esper._layers import inputs_of, is_layer, is_norm, units_of
from esper._statistics import buffers_kept, draws_kept

# Backward functions of what works on each unit alone, so that another unit changes no other one.
PER_UNIT = {f"{name}Backward{n}" for n in (0, 1) for name in (
    "Relu", "Gelu", "Silu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Celu", "Selu", "Hardtanh",
    "Hardswish", "Hardsigmoid", "Mish", "Softplus", "Softsign", "LogSigmoid", "NativeDropout",
    "ToCopy", "Clone", "Neg", "Exp", "Erf", "Sqrt", "Abs", "Clamp", "Pow",
    "MaxPool2DWithIndices", "AvgPool2D", "MaxPool3DWithIndices", "AvgPool3D")}
# The same of two tensors, or of one and a number: a gate, an activation that is written out. The other
# tensor may also be one without a graph that has an entry for each unit.
OF_TWO = {f"{name}Backward0" for name in ("Mul", "Add", "Sub", "Rsub", "Div")}


@dataclass(frozen=True)
class Pair:
    """A hidden layer: the modules that make its units (of a gated one two, one by the other), norms on
    the way, the module that reads them."""

    firsts: tuple[str, ...]
    norms: tuple[str, ...]
    second: str
    units: int
    is_sure: bool  # every tensor on the way has a graph


@dataclass
class Found:
    pairs: list[Pair]
    positions: dict[str, int]  # by layer: in how many places its weight was used in the pass
    batch: int  # examples in the pass


def find_pairs(model, again):
    """The hidden layers of a model. again: runs a training batch and returns its loss, a tensor with
    its graph. A hidden layer is one that linear or convolution layers make and one reads, with
    nothing in between but what works on each unit alone, and that nothing else reads. Buffers and
    random numbers are as before afterwards. Raises ValueError where the pass has no graph."""
    modules = {m: name for name, m in model.named_modules() if is_layer(m) or is_norm(m)}
    calls, batch, handles = {}, [], []

    def seen(module, args, output):
        x = args[0] if args else None
        calls.setdefault(module, []).append((
            x.grad_fn if isinstance(x, torch.Tensor) else None, output.grad_fn,
            output.numel() // max(units_of(module), 1)))

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
    free = {m for m in once if _is_free(m, users, accumulated)}
    pairs = []
    for second in (m for m in modules if m in free and is_layer(m)):
        firsts, norms, is_sure = _makers(once[second][0], readers, makers, once)
        if firsts and free.issuperset([*firsts, *norms]) and all(_fits(f, second) for f in firsts):
            pairs.append(Pair(tuple(modules[f] for f in firsts), tuple(modules[n] for n in norms),
                              modules[second], inputs_of(second), is_sure))
    positions = {modules[m]: c[2] for m, c in once.items() if is_layer(m)}
    return Found(pairs, positions, batch[0] if batch else 1)


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


def _makers(node, readers, makers, once):
    """Walks back from what a layer reads to all that it is made of: (layers, norms, whether no tensor
    without a graph may be in it); no layers where anything else is, or where anything else reads it."""
    layers, norms, reads, waiting, is_sure = [], [], Counter([node]), [node], True
    while waiting:
        node = waiting.pop()
        maker = makers.get(node)
        if maker is not None and is_layer(maker):
            layers.append(maker)
            continue
        if maker is not None:
            norms.append(maker)
            inputs = [once[maker][0]]
        elif (name := type(node).__name__) in PER_UNIT or name in OF_TWO:
            inputs = [n for n, _ in node.next_functions if n is not None]
            is_sure = is_sure and not (name in OF_TWO and len(inputs) < 2)
        else:
            return [], [], False
        waiting += [n for n in dict.fromkeys(inputs) if n not in reads]
        reads.update(inputs)
    if any(readers[n] != count for n, count in reads.items()):
        return [], [], False
    return layers[::-1], norms, is_sure


def _is_free(module, users, accumulated):
    """A module whose tensors are its own and used by nothing but itself, once a pass."""
    parameters = [p for p in module._parameters.values() if p is not None]
    return (bool(parameters) and not module._forward_pre_hooks and module.weight is not None
            and getattr(module, "groups", 1) == 1
            and all(p.requires_grad and p.is_floating_point() and p.layout == torch.strided
                    and users[id(p)] == 1 and accumulated.get(id(p)) == 1 for p in parameters))


def _fits(first, second):
    """A convolution's channels are not the features of a linear layer behind it."""
    return type(first) is type(second) and units_of(first) == inputs_of(second)
