"""Batches, losses and what they cost, for adapting a model."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from esper._anchors import Flops, as_call, batch_size
from esper._compiled import uncompiled


class Task:
    """How a batch becomes a loss. A batch is (input, target), and `loss(output, target)` a mean over
    its examples; or a mapping of keyword arguments, and then the loss is `loss(output, batch)` or,
    without one, what the model itself returns as `loss`."""

    def __init__(self, model, loss):
        self.model, self.given = model, loss

    def _split(self, batch):
        if isinstance(batch, Mapping):
            return batch, batch
        if isinstance(batch, (tuple, list)) and len(batch) == 2:
            return batch
        raise TypeError("a batch has to be (input, target), or a mapping of the model's keyword "
                        f"arguments; got {type(batch).__name__}")

    def output(self, batch):
        args, kwargs = as_call(self._split(batch)[0])
        return self.model(*args, **kwargs)

    def _of(self, output, target):
        if self.given is not None:
            return self.given(output, target)
        loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if loss is None:
            raise TypeError("the model returned no `loss`: give one, e.g. loss=F.cross_entropy, or "
                            "put labels into the batch")
        return loss

    def loss(self, batch):
        return self._of(self.output(batch), self._split(batch)[1])

    @torch.no_grad()
    def each(self, batch):
        """The loss of each example, [n]. One pass over the batch, whose output is cut apart; where the
        loss comes from the model, a pass an example."""
        n = size_of(batch)
        whole = self.output(batch) if self.given is not None else None
        target = self._split(batch)[1]
        losses = []
        for i in range(n):
            if whole is None:
                losses.append(self.loss(rows(batch, i, i + 1, n)))
            else:
                losses.append(self._of(rows(whole, i, i + 1, n), rows(target, i, i + 1, n)))
        return torch.stack([l.detach().reshape(()).float() for l in losses])


def size_of(batch):
    return batch_size((batch[0],), {}) if isinstance(batch, (tuple, list)) else batch_size((), batch)


def rows(thing, a, b, n):
    """Examples a … b of a batch of n, in whatever stands in it."""
    if isinstance(thing, torch.Tensor):
        return thing[a:b] if thing.dim() and thing.shape[0] == n else thing
    if isinstance(thing, Mapping):
        parts = {k: rows(v, a, b, n) for k, v in thing.items()}
        return type(thing)(**parts) if hasattr(thing, "to_tuple") else parts
    if isinstance(thing, (tuple, list)):
        return type(thing)(rows(v, a, b, n) for v in thing)
    return thing


def first_examples(batches, count):
    """The first `count` examples as a list of batches, the last one cut."""
    taken = []
    for batch in batches:
        n = size_of(batch)
        taken.append(batch if n <= count else rows(batch, 0, count, n))
        count -= min(n, count)
        if count <= 0:
            break
    return taken


class Account:
    """Floating-point operations: of training, and of measuring, which may spend a share of the
    budget. Operations are counted as PyTorch carries them out, by torch.utils.flop_counter's rules,
    once for each kind and number of examples."""

    def __init__(self):
        self.training = self.measuring = 0.0
        self._each = {}

    @property
    def total(self):
        return self.training + self.measuring

    def run(self, kind, examples, work):
        """What work() returns; its operations are charged to `kind`, "train …" or "measure …"."""
        if (known := self._each.get((kind, examples))) is None:
            try:
                with uncompiled(), Flops() as seen:
                    result = work()
            except NotImplementedError:  # some models do not run under a dispatch mode
                result, known = work(), 0
            else:
                known = seen.total
            self._each[kind, examples] = known
        else:
            result = work()
        self.charge(kind, known)
        return result

    def charge(self, kind, operations):
        if kind.startswith("train"):
            self.training += operations
        else:
            self.measuring += operations

    def cost(self, kind, examples):
        """Of one such piece of work, if one has been counted; else scaled from another size; else
        None."""
        if (kind, examples) in self._each:
            return self._each[kind, examples]
        known = [(n, c) for (k, n), c in self._each.items() if k == kind and n]
        return known[0][1] / known[0][0] * examples if known else None
