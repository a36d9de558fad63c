"""A wider copy of a model, which trains beside it on the same batches."""

from __future__ import annotations

import copy
import math
from contextlib import contextmanager

import torch
from torch import nn

from esper._layers import axes
from esper._optimizer import inner, twin_of

SIZES = {"out": ("out_features", "out_channels", "num_features", "nf"),
         "in": ("in_features", "in_channels", "nx")}


def new_units(units, factor):
    return max(1, round(units * (factor - 1)))


def growths(pairs, factor):
    """By module: [more outputs, more inputs, whether it is a norm]."""
    found = {}
    for pair in pairs:
        more = new_units(pair.units, factor)
        for first in pair.firsts:
            found.setdefault(first, [0, 0, False])[0] += more
        found.setdefault(pair.second, [0, 0, False])[1] += more
        for norm in pair.norms:
            found[norm] = [more, 0, True]
    return found


class Wide:
    """A copy of all of a model's tensors, those of some layers with more units, and of its optimizer.
    At first the new units are heard by nobody: what reads them has zeros for them. The modules are
    the model's own; `in_place` gives them the copy's tensors for a while."""

    def __init__(self, model, sizes, optimizer, seed):
        self.model, self.sizes, self.optimizer = model, sizes, inner(optimizer)
        self.draws = torch.Generator().manual_seed(seed)
        self.parameters, self.buffers = [], []  # (module, name, the model's, the copy's)
        copies = {}  # some tensors are shared
        for name, module in model.named_modules():
            more = sizes.get(name)
            for kind, held in ((self.parameters, module._parameters),
                               (self.buffers, module._buffers)):
                for key, tensor in held.items():
                    if tensor is None:
                        continue
                    if id(tensor) not in copies:
                        copies[id(tensor)] = self._copy(key, tensor, axes(module), more)
                    kind.append((module, key, tensor, copies[id(tensor)]))
        self.pairs = list({id(t): (t, w) for _, _, t, w in self.parameters}.values())
        self.trained = [(t, w) for t, w in self.pairs if t.requires_grad]
        self.twin = self._twin()
        self.averages = None  # (of the model, of the copy, over how many steps)

    def _copy(self, key, tensor, axes_of_weight, more):
        values = tensor.detach()
        if more is not None and values.dim():
            values = self._wider(key, values, axes_of_weight, *more)
        else:
            values = values.clone()
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(values, requires_grad=tensor.requires_grad)
        return values

    def _wider(self, key, tensor, axes_of_weight, more_out, more_in, norm):
        out, into = axes_of_weight if tensor.dim() > 1 else (0, None)
        shape = list(tensor.shape)
        shape[out] += more_out
        if into is not None:
            shape[into] += more_in
        if norm:
            wide = tensor.new_full(shape, float(key in ("weight", "running_var")))
        else:
            # As spread out as the layer's own numbers are by now.
            scale = math.sqrt(3) * float(tensor.float().pow(2).mean().sqrt())
            drawn = (torch.rand(shape, generator=self.draws) * 2 - 1) * scale
            wide = drawn.to(tensor)
            if into is not None:
                old, new = tensor.shape[out], tensor.shape[into]
                wide.narrow(out, 0, old).narrow(into, new, more_in).zero_()
        wide[own(tensor)] = tensor
        return wide

    def _twin(self):
        twin = twin_of(self.optimizer)
        wide = {id(t): w for t, w in self.pairs}
        twin.param_groups = [
            {**group, "params": [wide[id(p)] for p in group["params"] if id(p) in wide]}
            for group in self.optimizer.param_groups]
        for tensor, copied in self.pairs:
            if tensor in self.optimizer.state:
                twin.state[copied] = {key: widened(value, tensor, copied)
                                      for key, value in self.optimizer.state[tensor].items()}
        return twin

    @contextmanager
    def in_place(self):
        """The model is the copy within the block."""
        with self._instead([w for _, w in self.pairs], True):
            yield

    @contextmanager
    def averaged(self, side):
        """The model is the average of itself ("model") or of the copy ("copy") within the block."""
        with self._instead(self.averages[side == "copy"], side == "copy"):
            yield

    @contextmanager
    def _instead(self, tensors, is_copy):
        """The model has these parameters, in the order of `pairs`, within the block; where they are the
        copy's, its buffers and sizes, too."""
        instead = {id(t): other for (t, _), other in zip(self.pairs, tensors, strict=True)}
        kept = [(m, key, m._buffers[key]) for m, key, _, _ in self.buffers]
        if is_copy:
            announce(self.model, self.sizes)
        try:
            for module, key, tensor, _ in self.parameters:
                module._parameters[key] = instead[id(tensor)]
            for module, key, _, copied in self.buffers if is_copy else ():
                module._buffers[key] = copied
            yield
        finally:
            if is_copy:
                announce(self.model, self.sizes, -1)
            for module, key, tensor, _ in self.parameters:
                module._parameters[key] = tensor
            for module, key, tensor in kept:
                module._buffers[key] = tensor

    def step(self, again):
        """One training step of the copy, at the rates that the model's optimizer has now."""
        with self.in_place():
            loss = again()
            found = torch.autograd.grad(loss.reshape(()), [w for _, w in self.trained],
                                        allow_unused=True)
        for (_, copied), gradient in zip(self.trained, found):
            copied.grad = gradient
        for mine, group in zip(self.twin.param_groups, self.optimizer.param_groups):
            mine.update((k, v) for k, v in group.items() if k not in ("params", "param_names"))
        try:
            type(self.twin).step(self.twin)
        finally:
            for _, copied in self.trained:
                copied.grad = None
        if self.averages is not None:
            self._average()

    @torch.no_grad()
    def average(self):
        """From now on both networks' parameters are averaged, anew."""
        self.averages = ([t.detach().clone() for t, _ in self.pairs],
                         [w.detach().clone() for _, w in self.pairs], 1)

    @torch.no_grad()
    def _average(self):
        of_model, of_copy, count = self.averages
        count += 1
        for mean, now, (tensor, copied) in zip(of_model, of_copy, self.pairs):
            if mean.is_floating_point():
                mean.lerp_(tensor, 1 / count)
                now.lerp_(copied, 1 / count)
        self.averages = of_model, of_copy, count

    def save(self):
        copied = lambda tensors: [t.detach().clone() for t in tensors]
        averages = self.averages and (*map(copied, self.averages[:2]), self.averages[2])
        return {"parameters": copied(w for _, w in self.pairs),
                "buffers": copied(w for *_, w in self.buffers), "averages": averages,
                "state": [copy.deepcopy(dict(self.twin.state.get(w, {}))) for _, w in self.pairs]}

    @torch.no_grad()
    def load(self, saved):
        for (_, mine), value in zip(self.pairs, saved["parameters"], strict=True):
            mine.copy_(value)
        for (*_, mine), value in zip(self.buffers, saved["buffers"], strict=True):
            mine.copy_(value)
        self.averages = saved["averages"]
        for (_, mine), state in zip(self.pairs, saved["state"], strict=True):
            if state:
                self.twin.state[mine] = copy.deepcopy(state)

    @torch.no_grad()
    def take_over(self):
        """The model becomes the copy. Modules, parameters and buffers stay the objects they are."""
        for tensor, copied in self.pairs:
            if tensor.shape == copied.shape:
                tensor.copy_(copied)
            else:
                resize(tensor, copied.detach())
            if copied in self.twin.state:
                self.optimizer.state[tensor] = self.twin.state[copied]
        for tensor, copied in {id(t): (t, c) for _, _, t, c in self.buffers}.values():
            if tensor.shape == copied.shape:
                tensor.copy_(copied)
            else:
                tensor.data = copied
        announce(self.model, self.sizes)


def widened(value, tensor, copied):
    """What an optimizer keeps of a parameter, for its copy: of new numbers, zero."""
    if not isinstance(value, torch.Tensor):
        return copy.deepcopy(value)
    if not value.dim() or value.shape != tensor.shape or tensor.shape == copied.shape:
        return value.clone()
    wide = value.new_zeros(copied.shape)
    wide[own(tensor)] = value
    return wide


def own(tensor):
    """The part of the wide tensor that the model has itself."""
    return tuple(slice(0, n) for n in tensor.shape)


def resize(parameter, values):
    """Other numbers in another shape under the same Parameter."""
    parameter.grad = None
    # A graph of the step before may still hold the node that gathers this parameter's gradient, with
    # the old shape. Only another type makes PyTorch let go of it.
    parameter.data = values.new_empty(0, dtype=torch.float64 if values.dtype != torch.float64
                                      else torch.float32)
    parameter.data = values


@torch.no_grad()
def give_sizes(model, sizes):
    """Gives layers the sizes that `sizes_now` found; values of tensors that change are zeros."""
    for name, (tensors, figures) in sizes.items():
        module = model.get_submodule(name)
        for key, shape in tensors.items():
            tensor = getattr(module, key)
            if tuple(tensor.shape) != tuple(shape):
                resize(tensor, tensor.detach().new_zeros(shape))
        for figure, value in figures.items():
            setattr(module, figure, value)


@torch.no_grad()
def put_values(model, values):
    """Copies values, by name, into the model's own parameters and buffers."""
    own = model.state_dict(keep_vars=True)
    for name, tensor in values.items():
        own[name].copy_(tensor)


def announce(model, sizes, sign=1):
    """The layers' own figures of their sizes; with sign -1 those from before again."""
    for name, (more_out, more_in, _) in sizes.items():
        module = model.get_submodule(name)
        for key, more in (("out", more_out), ("in", more_in)):
            for figure in SIZES[key]:
                if hasattr(module, figure):
                    setattr(module, figure, getattr(module, figure) + sign * more)


def mergeable(optimizer, model, sizes):
    """Whether what the optimizer has of these layers is one number, or one for each of theirs."""
    optimizer = inner(optimizer)
    held = {id(p) for g in optimizer.param_groups for p in g["params"]}
    parameters = [p for name in sizes for p in model.get_submodule(name).parameters()]
    return all(id(p) in held and all(
        not isinstance(v, torch.Tensor) or v.numel() == 1 or v.shape == p.shape
        for v in optimizer.state.get(p, {}).values()) for p in parameters)


# Plain PyTorch, for grown.py.
CODE = '''"""Layers that became wider, written by Esper as plain PyTorch."""

import torch

WIDER = {}


def widen(model):
    """Gives the layers of a freshly built model their sizes; load the weights afterwards."""
    for name, (tensors, figures) in WIDER.items():
        module = model.get_submodule(name)
        for key, shape in tensors.items():
            old = getattr(module, key)
            old.data = torch.zeros(shape, dtype=old.dtype, device=old.device)
        for figure, value in figures.items():
            setattr(module, figure, value)
    return model
'''


def code(sizes):
    """What `grown.py` needs for wider layers; empty where there are none."""
    return CODE.replace("WIDER = {}", f"WIDER = {sizes!r}") if sizes else ""


def sizes_now(model, names):
    """By module: (shapes of its tensors, its own figures), as `widen` of CODE takes them."""
    found = {}
    for name in names:
        module = model.get_submodule(name)
        tensors = {k: tuple(t.shape) for k, t in (*module._parameters.items(),
                                                  *module._buffers.items()) if t is not None}
        figures = {f: getattr(module, f) for fs in SIZES.values() for f in fs
                   if hasattr(module, f)}
        found[name] = tensors, figures
    return found
