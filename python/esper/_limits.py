"""What growth cannot do, said in time: a silent wrong result is worse than a refusal."""

from __future__ import annotations

import gc
import inspect
import weakref

import torch
from torch import nn


class Unsupported(ValueError):
    """Something that growth cannot do. The message names what, why, and what to do instead."""


Unsupported.__module__ = "esper"

# Wrappers that keep copies of a model, or parts of it, on several devices or processes.
PARALLEL = ("DistributedDataParallel", "FullyShardedDataParallel", "DataParallel",
            "DeepSpeedEngine")


def refuse_parallel(model):
    """Growth decides in one process: replicas of a model would grow apart from each other."""
    kind = next((type(m).__name__ for m in (model, *model.children())
                 if type(m).__name__ in PARALLEL), None)
    if kind is None and torch.distributed.is_available() and torch.distributed.is_initialized() \
            and torch.distributed.get_world_size() > 1:
        kind = f"a process group of {torch.distributed.get_world_size()} processes"
    if kind is not None:
        raise Unsupported(
            f"growth under {kind}: a seed's parameters come after the replicas were made, so their "
            "gradients would not be averaged and the replicas would differ; grow in one process, "
            "then spread what growth.unwrap() returns")


def refuse_peft(model):
    """A PeftModel gives up what is neither adapter nor base layer when it is saved or merged."""
    if any(c.__name__ == "PeftModel" and c.__module__.startswith("peft.")
           for c in type(model).__mro__):
        raise Unsupported(
            "growth of a PeftModel: merge_and_unload() and save_pretrained() would drop what has "
            "grown; wrap the model inside, esper.wrap(model.get_base_model(), …), and save it with "
            "growth.export(folder) or as a state_dict")


def refuse_exported(model):
    """A module made of an exported program knows no evaluation mode and has no modules to grow at."""
    if isinstance(model, torch.fx.GraphModule) and "eval" in vars(model):
        raise Unsupported(
            "growth of a module that torch.export made: it has one mode and no modules inside; give "
            "the module that it was exported from, or the file to the engine: 'esper train DATA "
            "model.path=FILE.pt2', 'esper adapt FILE.pt2 DATA'")


def check_model(model):
    """Raises where nothing can grow in `model`."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    refuse_parallel(model)
    refuse_peft(model)
    refuse_exported(model)


def check_optimizer(optimizer):
    """Raises where newborn parameters cannot join."""
    kind = type(optimizer).__name__
    if isinstance(optimizer, torch.optim.LBFGS):
        why = "it takes one group of parameters, whose curvature it has measured"
    elif isinstance(optimizer, torch.optim.SparseAdam):
        why = "it takes sparse gradients alone, and those of a seed are dense"
    else:
        why = _refuses_shapes(optimizer)
    if why:
        raise Unsupported(
            f"growth with {kind}: parameters that are born in training cannot join it, since "
            f"{why}; use another optimizer (AdamW or SGD, say) while the model grows")


def _refuses_shapes(optimizer):
    """Why one of this kind does not take a vector or a kernel of a convolution beside a matrix;
    empty where it does, or where nobody can tell."""
    known = inspect.signature(type(optimizer)).parameters
    settings = {k: v for k, v in optimizer.defaults.items() if k in known}
    for dimensions in (2, 1, 4):
        try:
            type(optimizer)([nn.Parameter(torch.zeros([1] * dimensions))], **settings)
        except Exception as error:
            if dimensions == 2:
                return ""
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"it refuses a tensor of {dimensions} dimensions ({text})"
    return ""


class Copies:
    """Copies of a model that somebody keeps up to date by walking over the parameters of both: a
    running average, a target network. One that was made before something grew lacks it, and the
    walk ends early without a word."""

    UPDATES = 3  # steps in a row after each of which a copy was written to: it is kept up to date

    def __init__(self, model):
        self._model = weakref.ref(model)
        self._heard = frozenset()
        self._found = {}  # id -> [weak reference, sum of its parameters' versions, updates seen]

    def look(self, grown):
        """Finds the copies that there are now, where something joined or left the model. grown:
        prefix of the names of what has grown."""
        model = self._model()
        parts = model._modules.get(grown.rstrip("."))
        heard = frozenset(parts._modules) if parts is not None else frozenset()
        if heard == self._heard:
            return
        self._heard, self._found = heard, {}
        names = {n.removeprefix("_orig_mod."): p for n, p in model.named_parameters()}
        host = {n: p.shape for n, p in names.items() if not n.startswith(grown)}
        kind, own = type(getattr(model, "_orig_mod", model)), {id(m) for m in model.modules()}
        objects = gc.get_objects()
        learning = {id(p) for o in objects if issubclass(type(o), torch.optim.Optimizer)
                    for g in o.param_groups for p in g["params"]}
        for other in objects:
            if type(other) is not kind or id(other) in own:
                continue
            theirs = dict(other.named_parameters())
            if (theirs.keys() != names.keys()
                    and all(n in host or n.startswith(grown) for n in theirs)
                    and all(n in theirs and theirs[n].shape == shape for n, shape in host.items())
                    and not any(theirs[n] is names[n] or id(theirs[n]) in learning for n in host)):
                self._found[id(other)] = [weakref.ref(other), _versions(other), 0]

    def check(self):
        """To be called once a step. Raises where a copy that lacks what has grown, or has what is
        gone, is kept up to date."""
        for item in self._found.values():
            other = item[0]()
            versions = _versions(other) if other is not None else item[1]
            item[1:] = versions, item[2] + 1 if versions != item[1] else 0
            if item[2] < self.UPDATES:
                continue
            self._found = {}
            raise Unsupported(
                f"a copy of this {type(other).__name__} that was made before a seed joined or left "
                "the model (an average of its parameters, say) is still being updated from it: it "
                "has not grown as the model has and computes something else; make it anew, from a "
                "copy.deepcopy of the model, after each growth.epoch() whose decisions graft or cull "
                "a seed, or begin to average when growth is over")


def _versions(module):
    return sum(p._version for p in module.parameters())


class Followers:
    """Modules of a model's kind and with its parameters' names that no optimizer trains, such as an
    average of the model; `updated` tells whether one has been written to since."""

    def __init__(self, model):
        names = {n.removeprefix("_orig_mod.") for n, _ in model.named_parameters()}
        kind, own = type(getattr(model, "_orig_mod", model)), {id(m) for m in model.modules()}
        objects = gc.get_objects()
        others = [o for o in objects if type(o) is kind and id(o) not in own]
        learning = {id(p) for o in objects if others and issubclass(type(o), torch.optim.Optimizer)
                    for g in o.param_groups for p in g["params"]}
        self.found = [(weakref.ref(o), _versions(o)) for o in others
                      if (theirs := dict(o.named_parameters())).keys() == names
                      and not any(id(p) in learning for p in theirs.values())]

    def updated(self):
        return any(o is not None and _versions(o) != versions
                   for o, versions in ((ref(), versions) for ref, versions in self.found))
