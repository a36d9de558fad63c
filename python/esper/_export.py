"""The export path: a module as a Program that the C++ library runs."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils import _pytree as pytree

from esper import _esper
from esper._anchors import as_call

DRAWS_FROM = "dropout.step"  # the control from which a Program's random numbers are counted


def export(model, example, path=None, batch=True):
    """Writes a module as `torch.export` sees it, for `esper train model.path=…`, and returns the
    exported program.

    example: as for `esper.wrap`; with `batch` the first size of every tensor in it stays free, where
    the model allows that.
    """
    args, kwargs = as_call(example)
    if batch:
        size = torch.export.Dim("batch", min=2)
        free = lambda leaf: {0: size} if isinstance(leaf, torch.Tensor) and leaf.dim() else None
        names = inspect.signature(model.forward).parameters
        shapes = {**dict(zip(names, pytree.tree_map(free, args))), **pytree.tree_map(free, kwargs)}
        try:
            exported = torch.export.export(model, args, kwargs, dynamic_shapes=shapes,
                                           strict=False)
        except Exception:  # torch raises many kinds; what is wrong with the model itself comes again
            exported = torch.export.export(model, args, kwargs, strict=False)
    else:
        exported = torch.export.export(model, args, kwargs, strict=False)
    if path is not None:
        torch.export.save(exported, str(path))
    return exported


class ExportedModel(nn.Module):
    """A module whose forward pass is run by the C++ interpreter with autograd, from the very
    parameters and buffers of `model`. Inputs and outputs are those of `model`, of the example's
    structure. Training and evaluation are exported one by one, each at its first use, since a
    module may do something else in each (drop paths, say). Raises where `torch.export` or the
    importer refuses the model; the message says why.
    """

    def __init__(self, model, example, batch=False):
        super().__init__()
        self.model = model
        self._example, self._batch = example, batch
        self._modes = {}
        self.training = model.training
        self._mode()

    @property
    def program(self):
        """The `Program` that is run in the present mode."""
        return self._mode().program

    def _mode(self):
        if self.training not in self._modes:
            self._modes[self.training] = _Exported(self.model, self._example, self._batch)
        return self._modes[self.training]

    def forward(self, *args, **kwargs):
        return self._mode().run(args, kwargs)


class _Exported:
    """What a module does in the mode that it is in."""

    def __init__(self, model, example, batch):
        exported = export(model, example, batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.pt2"
            torch.export.save(exported, str(path))
            self._imported = _esper.Imported(str(path))
        self.program = self._imported.program
        self._training = model.training
        self._runner = _esper.Runner(self.program)
        self._declared = _esper.declared(self.program)
        self._out_spec = exported.call_spec.out_spec
        # A tensor's name, or what is no tensor (a size, say) itself.
        self._kept = exported.graph_signature.user_outputs
        self._places = {kind: [self._place(model, name) for name in self._declared[kind]]
                        for kind in ("parameters", "buffers")}

    def _place(self, model, name):
        owner, _, last = name.rpartition(".")
        try:
            module = model.get_submodule(owner)
        except AttributeError:
            module = None
        for items in (() if module is None else (module._parameters, module._buffers)):
            if items.get(last) is not None:
                return items, last
        return {name: self._imported.tensor(name)}, name

    def _control(self, name):
        value = self._imported.tensor(name)
        if name != DRAWS_FROM:
            return value
        # Drawn from torch's own generator: other masks at each call, the same ones after the same
        # torch.manual_seed. Whole numbers up to this one are exact in every type of a control.
        return torch.randint(2**24, ()).to(value.dtype)

    def run(self, args, kwargs):
        inputs = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        outputs = self._runner.run(
            [items[key] for items, key in self._places["parameters"]],
            [items[key] for items, key in self._places["buffers"]],
            [self._control(name) for name in self._declared["controls"]], inputs, self._training)
        outputs = [out if isinstance(kept, str) else kept
                   for out, kept in zip(outputs, self._kept, strict=True)]
        if len(outputs) == self._out_spec.num_leaves:
            return pytree.tree_unflatten(outputs, self._out_spec)
        return tuple(outputs)
