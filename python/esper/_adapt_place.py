"""Where a trained, frozen network gains most from a new part: a closed-form estimate."""

from __future__ import annotations

import math
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from esper._anchors import main_tensor, with_main
from esper._adapt_data import first_examples, rows, size_of

RANDOM_UNITS, RIDGE, MOST_ROWS = 256, 0.03, 4096
MIXING_SCALE = 0.25
MIXED = 4  # tokens over which wide_mixer combines each feature: its own and those before
EXAMPLES = FEWEST_EXAMPLES = 16
SHARES = (0.05, 0.15, 0.45)  # how large a change is tried, against what flows there
NEARLY = 0.8  # of the best gain
MANY_STEPS = 300  # of training: fewer are best spent where they are cheapest
FIXED_PASSES = 5  # whatever the number of places: gradients, the loss before, two more scales
READOUT_PASSES = 4  # its gradient, three scales


class Features:
    """What a part of this kind could read at an anchor: the normed value, random hidden units as the
    blueprint has them, and a constant."""

    def __init__(self, anchor, blueprint, generator):
        self.anchor = anchor
        d = anchor.shape[-1 if anchor.kind == "tokens" else 1]
        taps = 3 if blueprint == "wide_conv" else 1
        units = torch.randn(RANDOM_UNITS, d, taps, taps, generator=generator) / (d * taps ** 2) ** .5
        self.units = units if anchor.kind == "image" else units[:, :, 0, 0]
        self.taps = None
        if blueprint == "wide_mixer":
            self.taps = torch.randn(d, 1, MIXED, generator=generator) * MIXING_SCALE

    def __call__(self, y):
        """[rows, features] of the anchor's value y, and a function that brings rows back to y."""
        z = self.anchor.to_seed(y.detach().float())
        units = self.units.to(z.device)
        if self.anchor.kind == "image":
            groups = next(g for g in (8, 4, 2, 1) if z.shape[1] % g == 0)
            normed = F.group_norm(z, groups)
            hidden = F.relu(F.conv2d(normed, units, padding=units.shape[-1] // 2)).square()
            both = torch.cat([normed, hidden], 1).movedim(1, -1)
        else:
            normed = F.rms_norm(z, z.shape[-1:], eps=1e-6)
            read = normed
            if self.taps is not None:
                columns = F.pad(normed.transpose(1, 2), (MIXED - 1, 0))
                sums = F.conv1d(columns, self.taps.to(z.device), groups=z.shape[-1])
                read = normed + sums.transpose(1, 2)
            both = torch.cat([read, F.relu(F.linear(read, units)).square()], -1)
        flat = both.flatten(0, -2)
        return torch.cat([flat, torch.ones_like(flat[:, :1])], 1)

    def flat(self, y):
        """The value itself as [rows, d]."""
        z = self.anchor.to_seed(y.detach().float())
        return (z.movedim(1, -1) if self.anchor.kind == "image" else z).flatten(0, -2)

    def back(self, change, y):
        """Rows as a change of y."""
        z = self.anchor.to_seed(y)
        if self.anchor.kind == "image":
            change = change.view(z.shape[0], *z.shape[2:], -1).movedim(-1, 1)
        return self.anchor.from_seed(change.reshape(z.shape).to(y.dtype), y)


@contextmanager
def changed(model, anchor, change):
    """Within the block, change(y) is added to the anchor's value y."""
    def hook(module, args, output):
        y, place = main_tensor(output)
        return with_main(output, place, y + change(y))

    handle = model.get_submodule(anchor.name).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def gradients(task, anchors, batches):
    """name -> [(value, gradient of the loss there), …], one pair a batch."""
    seen = {a.name: [] for a in anchors}
    kept = {}

    def keep(name):
        def hook(module, args, output):
            y, place = main_tensor(output)
            if name in kept:  # called again in this pass: its first call counts
                return output
            y = y if y.requires_grad else y.detach().requires_grad_()
            y.retain_grad()
            kept[name] = y
            return with_main(output, place, y.clone())  # what follows may write into it
        return hook

    hooks = [task.model.get_submodule(a.name).register_forward_hook(keep(a.name)) for a in anchors]
    try:
        for batch in batches:
            kept.clear()
            with torch.enable_grad():
                task.loss(batch).backward()
            for name, y in kept.items():
                if y.grad is not None:
                    seen[name].append((y.detach(), y.grad.detach()))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def direction(features, pairs):
    """The readout B [features, d] that goes against the gradient: ridge regression of −∂L/∂y on what
    a part could read there. The second-order part of the answer is the scale, found by trying."""
    phi = torch.cat([features(y) for y, _ in pairs])
    g = torch.cat([features.flat(g) for _, g in pairs])
    if len(phi) > MOST_ROWS:
        few = torch.linspace(0, len(phi) - 1, MOST_ROWS, device=phi.device).long()
        phi, g = phi[few], g[few]
    a = phi.T @ phi
    a += torch.eye(len(a), device=a.device) * (a.trace() / len(a) * RIDGE)
    b = torch.linalg.solve(a, phi.T @ -g)
    size = (phi @ b).square().mean().sqrt()
    value = torch.cat([features.flat(y) for y, _ in pairs]).square().mean().sqrt()
    return b * (value / size) if size > 0 else None  # as large as what flows there


def weight_change(task, anchor, batches):
    """The change [outputs, inputs] of a linear layer's weight that goes against the gradient, as
    `direction` for what it reads; its outputs are as large as the layer's. None where the loss does
    not depend on the layer."""
    read, given = [], []

    def keep(module, args, output):
        read.append(args[0].detach().float().flatten(0, -2))
        given.append(output.detach().requires_grad_())
        return given[-1].clone()

    handle = task.model.get_submodule(anchor.name).register_forward_hook(keep)
    try:
        for batch in batches:
            with torch.enable_grad():
                task.loss(batch).backward()
    finally:
        handle.remove()
    if any(y.grad is None for y in given):
        return None
    x, g, y = torch.cat(read), *(torch.cat([t.float().flatten(0, -2) for t in each]) for each in
                                 ([y.grad for y in given], [y.detach() for y in given]))
    a = x.T @ x
    a += torch.eye(len(a), device=a.device) * (a.trace() / len(a) * RIDGE)
    b = torch.linalg.solve(a, x.T @ -g)
    size = (x @ b).square().mean().sqrt()
    return (b * (y.square().mean().sqrt() / size)).T if size > 0 else None


@contextmanager
def weight_changed(model, anchor, change):
    """Within the block, a linear layer has its weight changed by so much."""
    def hook(module, args, output):
        return output + F.linear(args[0], change.to(args[0].dtype))

    handle = model.get_submodule(anchor.name).register_forward_hook(hook, prepend=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def with_readout(task, anchor, fit_on, mean, account, count):
    """Within the block, the change of that layer's weight that helps most, of a few scales: what a
    readout will do anyway ought not to be counted as a gain of places near it."""
    change = None
    if anchor is not None:
        change = account.run("measure readout", count,
                             lambda: weight_change(task, anchor, fit_on))
    if change is None:
        yield
        return

    def at(share):
        with weight_changed(task.model, anchor, change * share):
            loss = account.run("measure forward", count, mean)
        return loss if math.isfinite(loss) else math.inf

    best = min(SHARES, key=at)
    with weight_changed(task.model, anchor, change * best):
        yield


def scores(task, choices, batches, account, spend=None, examples=EXAMPLES, seed=0, last=None):
    """Gains by (anchor, blueprint): how much the mean loss of held-back examples falls when the best
    linear readout of what a part could read is added, at a good scale; and the loss without it.
    Sampled from `batches`, one half to fit on and one to measure. Best first.

    The scale that is best in the middle of the network is used everywhere; where `spend`
    floating-point operations allow (None: always), the two best places try two more each.
    last: the layer whose weight will be changed as well; gains are what comes on top of that."""
    taken = first_examples(batches, 2 * examples)
    fit_on, try_on = [], []
    for batch in taken:
        n = size_of(batch)
        half = max(n // 2, 1)
        fit_on.append(rows(batch, 0, half, n))
        if n > half:
            try_on.append(rows(batch, half, n, n))
    try_on = try_on or fit_on
    generator = torch.Generator().manual_seed(seed)
    count = sum(map(size_of, try_on))

    def mean():
        with torch.no_grad():
            return sum(task.loss(b).item() * size_of(b) for b in try_on) / count

    with with_readout(task, last, fit_on, mean, account, count):
        return _scores(task, choices, fit_on, mean, count, account, spend, generator)


def _scores(task, choices, fit_on, mean, count, account, spend, generator):
    anchors = list({a.name: a for a, _ in choices}.values())
    seen = account.run("measure gradients", sum(map(size_of, fit_on)),
                       lambda: gradients(task, anchors, fit_on))
    base = account.run("measure forward", count, mean)
    ready = []
    for anchor, blueprint in choices:
        if not seen[anchor.name]:
            continue
        features = Features(anchor, blueprint, generator)
        readout = account.run(f"measure fit {blueprint} {anchor.name}", count,
                              lambda: direction(features, seen[anchor.name]))
        if readout is not None:
            ready.append({"anchor": anchor, "blueprint": blueprint, "features": features,
                          "readout": readout, "tried": {}})

    def try_at(place, share):
        features, readout = place["features"], place["readout"] * share
        with changed(task.model, place["anchor"],
                     lambda y: features.back(features(y) @ readout, y)):
            kind = f"measure with {place['blueprint']} {place['anchor'].name}"
            value = base - account.run(kind, count, mean)
        place["tried"][share] = value if math.isfinite(value) else -math.inf

    def best_of(place):
        return max(place["tried"], key=place["tried"].get)

    def gain(place):
        return place["tried"][best_of(place)]

    if ready:
        middle = ready[len(ready) // 2]
        for share in SHARES:
            try_at(middle, share)
        for place in ready:
            if place is not middle:
                try_at(place, best_of(middle))
        ready.sort(key=gain, reverse=True)
        for place in ready[:2]:
            two_more = 2 * account.cost("measure forward", count)
            if spend is not None and account.measuring + two_more > spend:
                break
            share = best_of(place)
            try_at(place, share / 3 ** 0.5)
            try_at(place, share * 3 ** 0.5)
        ready.sort(key=gain, reverse=True)
    return [{"anchor": p["anchor"], "blueprint": p["blueprint"], "gain": gain(p), "share": best_of(p)}
            for p in ready], base


def chosen(gains, anchors, steps=None):
    """Of the places that gain nearly as much as the best, which the estimate does not tell apart: the
    highest in the network that is not its last, since no gradient flows below it and its steps
    are cheap; the first and the last place only where no other comes near. But the lowest, where
    the best kind hears earlier tokens and there are steps enough (None: there are): what it hears
    then reaches every layer above it."""
    best = gains[0]
    near = [g for g in gains if g["gain"] >= NEARLY * best["gain"]] or gains[:1]
    depth = {a.name: i for i, a in enumerate(anchors)}
    if best["blueprint"] == "wide_mixer" and (steps is None or steps >= MANY_STEPS):
        return min(near, key=lambda g: (depth[g["anchor"].name], -g["gain"]))
    inner = [g for g in near if 0 < depth[g["anchor"].name] < len(anchors) - 1]
    return max(inner or near[:1], key=lambda g: (depth[g["anchor"].name], g["gain"]))


def affordable(choices, forward, spend, last=None):
    """(choices, examples in each half) that measuring can pay for: fewer examples before fewer places,
    which then are evenly spread over the network's depth. forward: of one example, in FLOPs; spend:
    what may be spent, None: no limit. last: as for `scores`."""
    if not forward or spend is None:
        return choices, EXAMPLES
    passes = spend / forward
    fixed = FIXED_PASSES + (READOUT_PASSES if last is not None else 0)
    examples = int(passes / (len(choices) + fixed))
    if examples >= FEWEST_EXAMPLES:
        return choices, min(examples, EXAMPLES)
    most = max(int(passes / FEWEST_EXAMPLES) - fixed, 4)
    if len(choices) <= most:
        return choices, FEWEST_EXAMPLES
    at = [round(i * (len(choices) - 1) / (most - 1)) for i in range(most)]
    return [choices[i] for i in sorted(set(at))], FEWEST_EXAMPLES
