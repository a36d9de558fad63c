"""A training loop around `esper.wrap`."""

from __future__ import annotations

import time

import torch

from esper._probe import probe as make_probe
from esper._progress import progress
from esper._wrap import wrap


def refuse_spent(name, batches):
    """Every epoch goes through the batches anew: an iterator would be empty from the second on."""
    if iter(batches) is batches:
        raise TypeError(f"{name}: expected batches that can be gone through many times, such as a "
                        f"list or a DataLoader, got a {type(batches).__name__}")
    if next(iter(batches), None) is None:
        raise ValueError(f"{name} holds no batch")


class Trainer:
    """Trains and grows a module.

        trainer = esper.Trainer(model, F.cross_entropy, optimizer, train=train, validation=valid,
                                probe=held_out, epochs=20)
        model = trainer.fit()

    loss: a function of (output, target) that returns the mean, and with reduction="none" one value per
        example (all losses of torch.nn.functional do).
    train, validation, probe: iterables of (input, target) batches that can be iterated many times,
        such as DataLoaders. `probe` must have a fixed order and be used for nothing else.
    The other arguments are those of `esper.wrap`. The loop runs in PyTorch; the command `esper train`
    trains a configured run in the C++ engine.
    """

    def __init__(self, model, loss, optimizer, *, train, validation, probe, epochs, scheduler=None,
                 clip_norm=None, quiet=False, **options):
        self.model, self.loss, self.optimizer, self.scheduler = model, loss, optimizer, scheduler
        self.train, self.validation, self.epochs = train, validation, epochs
        self.clip_norm = clip_norm
        for what, batches in (("train", train), ("validation", validation), ("probe", probe)):
            refuse_spent(what, batches)
        example = next(iter(train))[0]
        self.steps = steps = len(train) if hasattr(train, "__len__") else None
        self.growth = wrap(model, example, optimizer, epochs=epochs, steps_per_epoch=steps,
                           probe=make_probe(model, probe, loss), quiet=quiet, **options)
        self.history = []
        self._shows = progress(epochs, quiet)

    def fit(self):
        """Trains to the end and returns the unwrapped model."""
        while len(self.history) < self.epochs:
            self.epoch()
        self._shows.end(self.growth.summary())
        return self.growth.unwrap()

    def epoch(self):
        """Trains one epoch, including validation and decisions; returns its row of `history`."""
        began = time.monotonic()
        self.model.train()
        total, steps = 0.0, 0
        for x, target in self.train:
            loss = self.loss(self.model(x), target)
            self.optimizer.zero_grad()
            loss.backward()
            if self.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.optimizer.step()
            self.growth.step(loss, again=lambda: self.loss(self.model(x), target))
            total += loss.detach()
            steps += 1
            self._shows.step(len(self.history) + 1, steps, self.steps,
                             lambda: float(total) / steps)
        validation = self.evaluate(self.validation)
        decisions = self.growth.epoch(validation)
        if self.scheduler is not None:
            self.scheduler.step()
        row = {"epoch": len(self.history) + 1, "train_loss": float(total) / max(steps, 1),
               "val_loss": validation, "seconds": time.monotonic() - began,
               "decisions": decisions}
        self.history.append(row)
        self._shows.epoch(row)
        return row

    @torch.no_grad()
    def evaluate(self, batches):
        """Mean loss per example over (input, target) batches, in evaluation mode."""
        mode = self.model.training
        self.model.eval()
        total, examples = 0.0, 0
        for x, target in batches:
            total += float(self.loss(self.model(x), target)) * len(target)
            examples += len(target)
        self.model.train(mode)
        return total / max(examples, 1)
