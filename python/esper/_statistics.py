"""Passes that do not change a model, and running statistics for the network that is measured."""

from __future__ import annotations

import random
import sys
from collections import deque
from contextlib import contextmanager
from functools import cached_property

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils import _pytree as pytree

from esper._live import NotPickled

BATCHES = 10  # as many as the engine's own recalibration takes


@contextmanager
def modes_kept(model):
    """Restores the mode of every module at the end of the block."""
    modes = [(m, m.training) for m in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def draws_kept(model):
    """Restores the random generators of torch, Python and NumPy at the end of the block."""
    devices = set()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        devices = {p.device for p in model.parameters() if p.is_cuda}
    python, numpy = random.getstate(), sys.modules.get("numpy")
    drawn = numpy.random.get_state() if numpy else None
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        if numpy:
            numpy.random.set_state(drawn)


@contextmanager
def buffers_kept(model):
    """Gives the model copies of its buffers within the block, and the unchanged originals after it."""
    scripted = [b for m in model.modules() if isinstance(m, torch.jit.ScriptModule)
                for b in m.buffers(recurse=False)]  # their places cannot be reached
    own = [(m._buffers, name, buffer) for m in model.modules()
           if not isinstance(m, torch.jit.ScriptModule)
           for name, buffer in m._buffers.items() if buffer is not None]
    values = [b.clone() for b in scripted]
    copies = {id(buffer): buffer.clone() for _, _, buffer in own}  # some are shared
    for items, name, buffer in own:
        items[name] = copies[id(buffer)]
    try:
        yield
    finally:
        for items, name, buffer in own:
            items[name] = buffer
        for buffer, value in zip(scripted, values):
            buffer.copy_(value)


class Statistics:
    """The running statistics of a model's batch norms. They are valid only for the network in which
    they were gathered; a network with one seed more or less needs others. So they are gathered again
    for each network that is measured, from the inputs of the epoch's last training steps. Those inputs
    are kept while a seed is undecided, if the model has batch norms."""

    def __init__(self, model):
        self.model = model
        self.inputs = deque(maxlen=BATCHES)
        self.modes = []  # of every module, in training
        self._hook = None
        self._quiet = False  # while passes run that are not the run's own

    @cached_property
    def _norms(self):
        return [m for m in self.model.modules() if _gathers(m)]

    def watch(self, wanted):
        """Starts or stops keeping the inputs of training passes."""
        if wanted and self._norms and self._hook is None:
            self._hook = self.model.register_forward_pre_hook(_Keep(self), with_kwargs=True)
        elif not wanted and self._hook is not None:
            self._hook.remove()
            self._hook = None

    @contextmanager
    def second_pass(self):
        """Looks on at a pass over a batch that the run has had; yields a list that grows by each. Where
        nobody watches the run, what goes in is kept here."""
        passes = []
        self._quiet = self._hook is not None
        hook = self.model.register_forward_pre_hook(_Keep(self, passes), with_kwargs=True)
        try:
            yield passes
        finally:
            hook.remove()
            self._quiet = False

    def keep(self, args, kwargs):
        if self._quiet or not self._norms or not self.model.training:
            return
        if not self.inputs:
            self.modes = [(m, m.training) for m in self.model.modules()]
        self.inputs.append(pytree.tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs)))

    def forget(self):
        """Call at the end of an epoch, or when no seed is undecided."""
        self.inputs.clear()
        self.modes = []

    def recompute(self):
        """Gathers the statistics of the present model, as means over the kept batches. Norms whose
        statistics did not change in training are left unchanged."""
        norms = [m for m, training in self.modes if training and _gathers(m)]
        if not norms or not self.inputs:
            return
        sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var))
                for m in norms]
        seen = [m.num_batches_tracked.clone() for m in norms]
        self._quiet = True
        try:
            with modes_kept(self.model), draws_kept(self.model), torch.no_grad():
                for module, training in self.modes:
                    module.training = training
                for args, kwargs in self.inputs:
                    # Starting at zero, one pass gives momentum times the batch's statistics.
                    for m in norms:
                        m.running_mean.zero_()
                        m.running_var.zero_()
                        m.num_batches_tracked.zero_()
                    self.model(*args, **kwargs)
                    for m, (mean, variance) in zip(norms, sums):
                        share = 1.0 if m.momentum is None else m.momentum
                        mean.add_(m.running_mean, alpha=1 / share)
                        variance.add_(m.running_var, alpha=1 / share)
        finally:
            self._quiet = False
            for m, (mean, variance), batches in zip(norms, sums, seen):
                m.running_mean.copy_(mean / len(self.inputs))
                m.running_var.copy_(variance / len(self.inputs))
                m.num_batches_tracked.copy_(batches)


def _gathers(module):
    return (isinstance(module, _BatchNorm) and module.track_running_stats
            and module.running_mean is not None and module.num_batches_tracked is not None
            and module.momentum != 0)


class _Keep(NotPickled):
    def __init__(self, statistics, passes=None):
        self.statistics, self.passes = statistics, passes

    def __call__(self, module, args, kwargs):
        if self.statistics is None:
            return
        if self.passes is not None:
            self.passes.append(module)
        self.statistics.keep(args, kwargs)

    def __deepcopy__(self, memo):
        """A copied model keeps nothing."""
        return _Keep(None)
