"""The export path: a module as a Program that the C++ library runs."""

from __future__ import annotations

import copy
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
    """Exports a module with `torch.export`, writes it to `path` (for `esper train model.path=…`) and
    returns the exported program.

    example: as for `esper.wrap`. With `batch` the first size of every tensor in it stays free if the
    model allows that.
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
    """A module whose forward pass runs in the C++ interpreter with autograd. It shares the parameters
    and buffers of `model`. Inputs and outputs have the structure of the example. The training mode
    and the evaluation mode are each exported at their first use, since a module may compute different
    things in them (drop paths, for example). Raises an error with the reason if `torch.export` or the
    importer refuses the model.
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
            self._modes[self.training] = Exported(self.model, self._example, self._batch)
        return self._modes[self.training]

    def forward(self, *args, **kwargs):
        return self._mode().whole(args, kwargs, self.training)


class Exported:
    """A module in its present mode as a Program."""

    def __init__(self, model, example, batch):
        exported = export(model, example, batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.pt2"
            torch.export.save(exported, str(path))
            imported = _esper.Imported(str(path))
        self.program = imported.program
        self.out_spec = exported.call_spec.out_spec
        # The name of each tensor; outputs that are not tensors (such as sizes) as they are.
        self.outputs = exported.graph_signature.user_outputs
        declared = _esper.declared(self.program)
        self.places = {name: self._place(model, imported, name)
                       for kind in ("parameters", "buffers") for name in declared[kind]}
        self.controls = {name: imported.tensor(name) for name in declared["controls"]}
        wanted = {n for n in exported.graph_signature.user_inputs if isinstance(n, str)}
        # Sizes (None for a free one), type and device of each input.
        self.inputs = [(tuple(s if isinstance(s, int) else None for s in value.shape), value.dtype,
                        value.device)
                       for value in (n.meta["val"] for n in exported.graph.nodes
                                     if n.op == "placeholder" and n.name in wanted)
                       if isinstance(value, torch.Tensor)]
        self.whole = Run(self, self.program)

    @staticmethod
    def _place(model, imported, name):
        owner, _, last = name.rpartition(".")
        try:
            module = model.get_submodule(owner)
        except AttributeError:
            module = None
        for items in (() if module is None else (module._parameters, module._buffers)):
            if items.get(last) is not None:
                return items, last
        return {name: imported.tensor(name)}, name


class Run:
    """Runs an exported model or a Program that has grown from it. more: the (dict, key) of each tensor
    that does not belong to the model, by name."""

    def __init__(self, exported, program, more={}):
        self.exported, self.program, self.calls = exported, program, 0
        self.runner = _esper.Runner(program)
        declared = _esper.declared(program)
        find = lambda name: more.get(name) or exported.places[name]
        self.parameters, self.buffers = (
            [find(name) for name in declared[kind]] for kind in ("parameters", "buffers"))
        self.controls = [more.get(name, name) for name in declared["controls"]]

    def __deepcopy__(self, memo):
        """The copy for a copied model: it uses the tensors of the copy."""
        other = copy.copy(self)
        for name in ("parameters", "buffers", "controls"):
            setattr(other, name, copy.deepcopy(getattr(self, name), memo))
        return other

    def _control(self, place):
        if not isinstance(place, str):
            return place[0][place[1]]
        value = self.exported.controls[place]
        if place != DRAWS_FROM:
            return value
        # Drawn from torch's own generator: other masks at each call, the same ones after the same
        # torch.manual_seed. Whole numbers up to this one are exact in every type of a control.
        return torch.randint(2**24, ()).to(value.dtype)

    def outputs(self, args, kwargs, training):
        """All outputs of the Program, in order."""
        self.calls += 1
        inputs = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        return self.runner.run(
            [items[key] for items, key in self.parameters],
            [items[key] for items, key in self.buffers],
            [self._control(place) for place in self.controls], inputs, training)

    def __call__(self, args, kwargs, training):
        """The outputs in the structure that the module returns."""
        outputs = self.outputs(args, kwargs, training)
        outputs = [out if isinstance(kept, str) else kept
                   for out, kept in zip(outputs, self.exported.outputs, strict=True)]
        if len(outputs) == self.exported.out_spec.num_leaves:
            return pytree.tree_unflatten(outputs, self.exported.out_spec)
        return tuple(outputs)
