"""From a growing module back to plain PyTorch: the grown parts as code that needs torch alone."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from pathlib import Path

import torch

from esper import _esper
from esper._live import Copied, Hook
from esper._wide import code as wider_code

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


class Add(nn.Module):
    """An anchor's output with what a seed makes of it."""

    def __init__(self, seed, layout, alpha):
        super().__init__()
        self.seed, self.layout, self.alpha = seed, layout, alpha

    def forward(self, y):
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


class AddSeed:
    """Forward hook: the anchor's output passes through a seed."""

    def __init__(self, seed, layout="as it is", alpha=None):
        self.add = Add(seed, layout, alpha)

    def __call__(self, module, args, output):
        if isinstance(output, Mapping):
            place = next(iter(output))
            changed = type(output)(output)
            changed[place] = self.grow(output[place])
            return changed
        if isinstance(output, (tuple, list)):
            items = [self.grow(output[0]), *output[1:]]
            return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)
        return self.grow(output)

    def grow(self, y):
        own = next((p.dtype for p in self.add.seed.parameters()), torch.float32)
        if y.dtype == own:
            return self.add(y)
        # The seed computes in its own type; its share is added in the model's.
        x = y.to(own)
        z = self.add(x)
        return z.to(y.dtype) if y.element_size() < 4 else y + (z - x).to(y.dtype)


class Seeded(nn.Module):
    """An anchor of one input and its seed as one module, where a hook cannot be."""

    def __init__(self, module, add):
        super().__init__()
        self.module, self.add = module, add

    def forward(self, x):
        return self.add(self.module(x))


class Scriptable:
    """torch.jit.script compiles no hooks: it is given a copy of the model with modules for them."""

    def __init__(self, model):
        self.model = model

    def __call__(self):
        model = copy.deepcopy(self.model)
        del model.__dict__["__prepare_scriptable__"]
        for name, module in list(model.named_modules()):
            hooks = module._forward_hooks
            ours = {key: hook for key, hook in hooks.items()
                    if type(hook).__name__ == AddSeed.__name__}
            for key, hook in ours.items():
                del hooks[key]
                module = Seeded(module, hook.add)
            if ours:
                parent, _, last = name.rpartition(".")
                model.get_submodule(parent)._modules[last] = module
        return model


class FillTied:
    """Before weights are loaded: a safetensors file holds tied weights under one of their names."""

    def __call__(self, module, tensors, prefix, *rest):
        for names in TIED:
            held = [tensors[prefix + n] for n in names if prefix + n in tensors]
            for n in names if held else ():
                tensors.setdefault(prefix + n, held[0])


SEEDS = [
{seeds}]
TIED = {tied}


def put_seed(module, hook):
    """Hooks of others see what the seeds made of the module's value; of two seeds the older is first."""
    hooks = module._forward_hooks
    older = [key for key, h in hooks.items() if type(h).__name__ == AddSeed.__name__]
    module.register_forward_hook(hook, prepend=True)
    for key in reversed(older):
        hooks.move_to_end(key, last=False)


def grow(model):
    """Puts the grown parts into a freshly built model; load the weights afterwards."""
    grown = Grown()
    model.add_module({name}, grown)
    for name, anchor, seed, layout, alpha in SEEDS:
        seed = seed()
        grown.add_module(name, seed)
        put_seed(model.get_submodule(anchor), AddSeed(seed, layout, alpha))
    if TIED:
        model.register_load_state_dict_pre_hook(FillTied())
    model.__dict__["__prepare_scriptable__"] = Scriptable(model)
    return model
'''


def shared_names(model):
    """Names of tensors that are one and the same, a tuple each."""
    names = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor):
            names.setdefault(id(tensor), []).append(name)
    return [tuple(n) for n in names.values() if len(n) > 1]


def source(model, program, alphas, anchors, name):
    """The code of grown.py, or None where nothing has grown. alphas: of blended seeds, by name;
    anchors: by name; name: of the module in the model that holds what has grown."""
    kept = [(seed, anchor, mode) for seed, anchor, mode in program.seeds() if mode != "isolated"]
    if not kept:
        return None
    text, classes = program.seed_classes()
    lines = ""
    for seed, anchor, mode in kept:
        alpha = alphas[seed] if mode == "blended" else None
        lines += f"    ({seed!r}, {anchor!r}, {classes[seed]}, {anchors[anchor].layout!r}, {alpha!r}),\n"
    helpers = (HELPERS.replace("{seeds}", lines).replace("{name}", repr(name))
               .replace("{tied}", repr(shared_names(model))))
    return (HEAD.format(model=type(model).__name__, hash=program.hash)
            + "import copy\nfrom collections.abc import Mapping\n\n" + text + helpers)


def load_module(code, folder):
    """The code as a module under a name by which pickle finds its classes again: `grown` where it is
    a file in the folder, a name of its own in memory."""
    name = "grown"
    if folder is None:
        name += "_" + hashlib.sha256(code.encode()).hexdigest()[:12]
    module = types.ModuleType(name)
    module.__file__ = str(folder / "grown.py") if folder is not None else f"<{name}>"
    sys.modules[name] = module
    # torch.jit.script and tracebacks read the source there.
    linecache.cache[module.__file__] = len(code), None, code.splitlines(True), module.__file__
    exec(compile(code, module.__file__, "exec"), module.__dict__)
    return module


def put_code(model, code, name, tensors, folder=None):
    """Puts the code's modules into the model; tensors: by seed, (name, tensor) pairs, the very ones,
    so that the user's optimizer goes on with them."""
    module = load_module(code, folder)
    module.grow(model)
    grown = model.get_submodule(name)
    grown.train(model.training)
    for seed, part in grown.named_children():
        for key, tensor in tensors(seed):
            part.put(key, tensor)
    return module


def tensors_of(scope):
    return [*scope.named_parameters(), *scope.named_buffers()]


def write_grown(growth, folder):
    model, live = growth.model, growth._live
    code = None
    if growth._native is not None:
        alphas = {s["seed"]: s["alpha"] for s in growth.seeds if s["seed"]}
        code = source(model, growth.program, alphas, live.anchors, live.name)
    folder = Path(folder) if folder is not None else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    live.close()
    if code is not None:
        put_code(model, code, live.name, lambda seed: tensors_of(live.seeds[seed]), folder)
    if folder is not None:
        whole = with_wider(with_twins(code, growth._splits.code()), growth._widening.sizes())
        if whole:
            (folder / "grown.py").write_text(whole)
        from safetensors.torch import save_model
        save_model(model, str(folder / "model.safetensors"))
        journal = str(growth.run / "journal.jsonl") if growth.run else ""
        (folder / "lineage.json").write_text(_esper.lineage(growth.program, journal))
    return model


def with_wider(text, sizes):
    """The text of grown.py, and before all else the layers that became wider."""
    wider = wider_code(sizes)
    if not wider:
        return text
    if not text:
        return wider + "\n\ngrow = widen\n"
    return (text + "\n\n" + wider + "\n\ngrow_others = grow\n\n\n"
            "def grow(model):\n    return grow_others(widen(model))\n")


def with_twins(code, twins):
    """The text of grown.py for seeds, blocks that became two, or both; empty for neither."""
    if not twins:
        return code or ""
    if code is None:
        return twins + "\n\ngrow = split\n"
    return (code + "\n\n" + twins + "\n\ngrow_seeds = grow\n\n\n"
            "def grow(model):\n    return grow_seeds(split(model))\n")


def unwrap_copy(model):
    """A copy of a growing model as plain PyTorch, with what was heard when it was made; None where
    the module is none."""
    places = [(m._forward_hooks, key, hook) for m in model.modules()
              for key, hook in list(m._forward_hooks.items())
              if isinstance(hook, Hook) and isinstance(hook.live, Copied)]
    forward = vars(model).get("forward")
    whole = isinstance(getattr(forward, "live", None), Copied)
    if not places and not whole:
        return None
    copied = forward.live if whole else places[0][2].live
    if whole:
        del model.forward
    for hooks, key, _ in places:
        del hooks[key]
    parts = model._modules.pop(copied.name, None)
    code = source(model, copied.program, copied.alphas, copied.anchors, copied.name)
    if code is not None:
        put_code(model, code, copied.name, lambda seed: tensors_of(parts._modules[seed]))
    return model
