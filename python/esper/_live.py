"""Seeds inside a running module: hooks and parameters, only while a seed is awake."""

from __future__ import annotations

import copy
import warnings
import weakref
from contextlib import contextmanager

import torch
from torch import nn
from torch._compile import _disable_dynamo

from esper import _esper
from esper._anchors import main_tensor, put_hook, with_main
from esper._compiled import forget_compiled, uncompiled


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
        raise TypeError("this model is growing: call esper.unwrap(model) before pickling it (a copy "
                        "of a growing model can be unwrapped as well), or save model.state_dict() "
                        "and growth.state_dict()")


class Copied:
    """What a copy of a growing model has: the seeds that were heard when it was made."""

    def __init__(self, live):
        self.name = live.name
        self.program = live.program
        self.anchors = live.anchors
        self.controls = {}  # those that its hooks read; the very dict
        self.scopes = []
        self.updates = 0

    @staticmethod
    def of(live, memo):
        """One for all places in the same copy; memo: that of copy.deepcopy."""
        key = f"esper copies {id(live)}"
        if key not in memo:
            memo[key] = Copied(live)
            live.copies.add(memo[key])
            memo[key].controls = copy.deepcopy(live.alphas, memo)
            memo[key].scopes = [copy.deepcopy(s, memo) for s in live.seeds.values()]
            memo[key].updates = memo[key].versions()
        return memo[key]

    @property
    def alphas(self):
        """By seed."""
        return {name.removeprefix("alpha."): float(value) for name, value in self.controls.items()}

    def versions(self):
        return sum(p._version for scope in self.scopes for p in scope.parameters())

    def follow(self, live):
        """A copy that is written to without gradients is kept up to date with the model (a running
        average, say), so it blends its seeds as the model does; any other stays as it was made."""
        updates = self.versions()
        if updates == self.updates:
            return
        self.updates = updates
        if any(p.grad is not None for scope in self.scopes for p in scope.parameters()):
            return
        for name in self.controls.keys() & live.alphas.keys():
            self.controls[name] = live.alphas[name].to(self.controls[name].device, copy=True)

    # What a hook asks of the seeds that it runs: those of a copy do not grow.
    stale = False
    seeds = {}

    @property
    def copies(self):
        return set()

    def move(self, anchor, device):
        pass  # they are moved with the copy

    def failed(self, anchor, error):
        raise RuntimeError(f"in a copy of a growing model a seed at {anchor.name} failed: {error}")


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
        run = self._opaque if torch.compiler.is_compiling() else self._run
        return run(module, args, output)

    @_disable_dynamo  # what it runs is the library's; the way around costs a step a few microseconds
    def _opaque(self, module, args, output):
        return self._run(module, args, output)

    def _run(self, module, args, output):
        if self.stand_in is not None:
            return self.stand_in._run(module, args, output)
        self.calls += 1
        y, place = main_tensor(output)
        if y is None:
            return output
        try:
            if self.live.stale:
                self.live.drop_gradients()
            tensors = [items[key] for items, key in self.places]
            if tensors and tensors[0].device != y.device:
                self.live.move(self.anchor, y.device)
                tensors = [items[key] for items, key in self.places]
            if tensors and tensors[0].dtype != torch.float32:
                tensors = [single(t) for t in tensors]
            z = self.chain.run(self.anchor.to_seed(y), tensors, module.training)
        except _esper.EsperError as error:
            self.live.failed(self.anchor, error)
            return output
        return with_main(output, place, self.anchor.from_seed(z, y))

    def __deepcopy__(self, memo):
        """A copied model runs copies of the seeds (a running average, say); they no longer grow."""
        return Hook(Copied.of(self.live, memo), self.anchor, self.chain,
                    [(copy.deepcopy(owner, memo), name) for owner, name in self.sources])


def single(tensor):
    """The tensor as the chain takes it: a model that was cast while a seed is awake has cast the
    seed's parameters, too, and seeds compute in float32."""
    if tensor.dtype == torch.float32 or not tensor.is_floating_point():
        return tensor
    return tensor.float()


def free_name(model):
    """Under which a model can hold what it grows: `grown`, or `grown2` … where it has grown before."""
    name, count = "grown", 1
    while hasattr(model, name):
        count += 1
        name = f"grown{count}"
    return name


class Live:
    """The awake seeds of a model. `follow(program)` brings hooks and parameters in line with a
    Program; nothing of it is in the model while every seed sleeps."""

    def __init__(self, model, shadow=False):
        self.model = model
        self.name = free_name(model)  # of the module that holds what has grown
        self.shadow = shadow  # isolated seeds learn from passes of their own, not beside the host
        self.isolated = {}  # seed -> the Hook that blends it in, for those passes
        self.anchors = {}  # by name
        self.seeds = {}  # name -> Scope
        self.where = {}  # name -> anchor's name
        self.alphas = {}  # control's name -> 0-dimensional tensor
        self.faults = {}  # seed -> message, since the last step
        self.copies = weakref.WeakSet()  # Copied
        self.stale = False  # the gradients of isolated seeds are those of a step that is over
        self._hooks = {}  # anchor's name -> (handle, hook, hash of its seeds)
        self._native = None

    def drop_gradients(self):
        """Before the first pass of a step. Isolated seeds are not in model.parameters(), so that
        model.zero_grad() does not reach them; one batch's gradient must not be in the next's."""
        self.stale = False
        if self.shadow:
            return  # they learn from passes of their own
        heard = self.model._modules.get(self.name)
        heard = heard._modules if isinstance(heard, Grown) else {}
        for seed, scope in self.seeds.items():
            if seed not in heard:
                for p in scope.parameters():
                    p.grad = None

    @property
    def program(self):
        return self._native.program

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
        if self._hook(program):
            forget_compiled()
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
            if isinstance(self.model._modules.get(self.name), Grown):
                del self.model._modules[self.name]
            return
        grown = self.model._modules.get(self.name)
        if not isinstance(grown, Grown):
            if hasattr(self.model, self.name):
                raise AttributeError(f"the model got something of its own called '{self.name}' while "
                                     "it grows; give it another name")
            grown = Grown().train(self.model.training)
            self.model.add_module(self.name, grown)
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
        changed = False
        for anchor, (handle, _, key) in list(self._hooks.items()):
            if anchor not in wanted or wanted[anchor][1] != key:
                handle.remove()
                del self._hooks[anchor]
                changed = True
        for anchor, (part, key) in wanted.items():
            if anchor not in self._hooks:
                hook = self._make_hook(anchor, part)
                self._put_hook(anchor, hook, key)
                changed = True
        self.refresh_alphas()
        return changed

    def _put_hook(self, anchor, hook, key):
        module = self.model.get_submodule(anchor)
        self._hooks[anchor] = (put_hook(module, hook), hook, key)

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
            with self._seeds_of(program), uncompiled():
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
            handle = put_hook(self.model.get_submodule(anchor), hook)
        else:
            present[1].stand_in = hook
        try:
            with uncompiled():
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
        if self._hooks:
            forget_compiled()
        self._hooks, self.isolated = {}, {}
        self._register(set())
