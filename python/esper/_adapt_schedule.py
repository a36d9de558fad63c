"""How far an adaptation is, and the rate of its parts there."""

from __future__ import annotations

import re
import time

import torch

WARM_UP, COOL_DOWN = 30, 0.6  # steps; the last share of the budget, over which the rate falls to zero
BETAS, DECAY = (0.9, 0.97), 0.1
RATES = (1e-3, 3e-3, 8e-3, 2e-2)  # what is tried, beginning with the second
LOWER = 1 / 3  # of the rate, where the probe's loss falls no more
UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds_of(text):
    found = re.fullmatch(r"\s*([0-9.]+)\s*([smh])\s*", text)
    if not found:
        raise ValueError(f"budget={text!r}: expected floating-point operations as a number (3e12), "
                         "or a time such as '90s', '30m' or '2h'")
    return float(found[1]) * UNITS[found[2]]


class Budget:
    """Epochs, floating-point operations or seconds; one of them."""

    def __init__(self, epochs=None, budget=None):
        if (epochs is None) == (budget is None):
            raise ValueError("say how long to adapt: epochs=3, budget=3e12 (floating-point "
                             "operations) or budget='30m'")
        self.epochs = epochs
        self.seconds = seconds_of(budget) if isinstance(budget, str) else None
        self.flops = None if budget is None or self.seconds else float(budget)
        if (amount := self.epochs or self.seconds or self.flops) is None or not amount > 0:
            raise ValueError("the budget has to be more than zero")
        self.steps = None  # in all epochs, once it is known
        self.reserved = 0.0  # operations kept for measuring at the end
        self._began = time.monotonic()

    def share(self, step, account):
        """0 … 1; 0 while nobody knows how long an epoch is."""
        if self.flops:
            return min(account.total / max(self.flops - self.reserved, 1.0), 1.0)
        if self.seconds:
            return min((time.monotonic() - self._began) / self.seconds, 1.0)
        return min(step / self.steps, 1.0) if self.steps else 0.0

    def steps_left(self, step, account, step_cost, seconds_a_step):
        """An estimate, None where there is none."""
        if self.steps:
            return self.steps - step
        if self.flops and step_cost:
            return (self.flops - self.reserved - account.total) / step_cost
        if self.seconds and seconds_a_step:
            return (self.seconds - (time.monotonic() - self._began)) / seconds_a_step
        return None


def factor(share, steps):
    """Of the full rate: up over the part's first steps, constant, then linear to zero."""
    return min(1.0, steps / WARM_UP) * min(1.0, (1.0 - share) / COOL_DOWN)


def adamw(rate):
    """The default optimizer: no weight decay on vectors."""
    def make(parameters):
        parameters = list(parameters)
        groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": DECAY},
                  {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, betas=BETAS)
    return make


class Rates:
    """The optimizers of the parts, one each, whose rates follow the schedule. The rates that an
    optimizer is made with are the full ones; where something else schedules them, clip and
    schedule are its own affair (`scheduled=False`)."""

    def __init__(self, make, scheduled=True):
        self.make, self.scheduled = make, scheduled
        self.optimizers = []  # (optimizer, full rates, steps made)

    def add(self, parameters):
        optimizer = self.make(list(parameters))
        self.optimizers.append([optimizer, [g["lr"] for g in optimizer.param_groups], 0])

    def lower(self):
        """A third of the full rates, and what the optimizers remember is forgotten: it is of another
        place. False where something else schedules them."""
        if not self.scheduled:
            return False
        for item in self.optimizers:
            item[1] = [rate * LOWER for rate in item[1]]
            item[0].state.clear()
        return True

    def step(self, share):
        for item in self.optimizers:
            optimizer, full, steps = item
            item[2] = steps + 1
            if self.scheduled:
                for group, rate in zip(optimizer.param_groups, full):
                    group["lr"] = rate * factor(share, steps + 1)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
