"""What an adaptation is measured by: looks on the way, and the gate at the end."""

from __future__ import annotations

import copy
import math

import torch

from esper import _esper
from esper._adapt_data import rows, size_of

LOOKS, FEWEST_LOOKS, LOOK_EXAMPLES = 10, 3, 32
PATIENCE, DELTA, CHUNK = 3, 0.05, 100
MOST_LOWERINGS = 1  # of the rate, before a training stops early
SMALLEST = 100  # examples that may decide; half of them where that many cost more than their share


class Probe:
    """Held-out examples in two halves: every second example chooses (rates, when to stop), the others
    decide whether what was trained is kept, and are used for nothing else."""

    def __init__(self, batches, most=None):
        self.choosing, self.deciding = [], []
        count = 0
        for batch in batches:
            n = size_of(batch)
            self.choosing.append(_picked(batch, torch.arange(0, n, 2), n))
            if n > 1:
                self.deciding.append(_picked(batch, torch.arange(1, n, 2), n))
            count += n
            if most and count >= most:
                break
        if not count:
            raise ValueError("the probe holds no example")

    def decides(self):
        return sum(map(size_of, self.deciding))


def _picked(batch, which, n):
    def pick(thing):
        if isinstance(thing, torch.Tensor):
            return thing[which.to(thing.device)] if thing.dim() and thing.shape[0] == n else thing
        if isinstance(thing, dict) or hasattr(thing, "items"):
            return {k: pick(v) for k, v in thing.items()}
        if isinstance(thing, (tuple, list)):
            return type(thing)(pick(v) for v in thing)
        return thing
    return pick(batch)


def mean_loss(task, batches, account=None, most=None):
    """Of all examples (or the first `most`), weighted alike."""
    total = count = 0
    with torch.no_grad():
        for batch in batches:
            n = size_of(batch)
            if most is not None and count + n > most:
                batch, n = rows(batch, 0, most - count, n), most - count
            if n <= 0:
                break
            work = lambda: task.loss(batch).item()
            total += n * (account.run("measure forward", n, work) if account else work())
            count += n
    return total / count if count else math.nan


class Looks:
    """The choosing examples' loss on the way; keeps the best values of the parts. allowed: what all
    looks together may cost, each: one example's forward pass, both in FLOPs (None: not known). As many
    examples as that pays for at ten looks, at least 32; no look where not even three are paid for."""

    def __init__(self, task, adapter, batches, account, allowed=None, each=None):
        self.task, self.adapter, self.batches, self.account = task, adapter, batches, account
        have = sum(map(size_of, batches))
        self.examples, self.planned = have, LOOKS
        if allowed is not None and each:
            self.examples = min(have, max(int(allowed / (LOOKS * each)), LOOK_EXAMPLES))
            self.planned = min(LOOKS, int(allowed / (self.examples * each)))
            if self.planned < FEWEST_LOOKS:
                self.planned = 0
        self.best, self.values, self.worse, self.lowered = math.inf, None, 0, 0
        self.seen = []

    def due(self, share):
        """Whether a look comes in turn at this share of the budget."""
        return len(self.seen) < self.planned and share >= (len(self.seen) + 1) / self.planned

    def look(self, share):
        """Returns whether training cannot go on as it is: several looks in a row were worse than the
        best."""
        loss = mean_loss(self.task, self.batches, self.account, self.examples)
        self.seen.append((round(share, 4), loss))
        if loss < self.best:
            self.best, self.worse = loss, 0
            self.values = copy.deepcopy(self.adapter.state_dict())
            return False
        self.worse += 1
        return self.worse >= PATIENCE or not math.isfinite(loss)

    def go_back(self):
        """The best values, from which training goes on at a lower rate. False where it has done so
        often enough, or where there are none."""
        if self.lowered == MOST_LOWERINGS or self.values is None:
            return False
        self.restore()
        self.worse = 0
        self.lowered += 1
        return True

    @torch.no_grad()
    def restore(self):
        """The best values again, where they are not the last ones."""
        if self.values is None or self.worse == 0:
            return False
        for name, parameter in ((f"{part}.{n}", p) for part, m in self.adapter.modules.items()
                                for n, p in m.named_parameters()):
            if name in self.values:
                parameter.copy_(self.values[name])
        return True


def usual_loss(task, adapter, batches, account, most=SMALLEST):
    """The model's own mean loss on examples that do not decide."""
    with adapter.off():
        return mean_loss(task, batches, account, most)


def gate(task, adapter, batches, account, seed=0, rent=0.0, smallest=SMALLEST, usual=math.inf):
    """Whether the parts help, by paired differences (loss without − loss with) of examples that
    nothing was chosen on: the C++ gate's confidence sequence, walked until it decides. What an example
    saves counts up to `usual`, the model's mean loss: the sum can only fall short of the truth, and a
    few examples that save much do not delay the verdict. A dict with `verdict`: keep, cull, or hold
    where the examples do not suffice."""
    most = usual if usual > 0 else math.inf
    order = torch.randperm(len(batches), generator=torch.Generator().manual_seed(seed)).tolist()
    differences, result = [], None
    for i in order:
        n = size_of(batches[i])
        for a in range(0, n, CHUNK):
            batch = rows(batches[i], a, min(a + CHUNK, n), n)
            each = lambda: task.each(batch)
            with adapter.off():
                without = account.run("measure host", size_of(batch), each)
            with_it = account.run("measure gate", size_of(batch), each)
            differences += (without - with_it).clamp(max=most).tolist()
            if len(differences) >= smallest:
                result = _esper.gate_look(differences, rent, DELTA, smallest)
                if result["verdict"] != "hold":
                    return result
    return result or {"verdict": "hold", "examples": len(differences), "needed": smallest,
                      "mean": sum(differences) / max(len(differences), 1),
                      "lower": -math.inf, "upper": math.inf, "not_finite": 0}
