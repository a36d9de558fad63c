"""Seeds inside a running module: hooks and parameters, only while a seed is awake."""

from __future__ import annotations

import copy
import warnings
from contextlib import contextmanager

import torch
from torch import nn

from esper import _esper
from esper._anchors import main_tensor, with_main


class Scope(nn.Module):
    """Parameters and buffers of a seed under their dotted names."""

    def put(self, dotted, thing):
        *path, last = dotted.split(".")
        at = self
        for word in path:
            if word not in at._modules:
                at._modules[word] = Scope()
            at = at._modules[word]
        if isinstance(thing, nn.Parameter):
            at._parameters[last] = thing
        else:
            at._buffers[last] = thing

    def place(self, dotted):
        """(dict, key) under which the tensor is found, whatever replaces it later."""
        *path, last = dotted.split(".")
        at = self
        for word in path:
            at = at._modules[word]
        return (at._parameters if last in at._parameters else at._buffers), last


class Grown(nn.Module):
    """What a model has grown; the seeds stand in it under their names. As a member of a Sequential
    it passes its input on."""

    def forward(self, x):
        return x


class NotPickled:
    """What stands in a model while it grows."""

    def __reduce__(self):
        raise TypeError("this model is growing: call growth.unwrap() before pickling it, or save "
                        "model.state_dict() and growth.state_dict()")


class Hook(NotPickled):
    """Runs the seeds of one anchor on what its module returns. sources: for each tensor the chain
    takes, the Scope or dict that holds it and its name there."""

    def __init__(self, live, anchor, chain, sources):
        self.live, self.anchor, self.chain, self.sources = live, anchor, chain, sources
        self.places = [owner.place(name) if isinstance(owner, Scope) else (owner, name)
                       for owner, name in sources]
        self.stand_in = None  # another hook that does the work for a while
        self.calls = 0

    def __call__(self, module, args, output):
        if self.stand_in is not None:
            return self.stand_in(module, args, output)
        self.calls += 1
        y, place = main_tensor(output)
        if y is None:
            return output
        try:
            tensors = [items[key] for items, key in self.places]
            if tensors and tensors[0].device != y.device:
                self.live.move(self.anchor, y.device)
                tensors = [items[key] for items, key in self.places]
            z = self.chain.run(self.anchor.to_seed(y), tensors, module.training)
        except _esper.EsperError as error:
            self.live.failed(self.anchor, error)
            return output
        return with_main(output, place, self.anchor.from_seed(z, y))

    def __deepcopy__(self, memo):
        """A copied model runs copies of the seeds (a running average, say); they no longer grow."""
        return Hook(self.live, self.anchor, self.chain,
                    [(copy.deepcopy(owner, memo), name) for owner, name in self.sources])


class Live:
    """The awake seeds of a model. `follow(program)` brings hooks and parameters in line with a
    Program; nothing of it is in the model while every seed sleeps."""

    NAME = "grown"

    def __init__(self, model, shadow=False):
        self.model = model
        self.shadow = shadow  # isolated seeds learn from passes of their own, not beside the host
        self.isolated = {}  # seed -> the Hook that blends it in, for those passes
        self.anchors = {}  # by name
        self.seeds = {}  # name -> Scope
        self.where = {}  # name -> anchor's name
        self.alphas = {}  # control's name -> 0-dimensional tensor
        self.faults = {}  # seed -> message, since the last step
        self._hooks = {}  # anchor's name -> (handle, hook, hash of its seeds)
        self._native = None

    def follow(self, program, native):
        """Returns (seeds that are new, Scopes that are gone by seed)."""
        self._native = native
        present = {seed: (anchor, mode) for seed, anchor, mode in program.seeds()}
        gone = {seed: self.seeds.pop(seed) for seed in list(self.seeds) if seed not in present}
        for seed in gone:
            del self.where[seed]
        new = []
        for seed, (anchor, _) in present.items():
            if seed not in self.seeds:
                self.where[seed] = anchor
                self.seeds[seed] = self._scope(program, seed, anchor, native)
                new.append(seed)
        self._register({s for s, (_, mode) in present.items() if mode != "isolated"})
        self._hook(program)
        self.isolated = {
            seed: self._second_pass(program.without_isolated(seed), anchor,
                                    {f"alpha.{seed}": torch.ones(())})
            for seed, (anchor, mode) in present.items() if self.shadow and mode == "isolated"}
        return new, gone

    def _scope(self, program, seed, anchor, native):
        scope = Scope()
        prefix = f"seed.{seed}."
        device = next((p.device for p in self.model.get_submodule(anchor).parameters()), None)
        part = program.seeds_at(anchor)
        for name, trainable in part.tensors():
            if name.startswith(prefix):
                tensor = native.tensor(name).detach().clone().to(device)
                if trainable is not None:
                    tensor = nn.Parameter(tensor, requires_grad=trainable)
                scope.put(name.removeprefix(prefix), tensor)
        scope.train(self.model.training)
        return scope

    def _register(self, names):
        """Seeds that touch the host stand in model.grown; isolated ones stay outside, so that
        neither state_dict nor gradient clipping notices them."""
        if not names:
            if isinstance(self.model._modules.get(self.NAME), Grown):
                del self.model._modules[self.NAME]
            return
        grown = self.model._modules.get(self.NAME)
        if not isinstance(grown, Grown):
            if hasattr(self.model, self.NAME):
                raise AttributeError(f"the model has something of its own called '{self.NAME}'")
            grown = Grown().train(self.model.training)
            self.model.add_module(self.NAME, grown)
        for name in [n for n in grown._modules if n not in names]:
            del grown._modules[name]
        for name in names:
            if name not in grown._modules:
                grown.add_module(name, self.seeds[name])

    def _hook(self, program):
        heard = program.without_isolated() if self.shadow else program
        wanted = {}
        for anchor in dict.fromkeys(self.where.values()):
            part = heard.seeds_at(anchor)
            if part is not None:
                wanted[anchor] = (part, part.hash)
        for anchor, (handle, _, key) in list(self._hooks.items()):
            if anchor not in wanted or wanted[anchor][1] != key:
                handle.remove()
                del self._hooks[anchor]
        for anchor, (part, key) in wanted.items():
            if anchor not in self._hooks:
                hook = self._make_hook(anchor, part)
                self._put_hook(anchor, hook, key)
        self.refresh_alphas()

    def _put_hook(self, anchor, hook, key):
        module = self.model.get_submodule(anchor)
        self._hooks[anchor] = (module.register_forward_hook(hook), hook, key)

    def _second_pass(self, program, anchor, controls):
        return self._make_hook(anchor, program.seeds_at(anchor), controls)

    def _make_hook(self, anchor, part, controls={}):
        chain = _esper.Chain(part)
        return Hook(self, self.anchors[anchor], chain,
                    [self._source(name, controls) for name in chain.names])

    def _source(self, name, controls):
        """(Scope or dict that holds the tensor, its name there) of a seed's tensor or its α."""
        if name.startswith("seed."):
            _, seed, rest = name.split(".", 2)
            if seed in self.seeds:
                return self.seeds[seed], rest
            return {name: self._native.tensor(name)}, name  # on trial: it is the library's
        if name in controls:
            return controls, name
        self.alphas[name] = self._native.tensor(name).clone()
        return self.alphas, name

    def refresh_alphas(self):
        """α as the ramps have it now; a new tensor, as the old one may wait for a backward pass."""
        for name in list(self.alphas):
            try:
                self.alphas[name] = self._native.tensor(name).clone()
            except _esper.EsperError:  # its seed is gone or folded
                del self.alphas[name]

    @contextmanager
    def _seeds_of(self, program):
        """Another Program's seeds have their places in here; places and α are as before afterwards."""
        where, alphas = dict(self.where), dict(self.alphas)
        for seed, anchor, _ in program.seeds():
            self.where.setdefault(seed, anchor)
        try:
            yield
        finally:
            self.where = where
            self.alphas.clear()  # the same dict: hooks look into it
            self.alphas.update(alphas)

    @contextmanager
    def on_trial(self, program, native):
        """Runs the model with another Program's seeds for a while."""
        before, self._hooks = self._hooks, {}
        for handle, _, _ in before.values():
            handle.remove()
        try:
            with self._seeds_of(program):
                self._hook(program)
                yield
        finally:
            for handle, _, _ in self._hooks.values():
                handle.remove()
            self._hooks = {}
            for anchor, (_, hook, key) in before.items():
                self._put_hook(anchor, hook, key)

    @contextmanager
    def in_shadow(self, seed):
        """Runs the model with one isolated seed blended in, α = 1, for a while; yields the
        hook that does it. Hooks that others have placed keep their order."""
        hook, anchor = self.isolated[seed], self.where[seed]
        hook.calls = 0
        present = self._hooks.get(anchor)
        handle = None
        if present is None:
            handle = self.model.get_submodule(anchor).register_forward_hook(hook)
        else:
            present[1].stand_in = hook
        try:
            yield hook
        finally:
            if handle is None:
                present[1].stand_in = None
            else:
                handle.remove()

    def move(self, anchor, device):
        for seed, where in self.where.items():
            if where == anchor.name:
                self.seeds[seed].to(device)
        for name in self.alphas:
            self.alphas[name] = self.alphas[name].to(device)

    def failed(self, anchor, error):
        for seed, where in self.where.items():
            if where == anchor.name and seed not in self.faults:
                self.faults[seed] = str(error)
                warnings.warn(f"seed {seed} at {where} failed and is taken out: {error}",
                              RuntimeWarning, stacklevel=2)

    def not_finite(self):
        """Seeds with a parameter that is no number."""
        return [seed for seed, scope in self.seeds.items()
                if not _esper.all_finite(list(scope.parameters()))]

    def close(self):
        for handle, _, _ in self._hooks.values():
            handle.remove()
        self._hooks, self.isolated = {}, {}
        self._register(set())
