"""Seeds' parameters in the user's optimizer; the state of everything else stays as it is."""

from __future__ import annotations

import copy
import gc
from collections import OrderedDict, defaultdict

import torch

from esper._limits import Unsupported, check_optimizer


def inner(optimizer):
    """The torch optimizer inside a wrapper (Accelerate, Lightning), or itself. A wrapper may call
    itself an optimizer, too, and only pass on what is asked of it."""
    while isinstance(held := getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = held
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


def the_one(optimizers, parameters):
    """Of several optimizers the one that all of these parameters are in, as far as they are in any.
    Raises Unsupported where there is none: a seed learns by the rules of one."""
    optimizers = list(map(inner, optimizers))
    wanted = {id(p) for p in parameters}
    has = [o for o in optimizers
           if any(id(p) in wanted for g in o.param_groups for p in g["params"])]
    if len(has) > 1:
        kinds = " and ".join(type(o).__name__ for o in has)
        raise Unsupported(
            f"growth with {len(has)} optimizers ({kinds}) of the layers where seeds sit: a seed "
            "learns by the rules of one; wrap the part of the model that one of them trains, or "
            "choose anchors= in it")
    return (has or optimizers)[0]


def scheduled(optimizer):
    """Whether a learning-rate scheduler counts the optimizer's groups."""
    if any("initial_lr" in group for group in optimizer.param_groups):
        return True
    # ReduceLROnPlateau leaves no mark on the optimizer; with one min_lr for all it takes new groups.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
    # By type: isinstance asks an object for its class, and some that are there do something then.
    return any(issubclass(type(o), plateau) and o.optimizer is optimizer
               and o.default_min_lr is None for o in gc.get_objects())


def group_of(optimizer, parameters):
    """The group that has the first of these parameters that is in any; else the first group."""
    wanted = {id(p) for p in parameters}
    return next((g for g in optimizer.param_groups if any(id(p) in wanted for p in g["params"])),
                optimizer.param_groups[0])


class SeedGroups:
    """One parameter group a seed, with the settings of the group that its anchor's module is in and
    the rate following that group's. Once a seed learns as its neighbours do, its parameters join
    their group; at once where a learning-rate scheduler holds the optimizer, whose groups it
    counts."""

    def __init__(self, optimizer, newborn):
        self.optimizer = inner(optimizer)
        check_optimizer(self.optimizer)
        self.rate, self.rate_steps = newborn
        # seed -> [first parameter of its group, of the host's group, steps learned]. Not the groups
        # themselves: an optimizer that loads a state makes new ones.
        self.groups = {}
        self.joined = []  # seeds in the group of their neighbours, in the order they came there
        self.placed = {}  # seed -> its parameters in the optimizer, their neighbours

    def add(self, seed, parameters, neighbours):
        parameters = [p for p in parameters if p.requires_grad]
        if parameters:
            self._place(seed, parameters, neighbours)

    def _place(self, seed, parameters, neighbours):
        self.placed[seed] = parameters, neighbours
        host = group_of(self.optimizer, neighbours)
        if scheduled(self.optimizer):
            host["params"].extend(parameters)
            if "param_names" in host:
                host["param_names"].extend(f"grown.{seed}.{i}" for i in range(len(parameters)))
            self.joined.append(seed)
            return
        settings = {key: value for key, value in host.items() if key not in ("params", "param_names")}
        if "param_names" in host:
            settings["params"] = [(f"grown.{seed}.{i}", p) for i, p in enumerate(parameters)]
        else:
            settings["params"] = parameters
        self.optimizer.add_param_group(settings)
        self.groups[seed] = [parameters[0], host["params"][0], 0]

    def remove(self, seed, parameters):
        gone = {id(p) for p in parameters}
        self.groups.pop(seed, None)
        self.placed.pop(seed, None)
        self.joined = [s for s in self.joined if s != seed]
        for group in self.optimizer.param_groups:
            stays = [id(p) not in gone for p in group["params"]]
            for key in ("params", "param_names"):
                if key in group:
                    group[key] = [x for x, stay in zip(group[key], stays, strict=True) if stay]
        self.optimizer.param_groups[:] = [
            g for g in self.optimizer.param_groups if g["params"]]
        for p in parameters:
            self.optimizer.state.pop(p, None)

    def join(self, seed):
        """Moves a seed's parameters into the group of their neighbours, if its settings are theirs:
        a step over one group costs less than over two."""
        newborn, neighbour, _ = self.groups[seed]
        groups = self.optimizer.param_groups
        group = next(g for g in groups if any(p is newborn for p in g["params"]))
        host = next(g for g in groups if any(p is neighbour for p in g["params"]))
        own = {"params", "param_names"}
        if group.keys() != host.keys() or any(group[k] != host[k] for k in group.keys() - own):
            return
        for key in own & group.keys():
            host[key].extend(group[key])
        groups[:] = [g for g in groups if g is not group]
        del self.groups[seed]
        self.joined.append(seed)

    def save(self):
        return {"joined": list(self.joined),
                "apart": {seed: steps for seed, (_, _, steps) in self.groups.items()}}

    def restore(self, saved):
        """Groups as they were saved, so that the optimizer's saved state fits."""
        placed = dict(self.placed)  # those that are frozen by now, too
        for seed, (parameters, _) in placed.items():
            self.remove(seed, parameters)
        for seed in filter(placed.__contains__, [*saved["joined"], *saved["apart"]]):
            self._place(seed, *placed[seed])
            if seed in self.groups:
                self.groups[seed][2] = saved["apart"].get(seed, 0)
            if seed in self.groups and seed in saved["joined"]:
                self._set(seed, 1.0, True)
                self.join(seed)

    def follow(self, ramping, settled=()):
        """Rates and weight decay of the coming step. ramping: seeds that must not decay; settled:
        seeds that will not ramp any more."""
        for seed, item in list(self.groups.items()):
            grown_up = item[2] >= self.rate_steps
            self._set(seed, 1.0 if grown_up else self.rate, seed not in ramping)
            item[2] += 1
            if grown_up and seed in settled:
                self.join(seed)

    def _set(self, seed, factor, decays):
        newborn, neighbour, _ = self.groups[seed]
        first = {id(g["params"][0]): g for g in self.optimizer.param_groups}
        group, host = first[id(newborn)], first[id(neighbour)]
        group["lr"] = host["lr"] * factor
        if "weight_decay" in host:
            group["weight_decay"] = host["weight_decay"] if decays else 0.0


# What a learning-rate scheduler may change in a group.
SCHEDULED = ("lr", "weight_decay", "momentum", "betas")


def twin_of(optimizer):
    """An optimizer of the same kind and settings, without groups, state and hooks."""
    twin = object.__new__(type(optimizer))
    twin.__dict__.update(optimizer.__dict__)
    twin.__dict__.pop("step", None)  # where a scheduler counts the steps of the original
    for name, value in optimizer.__dict__.items():
        if name.startswith("_optimizer_") and isinstance(value, OrderedDict):
            twin.__dict__[name] = OrderedDict()  # the user's hooks
    twin.state = defaultdict(dict)
    twin.param_groups = []
    return twin


class Apart:
    """Steps seeds in isolation by the rules of the user's optimizer, which does not know of them: an
    optimizer of the same kind beside it, with the settings of the neighbours' group and a state of
    its own, which goes along when a seed joins."""

    def __init__(self, optimizer, newborn):
        self.optimizer = inner(optimizer)
        self.rate, self.rate_steps = newborn
        self.seeds = {}  # seed -> its group, which is in no optimizer, its neighbour, steps learned
        self.twin = twin_of(self.optimizer)

    def add(self, seed, parameters, neighbours):
        host = group_of(self.optimizer, neighbours)
        group = {key: host[key] for key in self.optimizer.defaults if key in host}
        group["params"] = parameters
        self.seeds[seed] = [group, host["params"][0], 0]

    def step(self, seed, gradients):
        """gradients: one for each of the seed's parameters, None where there is none."""
        group, neighbour, steps = self.seeds[seed]
        host = group_of(self.optimizer, [neighbour])
        group.update((key, host[key]) for key in SCHEDULED if key in group and key in host)
        group["lr"] = host["lr"] * (self.rate if steps < self.rate_steps else 1.0)
        for p, gradient in zip(group["params"], gradients, strict=True):
            p.grad = gradient
        self.twin.param_groups = [group]
        try:
            type(self.twin).step(self.twin)
        finally:
            for p in group["params"]:
                p.grad = None
        self.seeds[seed][2] = steps + 1

    def join(self, seed, groups, neighbours):
        """The seed is heard from now on: its parameters and their state go into the optimizer."""
        group, _, steps = self.seeds.pop(seed)
        groups.add(seed, group["params"], neighbours)
        if seed in groups.groups:
            groups.groups[seed][2] = steps
        for p in group["params"]:
            if p in self.twin.state:
                self.optimizer.state[p] = self.twin.state.pop(p)

    def remove(self, seed):
        group, _, _ = self.seeds.pop(seed)
        for p in group["params"]:
            self.twin.state.pop(p, None)

    def save(self):
        return copy.deepcopy({
            seed: {"steps": steps, "group": {k: v for k, v in group.items() if k != "params"},
                   "state": [dict(self.twin.state.get(p, {})) for p in group["params"]]}
            for seed, (group, _, steps) in self.seeds.items()})

    def restore(self, saved):
        for seed, item in copy.deepcopy(saved).items():
            group = self.seeds[seed][0]
            group.update(item["group"])
            self.seeds[seed][2] = item["steps"]
            for p, state in zip(group["params"], item["state"], strict=True):
                if state:
                    self.twin.state[p] = state
