"""From a growing module back to plain PyTorch: the grown parts as code that needs torch alone."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path

import torch

from esper import _esper

HEAD = '''"""The parts that a {model} has grown, written by Esper as plain PyTorch.

    model = grow(build_your_model())          # the model as it was, without weights
    model.load_state_dict(safetensors.torch.load_file("model.safetensors"))

Program {hash}
"""

'''

HELPERS = '''

class Grown(nn.Module):
    """Holds what has grown; as a member of a Sequential it passes its input on."""

    def forward(self, x):
        return x


class AddSeed:
    """Forward hook: the anchor's output passes through a seed."""

    def __init__(self, seed, layout="as it is", alpha=None):
        self.seed, self.layout, self.alpha = seed, layout, alpha

    def __call__(self, module, args, output):
        y, place = output, None
        if isinstance(output, Mapping):
            place = next(iter(output))
            y = output[place]
        elif isinstance(output, (tuple, list)):
            place, y = 0, output[0]
        z = self.grow(y)
        if place is None:
            return z
        if isinstance(output, Mapping):
            changed = type(output)(output)
            changed[place] = z
            return changed
        items = [z, *output[1:]]
        return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)

    def grow(self, y):
        if y.dtype != torch.float32:
            # Seeds compute in float32; their share is added in the model's own type.
            single = y.float()
            return (self.grow(single) if y.element_size() < 4
                    else y + (self.grow(single) - single)).to(y.dtype)
        x = y
        if self.layout == "channels last":
            x = y.flatten(1, -2)
        elif self.layout == "time first":
            x = y.transpose(0, 1)
        elif self.layout == "sequence":
            x = y.unsqueeze(-1)
        elif self.layout == "video":
            x = y.flatten(2, 3)
        z = self.seed(x) if self.alpha is None else self.seed(x, torch.full((), self.alpha))
        if self.layout == "time first":
            return z.transpose(0, 1)
        return z if self.layout == "as it is" else z.reshape(y.shape)


SEEDS = [
{seeds}]


def grow(model):
    """Puts the grown parts into a freshly built model; load the weights afterwards."""
    model.grown = Grown()
    for name, anchor, seed, layout, alpha in SEEDS:
        seed = seed()
        model.grown.add_module(name, seed)
        model.get_submodule(anchor).register_forward_hook(AddSeed(seed, layout, alpha))
    return model
'''


def source(growth):
    """The code of grown.py, or None where nothing has grown."""
    if growth._native is None:
        return None
    program = growth.program
    slots = {s["seed"]: s for s in growth.seeds if s["seed"]}
    kept = [(seed, anchor, mode) for seed, anchor, mode in program.seeds() if mode != "isolated"]
    if not kept:
        return None
    text, classes = program.seed_classes()
    layouts = {a.name: a.layout for a in growth.anchors}
    lines = ""
    for seed, anchor, mode in kept:
        alpha = slots[seed]["alpha"] if mode == "blended" else None
        lines += f"    ({seed!r}, {anchor!r}, {classes[seed]}, {layouts[anchor]!r}, {alpha!r}),\n"
    model = type(growth.model).__name__
    return (HEAD.format(model=model, hash=program.hash) + "from collections.abc import Mapping\n\n"
            + text + HELPERS.replace("{seeds}", lines))


def load_module(code, folder):
    """The code as a module under a name by which pickle finds its classes again: `grown` where it is
    a file in the folder, a name of its own in memory."""
    name = "grown"
    if folder is None:
        name += "_" + hashlib.sha256(code.encode()).hexdigest()[:12]
    module = types.ModuleType(name)
    if folder is not None:
        module.__file__ = str(folder / "grown.py")
    sys.modules[name] = module
    exec(compile(code, getattr(module, "__file__", f"<{name}>"), "exec"), module.__dict__)
    return module


def write_grown(growth, folder):
    model, live = growth.model, growth._live
    code = source(growth)
    folder = Path(folder) if folder is not None else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    live.close()
    if code is not None:
        module = load_module(code, folder)
        module.grow(model)
        model.grown.train(model.training)
        for seed, part in model.grown.named_children():
            # The very parameters, so that the user's optimizer goes on with them.
            for name, tensor in (*live.seeds[seed].named_parameters(),
                                 *live.seeds[seed].named_buffers()):
                part.put(name, tensor)
        if folder is not None:
            Path(module.__file__).write_text(code)
    if folder is not None:
        from safetensors.torch import save_model
        save_model(model, str(folder / "model.safetensors"))
        journal = str(growth.run / "journal.jsonl") if growth.run else ""
        (folder / "lineage.json").write_text(_esper.lineage(growth.program, journal))
    return model
