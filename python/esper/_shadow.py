"""Learning in a shadow: a second pass over the same batch with one isolated seed blended in."""

from __future__ import annotations

import torch

from esper._statistics import buffers_kept, draws_kept

MISSING = (
    "growth.isolation=shadow: seed {seed} at {anchor} learns from a second pass over the batch, so "
    "growth.step needs to know how to compute its loss again, e.g. growth.step(loss, again=lambda: "
    "F.cross_entropy(model(x), y)); without one, configure growth.isolation=straight_through")
NO_OPTIMIZER = (
    "growth.isolation=shadow: seed {seed} at {anchor} has no optimizer to learn with: give one to "
    "esper.wrap or to growth.attach")


def gradients(live, statistics, seed, again):
    """The gradients of the seed's parameters for the loss of the network with this seed at α = 1: a
    list, with None for a parameter without a gradient. Does not change the model's buffers and
    gradients or the random generators. Returns None if this batch does not pass the seed's anchor."""
    parameters = list(live.seeds[seed].parameters())
    trained = [p for p in parameters if p.requires_grad]
    model = live.model
    with buffers_kept(model), draws_kept(model), torch.enable_grad():
        with live.in_shadow(seed) as hook, statistics.second_pass() as passes:
            loss = again()
            if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
                raise TypeError("again() has to return the loss, a tensor of one number; got "
                                f"{loss!r}")
            if not hook.calls and not passes:
                raise ValueError("again() did not run the model: it has to compute the loss anew, "
                                 "not to return the one that there is")
            if not hook.calls:
                return None
            if not loss.requires_grad:
                raise ValueError("the loss that again() returned has no gradient; it may not run "
                                 "under torch.no_grad() or detach the loss")
            found = iter(torch.autograd.grad(loss.reshape(()), trained, allow_unused=True))
    return [next(found) if p.requires_grad else None for p in parameters]
