"""Depth: a block of the user's model becomes two, each with half of what the block adds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import contextmanager

import torch

from esper._live import Hook
from esper._optimizer import inner
from esper._unwrap import load_module

# Plain PyTorch: it stays in the model when Esper has gone.
CODE = '''"""Blocks that became two, written by Esper as plain PyTorch."""

import copy
from collections.abc import Mapping

import torch
from torch import nn


class Twins(nn.Module):
    """Holds the copies of blocks; as a member of a Sequential it passes its input on."""

    def forward(self, x):
        return x


class Twin:
    """Forward hook of a block: x + s(block(x) - x), then the same with each copy. shares: the block's
    s, then one for each copy; together they are 1."""

    def __init__(self, copies, shares):
        self.copies, self.shares = copies, shares

    def __call__(self, block, args, kwargs, output):
        rest, named = args[1:], dict(kwargs)
        if args:
            x, call = args[0], lambda module, z: module(z, *rest, **named)
        else:
            key = next(iter(named))
            x, call = named.pop(key), lambda module, z: module(**{key: z, **named})
        z = self.step(block, x, output, self.shares[0])
        for module, share in zip(self.copies, self.shares[1:], strict=True):
            z = self.step(module, z, call(module, z), share)
        if isinstance(output, Mapping):
            changed = type(output)(output)
            changed[next(iter(output))] = z
            return changed
        if isinstance(output, (tuple, list)):
            items = [z, *output[1:]]
            return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)
        return z

    @staticmethod
    def step(module, x, output, share):
        y = output
        if isinstance(output, Mapping):
            y = output[next(iter(output))]
        elif isinstance(output, (tuple, list)):
            y = output[0]
        if not isinstance(x, torch.Tensor) or not isinstance(y, torch.Tensor) or x.shape != y.shape:
            raise ValueError(f"a {type(module).__name__} that does not keep its input's shape cannot "
                             "become two")
        return x + share * (y - x)


def place(model, name, block_name, copies, shares):
    """Puts the copies of a block under `name` into the model and hooks them behind the block."""
    if name not in model._modules:
        model.add_module(name, Twins())
    held = nn.ModuleList(copies)
    model._modules[name].add_module(block_name.replace(".", "/"), held)
    block = model.get_submodule(block_name)
    block.register_forward_hook(Twin(held, shares), with_kwargs=True)


def split(model):
    """Makes the copies in a freshly built model; load the weights afterwards."""
    for block_name, shares in TWINS:
        block = model.get_submodule(block_name)
        place(model, NAME, block_name, [copy.deepcopy(block) for _ in shares[1:]], list(shares))
    return model


NAME, TWINS = "twins", []
'''


class FirstLook:
    """Forward hook in front of a new Twin, for one pass: where the block turns out to change its
    input's shape, the model is made as it was."""

    def __init__(self, splits, block_name, optimizer):
        self.splits, self.block_name, self.optimizer = splits, block_name, optimizer

    def __call__(self, block, args, kwargs, output):
        hooks = block._forward_hooks
        for key in [key for key, hook in hooks.items() if hook is self]:
            del hooks[key]
        x = args[0] if args else next(iter(kwargs.values()), None)
        y = output
        if isinstance(output, Mapping):
            y = output[next(iter(output))]
        elif isinstance(output, (tuple, list)):
            y = output[0]
        if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) and x.shape == y.shape:
            return
        self.splits.take_out(self.block_name, self.optimizer)
        raise ValueError(f"{self.block_name}, a {type(block).__name__}, does not keep its input's "
                         "shape: it cannot become two, and is one again")


class Splits:
    """The blocks of one model that became two."""

    def __init__(self, model):
        self.model = model
        self.shares = {}  # block -> its own share and those of its copies
        self.name = None  # of the module that holds the copies
        self.looks = []  # hooks that wait for a forward pass

    def split(self, block_name, optimizer):
        """Adds a copy of the block. Its parameters join the optimizer with the state of theirs."""
        block = self.model.get_submodule(block_name)
        if changes_shape(block):
            raise ValueError(f"{block_name}, {block}, does not keep its input's shape: it cannot "
                             "become two")
        parameters = list(block.parameters())
        outside = self._outside(block)
        with without_hooks(block):
            # What the block shares with the rest of the model stays shared.
            twin = copy.deepcopy(block, {id(t): t for t in outside})
        module = load_module(CODE, None)
        if self.name is None:
            self.name = "twins"
            while self.name in self.model._modules:
                self.name += "_"
        shares = self.shares.get(block_name)
        if shares is None:
            shares = self.shares[block_name] = [0.5, 0.5]
            self.looks.append(block.register_forward_hook(
                FirstLook(self, block_name, optimizer), with_kwargs=True))
            module.place(self.model, self.name, block_name, [twin], shares)
        else:  # the last of them is divided; its hook has this very list
            copies = self.model._modules[self.name]._modules[block_name.replace(".", "/")]
            with without_hooks(copies[-1]):
                twin = copy.deepcopy(copies[-1], {id(t): t for t in outside})
            parameters = list(copies[-1].parameters())
            shares[-1] /= 2
            shares.append(shares[-1])
            copies.append(twin)
        if optimizer is not None:
            join(inner(optimizer), parameters, list(twin.parameters()))
        return f"{self.name}.{block_name.replace('.', '/')}.{len(shares) - 2}"

    def settle(self):
        """Looks on at no further forward pass."""
        for handle in self.looks:
            handle.remove()
        self.looks.clear()

    def take_out(self, block_name, optimizer):
        """Makes one of a block again; its copies leave the optimizer."""
        del self.shares[block_name]
        holder = self.model._modules[self.name]
        copies = holder._modules.pop(block_name.replace(".", "/"))
        if not holder._modules:
            del self.model._modules[self.name]
        hooks = self.model.get_submodule(block_name)._forward_hooks
        for key, hook in list(hooks.items()):
            if type(hook).__name__ == "Twin":
                del hooks[key]
        if optimizer is not None:
            leave(inner(optimizer), list(copies.parameters()))

    def _outside(self, block):
        inside = {id(m) for m in block.modules()}
        held = {id(t) for m in block.modules()
                for t in (*m._parameters.values(), *m._buffers.values()) if t is not None}
        return [t for m in self.model.modules() if id(m) not in inside
                for t in (*m._parameters.values(), *m._buffers.values())
                if t is not None and id(t) in held]

    def code(self):
        """What `grown.py` needs for them; empty where there are none."""
        if not self.shares:
            return ""
        twins = [(name, tuple(shares)) for name, shares in self.shares.items()]
        return CODE.replace('NAME, TWINS = "twins", []', f"NAME, TWINS = {self.name!r}, {twins!r}")


@contextmanager
def without_hooks(block):
    """Seeds and twins stay where they are: a copy of the block has none of theirs."""
    kept = []
    for module in block.modules():
        hooks = module._forward_hooks
        kept.append((hooks, dict(hooks)))
        for key, hook in list(hooks.items()):
            if isinstance(hook, (Hook, FirstLook)) or type(hook).__name__ == "Twin":
                del hooks[key]
    try:
        yield
    finally:
        for hooks, all_of_them in kept:
            hooks.clear()
            hooks.update(all_of_them)


def changes_shape(layer):
    """True for a layer of PyTorch that says so itself."""
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features != layer.out_features
    if isinstance(layer, torch.nn.modules.conv._ConvNd):
        return layer.in_channels != layer.out_channels or any(s != 1 for s in layer.stride)
    return isinstance(layer, (torch.nn.Embedding, torch.nn.Flatten))


def leave(optimizer, parameters):
    """Takes the parameters out of the optimizer, with their state."""
    gone = {id(p) for p in parameters}
    for group in optimizer.param_groups:
        kept = [i for i, p in enumerate(group["params"]) if id(p) not in gone]
        for key in ("params", "param_names"):
            if key in group:
                group[key] = [group[key][i] for i in kept]
    for p in parameters:
        optimizer.state.pop(p, None)


def join(optimizer, old, new):
    """Puts each new parameter into the group of its old one, with a copy of its state."""
    for p, q in zip(old, new, strict=True):
        if p is q:
            continue
        group = next((g for g in optimizer.param_groups if any(p is x for x in g["params"])), None)
        if group is None:
            continue
        if "param_names" in group:
            at = next(i for i, x in enumerate(group["params"]) if x is p)
            group["param_names"].append(f"{group['param_names'][at]}.twin")
        group["params"].append(q)
        if p in optimizer.state:
            optimizer.state[q] = {key: value.clone() if isinstance(value, torch.Tensor) else
                                  copy.deepcopy(value)
                                  for key, value in optimizer.state[p].items()}
