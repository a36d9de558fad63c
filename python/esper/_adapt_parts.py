"""Adapters: parts that stand beside a model's own modules and can be taken out of the graph."""

from __future__ import annotations

import re
import sys
import weakref
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from esper import _esper
from esper._adapt_readout import READOUT, AddReadout, Readout, fold
from esper._anchors import (AS_IS, CHANNELS_LAST, SEQUENCE, TIME_FIRST, VIDEO, Anchor)
from esper._compiled import forget_compiled
from esper._unwrap import load_module, put_code, source

LAYOUTS = (AS_IS, CHANNELS_LAST, TIME_FIRST, SEQUENCE, VIDEO)
KINDS = ("image", "tokens", "vector")
WIDEST = 1 << 20
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
BATCH, FREE = -1, 1  # sizes of an anchor's value that a part does not depend on


@dataclass(frozen=True)
class Part:
    """One branch of an adapter: `blueprint` with `width` hidden units at the output of `anchor`. Or a
    `readout`, a change of the weight of a linear layer that reads `width` features."""

    name: str
    anchor: Anchor
    blueprint: str
    width: int

    @property
    def features(self):
        return self.anchor.shape[-1 if self.anchor.kind == "tokens" else 1]

    @property
    def parameters(self):
        if self.blueprint == READOUT:
            return self.features * self.width
        return _esper.adapter_parameters(self.blueprint, self.anchor.kind, self.features, self.width)


def program_of(parts):
    """The Program of a host's anchors with these branches; its hash names the adapter's structure. A
    readout is no branch: the layer that it changes is the host's."""
    anchors = {}
    parts = [p for p in parts if p.blueprint != READOUT]
    for part in parts:
        kind, features = part.anchor.kind, part.features
        shape = {"image": [BATCH, features, FREE, FREE], "tokens": [BATCH, FREE, features],
                 "vector": [BATCH, features]}[kind]
        anchors[part.anchor.name] = (part.anchor.name, kind, shape)
    host = _esper.foreign_host("host", list(anchors.values()))
    return _esper.with_adapters(host, [(p.name, p.anchor.name, p.blueprint, p.width) for p in parts])


def first_values(parts, seed):
    """Values of untrained parts, "<part>.<tensor>" -> tensor; the last layers are zero."""
    values = {}
    if any(p.blueprint != READOUT for p in parts):
        values = _esper.first_values(program_of(parts), seed)
    readouts = {f"{p.name}.weight": torch.zeros(p.features, p.width) for p in parts
                if p.blueprint == READOUT}
    return {name.removeprefix("seed."): value for name, value in values.items()} | readouts


_adapters = weakref.WeakKeyDictionary()  # model -> list of Adapter


def adapters_of(model):
    return _adapters.setdefault(model, [])


class Adapter:
    """What adapts one model to one thing: parts with their values. On, each part is a forward hook at
    its anchor; off, nothing of it is in the model."""

    def __init__(self, model, name, parts=(), values=None, metadata=None):
        self.model, self.name, self.metadata = model, name, dict(metadata or {})
        self.parts, self.modules = [], {}
        self._hooks = []
        self.switched = lambda on: None  # called when it goes on or off
        for part in parts:
            self.append(part, values)
        adapters_of(model).append(self)

    def __repr__(self):
        places = ", ".join(f"{p.blueprint} of {p.width} at {p.anchor.name}" for p in self.parts)
        return (f"<adapter {self.name}: {places or 'no part'}, {self.parameter_count:,} parameters, "
                f"{'on' if self.enabled else 'off'}>")

    @property
    def program(self):
        return program_of(self.parts)

    @property
    def parameter_count(self):
        return sum(p.parameters for p in self.parts)

    def parameters(self):
        for module in self.modules.values():
            yield from module.parameters()

    def state_dict(self):
        """"<part>.<tensor>" -> tensor."""
        return {f"{part}.{name}": tensor.detach() for part, module in self.modules.items()
                for name, tensor in module.named_parameters()}

    def append(self, part, values):
        """Adds a part with its values; it is heard as soon as the adapter is on."""
        module = self._module(part)
        device = next((p.device for p in self.model.get_submodule(part.anchor.name).parameters()),
                      next((p.device for p in self.model.parameters()), None))
        for name, parameter in list(module.named_parameters()):
            value = values[f"{part.name}.{name}"].detach().clone().to(device)
            module.put(name, nn.Parameter(value))
        was = self.enabled
        self.enabled = False
        self.parts.append(part)
        self.modules[part.name] = module
        self.enabled = was

    def _module(self, part):
        if part.blueprint == READOUT:
            return Readout(part.features, part.width)
        code = source(self.model, program_of([part]), {},
                      {part.anchor.name: part.anchor}, "grown")
        (_, _, seed, layout, alpha), = load_module(code, None).SEEDS
        return seed()

    @property
    def enabled(self):
        return bool(self._hooks)

    @enabled.setter
    def enabled(self, on):
        if bool(on) == self.enabled or (on and not self.parts):
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if on:
            for part in self.parts:
                at = self.model.get_submodule(part.anchor.name)
                first = part.blueprint == READOUT  # it computes its layer's output anew
                self._hooks.append(at.register_forward_hook(self.runner(part), prepend=first))
        self.switched(bool(on))
        forget_compiled()

    def runner(self, part):
        """The hook that runs a part."""
        module = self.modules[part.name]
        if part.blueprint == READOUT:
            return AddReadout(module)
        return sys.modules[type(module).__module__].AddSeed(module, part.anchor.layout, None)

    @contextmanager
    def off(self):
        """The untouched host, within the block."""
        was = self.enabled
        self.enabled = False
        try:
            yield self.model
        finally:
            self.enabled = was

    def code(self, name="grown"):
        """Plain PyTorch code of the parts, see _unwrap.source."""
        return source(self.model, self.program, {}, {p.anchor.name: p.anchor for p in self.parts}, name)

    def merge(self, name, folder=None):
        """Makes the branches members of the model, under `name`, as plain PyTorch, and a readout
        part of the layer that it changes."""
        self.enabled = False
        for part in self.parts:
            if part.blueprint == READOUT:
                fold(self.model.get_submodule(part.anchor.name), self.modules[part.name])
        return put_code(self.model, self.code(name), name,
                        lambda part: list(self.modules[part].named_parameters()), folder)

    def forget(self):
        self.enabled = False
        adapters_of(self.model).remove(self)


@contextmanager
def all_off(model):
    """Without any adapter, within the block."""
    were = [a for a in adapters_of(model) if a.enabled]
    for adapter in were:
        adapter.enabled = False
    try:
        yield
    finally:
        for adapter in were:
            adapter.enabled = True
