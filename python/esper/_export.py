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
    structure. Raises where `torch.export` or the importer refuses the model; the message says why.
    """

    def __init__(self, model, example, batch=False):
        super().__init__()
        exported = export(model, example, batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.pt2"
            torch.export.save(exported, str(path))
            self._imported = _esper.Imported(str(path))
        self.program = self._imported.program
        self._runner = _esper.Runner(self.program)
        self._declared = _esper.declared(self.program)
        self._out_spec = exported.call_spec.out_spec
        self.model = model
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

    def forward(self, *args, **kwargs):
        inputs = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        outputs = self._runner.run(
            [items[key] for items, key in self._places["parameters"]],
            [items[key] for items, key in self._places["buffers"]],
            [self._imported.tensor(n) for n in self._declared["controls"]], inputs, self.training)
        if len(outputs) == self._out_spec.num_leaves:
            return pytree.tree_unflatten(outputs, self._out_spec)
        return tuple(outputs)


RANDOM = ("esper::dropout_mask", "esper::bernoulli", "esper::uniform", "esper::normal")


def parity(model, example, loss_and_gradients):
    """Whether the imported Program has the loss and the gradients of the model: in training mode, or
    in evaluation mode where it draws random numbers in training."""
    model.train()
    theirs = copy.deepcopy(model)
    try:
        ours = ExportedModel(copy.deepcopy(model), example)
    except Exception as error:
        return {"ok": False, "why": f"{type(error).__name__}: {str(error).strip()}"
                                    .split("\n")[0][:200]}
    training = not any(op in ours.program.to_text() for op in RANDOM)
    for m in (ours, theirs):
        m.train(training)
    expected, wanted = loss_and_gradients(theirs, example)
    loss, gradients = loss_and_gradients(ours, example)
    gradients = {n.removeprefix("model."): g for n, g in gradients.items()}
    scale = max([g.abs().max().item() for g in wanted.values() if g.numel()] or [1.0])
    off = [n for n, g in wanted.items() if g.numel() and (
        n not in gradients or ((gradients[n] - g).abs().max() > 1e-4 * scale + 1e-6))]
    lost = [n for n in off if n not in gradients and wanted[n].abs().max() > 1e-12]
    off = [n for n in off if n in gradients or n in lost]
    if not torch.allclose(loss, expected, rtol=1e-4, atol=1e-6) or off:
        raise AssertionError(f"loss {loss.item()} instead of {expected.item()}, other gradients in "
                             f"{off[:3]} of {len(wanted)}")
    return {"ok": True, "training": training}
