"""Where seeds can sit in a module: found by running the example once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from esper import _esper
from esper._compiled import uncompiled

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


def put_hook(module, hook):
    """Registers a hook on what the module returns, before those of others: what they record or hand
    on is then what the seeds made of it, whoever came first. Seeds of before come before it."""
    handle = module.register_forward_hook(hook, prepend=True)
    hooks = module._forward_hooks
    for key in reversed([k for k, h in hooks.items() if type(h).__name__ == "AddSeed"]):
        hooks.move_to_end(key, last=False)
    return handle


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


def length_of_list(args, kwargs):
    """The length of the first list of tensors among the arguments, or 0: torchvision's detectors take
    a list of images, which is a batch without an axis for it."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, list) and value and all(isinstance(t, torch.Tensor) for t in value):
            return len(value)
    return 0


def _convolution_flops(outputs, weight, passes=1):
    """Of a convolution with this many outputs, whose weight is [out, in / groups, …]."""
    return passes * 2 * outputs.numel() * weight[0].numel()


# PyTorch's own rule takes the backward pass of a grouped convolution for that of a dense one. A
# transposed convolution does not have its outputs' number; those keep PyTorch's rule.
def _forward_flops(args, out):
    if args[6]:
        return flop_registry[torch.ops.aten.convolution](*args, out_val=out)
    return _convolution_flops(out, args[1])


def _backward_flops(args, out):
    if args[7]:
        return flop_registry[torch.ops.aten.convolution_backward](*args, out_val=out)
    return _convolution_flops(args[0], args[2], sum(map(bool, args[10][:2])))


_CONVOLUTIONS = {torch.ops.aten.convolution: _forward_flops,
                 torch.ops.aten.convolution_backward: _backward_flops}


# PyTorch's rules for products of matrices, without its way of finding the tensors among the arguments,
# which takes longer than all the rest: the position of the left factor.
_PRODUCTS = {torch.ops.aten.mm: 0, torch.ops.aten.addmm: 1, torch.ops.aten.bmm: 0,
             torch.ops.aten.baddbmm: 1}


class Flops(TorchDispatchMode):
    """Counts floating-point operations as torch.utils.flop_counter does, without looking at modules:
    several times faster on models of many."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        of = function._overloadpacket
        if (left := _PRODUCTS.get(of)) is not None:
            self.total += 2 * out.numel() * args[left].shape[-1]
        elif of in _CONVOLUTIONS:
            self.total += _CONVOLUTIONS[of](args, out)
        elif (rule := flop_registry.get(of)) is not None:
            self.total += rule(*args, **kwargs, out_val=out)
        return out


class BatchAxis:
    """Finds out which axis of each module's output is the batch, by a pass over other examples: in
    sequences [N, T, D] and [T, N, D] look alike. What is the model's own first axis is tried first,
    and then, where its examples turn out to depend on each other, the second."""

    def __init__(self, observer, args, kwargs, output):
        self.model, self.observer = observer.model, observer
        self.call = args, kwargs
        self.shapes = dict(observer.shapes)
        self.outputs = [t.clone() for t in first_tensors(output) if t.is_floating_point()]

    def find(self):
        """Name -> axis, for outputs of three axes; empty where it cannot be found out."""
        if not any(len(shape) == 3 for shape in self.shapes.values()):
            return {}
        if (first := self._pass(0)) is None or first[0]:
            return first[1] if first else {}
        second = self._pass(1)
        if second is None or not second[0]:
            return {}  # its examples are never apart from each other
        self.observer.batch = self._size(1)
        return second[1]

    def _size(self, axis):
        return next((t.shape[axis] for t in first_tensors(self.call) if t.dim() > axis), 0)

    def _changed(self, axis, size):
        """The call with one example less, or with the only one twice. Along the second axis only
        tensors that have the first one's size there belong to the batch."""
        first = self._size(0)

        def change(thing):
            if isinstance(thing, torch.Tensor):
                at = axis if thing.dim() > axis and (axis == 0 or thing.shape[0] == first) else 0
                if thing.dim() <= at or thing.shape[at] != size:
                    return thing
                return (torch.cat([thing, thing], at) if size == 1
                        else thing.narrow(at, 1, size - 1))
            if isinstance(thing, Mapping):
                return {k: change(v) for k, v in thing.items()}
            return type(thing)(map(change, thing)) if type(thing) in (tuple, list) else thing

        return change(self.call)

    def _pass(self, axis):
        """(whether the examples' results are the same beside others, name -> batch axis) with the
        batch along this axis of the model's input; None where the model does not run so."""
        size = self._size(axis)
        if size < 1:
            return None
        shapes = {}
        hooks = [put_hook(self.model.get_submodule(name), _note(shapes, name))
                 for name, shape in self.shapes.items() if len(shape) == 3]
        try:
            args, kwargs = self._changed(axis, size)
            outputs = [t for t in first_tensors(self.model(*args, **kwargs))
                       if t.is_floating_point()]
        except Exception:  # a model of one batch size, or of arguments that belong together
            return None
        finally:
            for hook in hooks:
                hook.remove()
        now = 2 if size == 1 else size - 1
        axes = {}
        for name, shape in shapes.items():
            before = self.shapes[name]
            moved = [i for i in range(len(before)) if len(shape) == len(before)
                     and shape[i] != before[i]]
            if len(moved) == 1 and shape[moved[0]] * size == before[moved[0]] * now:
                axes[name] = moved[0]
        return self._apart(outputs, size, now), axes

    def _apart(self, outputs, size, now):
        """Whether the outputs are those of before, but for the example that went or came."""
        if len(outputs) != len(self.outputs):
            return False
        for before, after in zip(self.outputs, outputs):
            moved = [i for i in range(min(before.dim(), after.dim()))
                     if before.shape[i] == size and after.shape[i] == now]
            if before.dim() != after.dim() or not moved:
                continue  # a loss, say, that is of all examples
            if size == 1:
                after = after.narrow(moved[0], 0, 1)
            else:
                before = before.narrow(moved[0], 1, size - 1)
            scale = 1 + before.abs().max() if before.numel() else 1
            if before.shape != after.shape or not torch.allclose(
                    before / scale, after / scale, rtol=0, atol=1e-3, equal_nan=True):
                return False
        return True


def _note(shapes, name):
    def hook(module, args, output):
        tensor, _ = main_tensor(output)
        if tensor is not None:
            shapes.setdefault(name, tuple(tensor.shape))
    return hook


class Observer:
    """Keeps the shape of each module's output in one forward pass of a model."""

    def __init__(self, model):
        self.model = model
        self.shapes = {}
        self.tensors = {}  # weak: an address alone may be another tensor's by now
        self.order = []
        self.flops = 0
        self.batch = 1
        self.listed = 0  # length of a list of tensors that may be the batch
        self.axes = {}  # of a module's output, which one is the batch, where that was found out
        self.makes_output = set()
        self.call = None  # (args, kwargs) of a pass whose operations are not counted yet
        self._hooks, self._watch = [], []

    def run(self, args, kwargs):
        """Runs the model in evaluation mode. The model, its modes, its buffers and the random
        numbers to come are as before afterwards."""
        self.call = args, kwargs
        self.count(observed=True)
        return self

    def count(self, observed=False):
        """Floating-point operations of the pass that was looked at, which is run for it once more."""
        args, kwargs = self.call
        modes = [(m, m.training) for m in self.model.modules()]
        try:
            self.model.eval()
            with uncompiled(), torch.no_grad(), torch.random.fork_rng(devices=[]):
                for counted in (True, False):  # some models do not run under a dispatch mode
                    if observed:
                        self._begin(args, kwargs)
                    try:
                        with Flops() if counted else nullcontext() as flops:
                            output = self.model(*args, **kwargs)
                    except Exception:
                        if not counted:
                            raise
                        continue
                    finally:
                        self._end_hooks()
                    if observed:
                        self._end(output)
                    self.axes = BatchAxis(self, args, kwargs, output).find()
                    self.flops = flops.total if counted else 0
                    break
        finally:
            for module, mode in modes:
                module.training = mode
        self.call = None
        return self.flops

    def watch(self, seen):
        """Looks on at the model's next forward pass that comes to its end, then calls seen(self).
        Until then two hooks are in the model."""
        def before(module, args, kwargs):
            self._begin(args, kwargs)

        def after(module, args, kwargs, output):
            self._end_hooks()
            if output is None:  # the pass did not come to its end
                return
            self._end(output)
            self.call = args, kwargs
            self.stop()
            seen(self)

        self._watch = [self.model.register_forward_pre_hook(before, with_kwargs=True),
                       self.model.register_forward_hook(after, with_kwargs=True, always_call=True)]

    def stop(self):
        """Looks on no more."""
        for hook in self._watch:
            hook.remove()
        self._watch = []

    def _begin(self, args, kwargs):
        self.shapes.clear()
        self.tensors.clear()
        self.order.clear()
        self.batch, self.listed = batch_size(args, kwargs), length_of_list(args, kwargs)
        self._hooks = [put_hook(m, self._seen(name))
                       for name, m in self.model.named_modules() if name]

    def _end_hooks(self):
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _end(self, output):
        first = [shape[0] for shape in self.shapes.values() if shape]
        if self.listed and first.count(self.listed) > first.count(self.batch):
            self.batch = self.listed
        storages = {_storage(t) for t in first_tensors(output)}
        for name, reference in self.tensors.items():
            tensor = reference()
            if tensor is not None and _storage(tensor) in storages:
                self.makes_output.add(name)

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


def describe(name, module, shape, batch, axis=None):
    """The anchor at a module's output, or None where no seed can sit. axis: which one is the batch,
    if that is known."""
    rank = len(shape)
    if axis is not None and rank == 3 and axis != 0:
        # Of [D, N, …] and [N, …, N] nobody knows how a seed would read them.
        return (Anchor(name, "tokens", (-1, shape[0], shape[2]), TIME_FIRST)
                if axis == 1 and feature_axis(module, shape) == 2 else None)
    if axis == 0 and rank == 3:
        batch = shape[0]
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


def default_choice(modules, anchors, observer):
    """The model's blocks: what stands in a list of modules and has parts of its own; else whatever
    has parts; else single layers. Never what makes a vector that is the model's own output."""
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


def no_places(modules):
    """Names of modules in which, and at whose outputs, no activations flow: parametrizations make
    weights, what has grown before belongs to another module, and PEFT's layers are replaced when
    they are merged."""
    return {name for name, m in modules.items()
            if isinstance(m, torch.nn.utils.parametrize.ParametrizationList)
            or type(m).__name__ == "Grown" and "." not in name
            or any(c.__name__ == "BaseTunerLayer" for c in type(m).__mro__)}


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


def find_anchors(model, observer, patterns=None, kinds=None, fits=lambda anchor: True):
    """The anchors of an observed model.

    patterns: globs of module names (`*` within a dot, `**` across dots, `!` in front takes out); by
    default the model's blocks. kinds: kinds to keep, by default all; fits: whether one is a choice.
    """
    modules = dict(model.named_modules())
    closed = no_places(modules)
    anchors = {}
    for name in observer.order:
        if name in closed or not closed.isdisjoint(parents(name)):
            continue
        anchor = describe(name, modules[name], observer.shapes[name], observer.batch,
                          observer.axes.get(name))
        if anchor is not None and (kinds is None or anchor.kind in kinds) and fits(anchor):
            anchors[name] = anchor
    names = (select(patterns, anchors) if patterns
             else default_choice(modules, anchors, observer))
    if not names:
        known = ", ".join(list(anchors)[:20]) or "none"
        raise ValueError(f"no module fits {patterns or 'the default choice'}; a seed can sit at: "
                         f"{known}")
    return [anchors[n] for n in names]
