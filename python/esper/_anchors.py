"""Where seeds can sit in a module: found by running the example once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from esper import _esper

# How a module's value is laid out, by what has to be done before a seed can read it.
AS_IS = "as it is"
CHANNELS_LAST = "channels last"  # [N, H, W, C], [N, T, H, W, C] -> tokens [N, …, C]
TIME_FIRST = "time first"  # [T, N, D] -> tokens [N, T, D]
SEQUENCE = "sequence"  # [N, C, T] -> image [N, C, T, 1]
VIDEO = "video"  # [N, C, T, H, W] -> image [N, C, T·H, W]

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Anchor:
    """A place for one seed: the output of the module `name`.

    kind: what a seed sees there, "image" [N, C, H, W], "tokens" [N, T, D] or "vector" [N, D];
    shape: that shape as observed, batch size -1; layout: how the output is turned into it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    layout: str = AS_IS

    def to_seed(self, y: torch.Tensor) -> torch.Tensor:
        """The module's value y as the seed sees it (a view where strides allow)."""
        if self.layout == AS_IS:
            return y
        if self.layout == CHANNELS_LAST:
            return y.flatten(1, -2)
        if self.layout == TIME_FIRST:
            return y.transpose(0, 1)
        if self.layout == SEQUENCE:
            return y.unsqueeze(-1)
        return y.flatten(2, 3)

    def from_seed(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Back again: z in the layout of y."""
        if self.layout == AS_IS:
            return z
        if self.layout == TIME_FIRST:
            return z.transpose(0, 1)
        return z.reshape(y.shape)


def as_call(example):
    """(args, kwargs) for a call of the model: a tensor, a tuple or list of arguments, or a mapping
    of keyword arguments."""
    if isinstance(example, Mapping):
        return (), dict(example)
    if isinstance(example, (tuple, list)):
        return tuple(example), {}
    return (example,), {}


def main_tensor(output):
    """(tensor, place) of what a module hands on: its output, the first item of a tuple or list, or
    the first value of a mapping; (None, None) where that is no floating-point tensor."""
    place = None
    if isinstance(output, Mapping) and len(output):
        place = next(iter(output))
        output = output[place]
    elif isinstance(output, (tuple, list)) and len(output):
        place = 0
        output = output[0]
    if isinstance(output, torch.Tensor) and output.is_floating_point():
        return output, place
    return None, None


def with_main(output, place, tensor):
    """The output with `tensor` at `place`; a new object, of the same type."""
    if place is None:
        return tensor
    if isinstance(output, Mapping):
        changed = type(output)(output)
        changed[place] = tensor
        return changed
    items = [tensor, *output[1:]]
    return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)


def first_tensors(thing):
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, Mapping):
        for item in thing.values():
            yield from first_tensors(item)
    elif isinstance(thing, (tuple, list)):
        for item in thing:
            yield from first_tensors(item)


def batch_size(args, kwargs):
    for tensor in first_tensors((args, kwargs)):
        if tensor.dim():
            return tensor.shape[0]
    return 1


class Observer:
    """Runs a model once, in evaluation mode, and keeps the shape of each module's output. The
    model, its modes, its buffers and the random numbers to come are as before afterwards."""

    def __init__(self, model):
        self.model = model
        self.shapes = {}
        self.tensors = {}  # weak: an address alone may be another tensor's by now
        self.order = []
        self.flops = 0
        self.makes_output = set()

    def run(self, args, kwargs):
        modes = [(m, m.training) for m in self.model.modules()]
        hooks = [m.register_forward_hook(self._seen(name))
                 for name, m in self.model.named_modules() if name]
        try:
            self.model.eval()
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                output = self._counted(args, kwargs)
        finally:
            for hook in hooks:
                hook.remove()
            for module, mode in modes:
                module.training = mode
        storages = {_storage(t) for t in first_tensors(output)}
        for name, reference in self.tensors.items():
            tensor = reference()
            if tensor is not None and _storage(tensor) in storages:
                self.makes_output.add(name)
        return self

    def _counted(self, args, kwargs):
        try:
            with FlopCounterMode(display=False) as counter:
                output = self.model(*args, **kwargs)
            self.flops = counter.get_total_flops()
            return output
        except Exception:  # a model that does not run under a dispatch mode may still run without
            self.shapes.clear()
            self.order.clear()
            return self.model(*args, **kwargs)

    def _seen(self, name):
        def hook(module, args, output):
            tensor, _ = main_tensor(output)
            if tensor is None:
                return
            if name not in self.shapes:
                self.order.append(name)
                self.shapes[name] = tuple(tensor.shape)
            self.tensors[name] = weakref.ref(tensor)
        return hook


def _storage(tensor):
    try:
        return tensor.untyped_storage()._cdata
    except Exception:  # subclasses and devices without one
        return id(tensor)


def feature_axis(module, shape):
    """Which axis of a module's output holds features, by the layers inside it: 1 or the last."""
    first = last = 0
    for m in module.modules():
        name = type(m).__name__
        if isinstance(m, nn.Linear) or name == "Conv1D":
            last += getattr(m, "out_features", getattr(m, "nf", 0)) == shape[-1]
        elif isinstance(m, nn.modules.conv._ConvNd):
            first += m.out_channels == shape[1]
        elif isinstance(m, (nn.modules.batchnorm._NormBase, nn.GroupNorm)) or "2d" in name:
            weight = getattr(m, "weight", None)
            first += isinstance(weight, torch.Tensor) and weight.shape[:1] == shape[1:2]
        elif "Norm" in name:
            weight = getattr(m, "weight", None)
            last += isinstance(weight, torch.Tensor) and weight.shape[-1:] == shape[-1:]
    if len(shape) >= 4:
        return len(shape) - 1 if last and not first else 1
    return 1 if first and not last else len(shape) - 1


def describe(name, module, shape, batch):
    """The anchor at a module's output, or None where no seed can sit."""
    rank = len(shape)
    if rank < 2 or rank > 5 or 0 in shape:
        return None
    if rank == 2:
        return Anchor(name, "vector", (-1, shape[1])) if shape[0] % batch == 0 else None
    last = feature_axis(module, shape) == rank - 1
    if rank == 3 and last and shape[0] % batch and shape[1] == batch:
        return Anchor(name, "tokens", (-1, shape[0], shape[2]), TIME_FIRST)
    if shape[0] % batch:
        return None
    if rank == 3 and last:
        return Anchor(name, "tokens", (-1, *shape[1:]))
    if rank == 3:
        return Anchor(name, "image", (-1, shape[1], shape[2], 1), SEQUENCE)
    if last:
        tokens = 1
        for size in shape[1:-1]:
            tokens *= size
        return Anchor(name, "tokens", (-1, tokens, shape[-1]), CHANNELS_LAST)
    if rank == 4:
        return Anchor(name, "image", (-1, *shape[1:]))
    return Anchor(name, "image", (-1, shape[1], shape[2] * shape[3], shape[4]), VIDEO)


def parents(name):
    """The names of the modules that a module stands in, without the model itself."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)


def default_choice(model, anchors, observer):
    """The model's blocks: what stands in a list of modules and has parts of its own; else whatever
    has parts; else single layers. Never what makes a vector that is the model's own output."""
    modules = dict(model.named_modules())

    def usable(name):
        logits = name in observer.makes_output and len(observer.shapes[name]) == 2
        return (not logits
                and next(modules[name].parameters(), None) is not None)

    def outermost(names):
        all_of_them = set(names)
        return [n for n in names if all_of_them.isdisjoint(parents(n))]

    usable_names = [n for n in anchors if usable(n)]
    composite = [n for n in usable_names if not isinstance(modules[n], CONTAINERS)
                 and next(modules[n].children(), None) is not None]
    in_lists = [n for n in composite
                if isinstance(modules[n.rpartition(".")[0]], CONTAINERS)]
    layers = [n for n in usable_names if next(modules[n].children(), None) is None]
    for names in (in_lists, composite, layers):
        chosen = outermost(names)
        if len(chosen) >= 2:
            return chosen
    return outermost(composite) or layers or usable_names or list(anchors)


def select(patterns, anchors):
    """Names that the patterns choose; the last one that matches decides, `!` takes out."""
    chosen = []
    for name in anchors:
        take = False
        for pattern in patterns:
            if _esper.glob_match(pattern.removeprefix("!"), name):
                take = not pattern.startswith("!")
        if take:
            chosen.append(name)
    return chosen


def find_anchors(model, example, patterns=None, kinds=None):
    """(anchors, floating-point operations of one example's forward pass).

    patterns: globs of module names (`*` within a dot, `**` across dots, `!` in front takes out); by
    default the model's blocks. kinds: kinds to keep, by default all.
    """
    args, kwargs = as_call(example)
    batch = batch_size(args, kwargs)
    observer = Observer(model).run(args, kwargs)
    modules = dict(model.named_modules())
    anchors = {}
    for name in observer.order:
        anchor = describe(name, modules[name], observer.shapes[name], batch)
        if anchor is not None and (kinds is None or anchor.kind in kinds):
            anchors[name] = anchor
    names = select(patterns, anchors) if patterns else default_choice(model, anchors, observer)
    if not names:
        known = ", ".join(list(anchors)[:20]) or "none"
        raise ValueError(f"no module fits {patterns or 'the default choice'}; a seed can sit at: "
                         f"{known}")
    parameters = sum(p.numel() for p in model.parameters())
    flops = observer.flops / max(batch, 1) or 2.0 * max(parameters, 1)
    return [anchors[n] for n in names], flops
