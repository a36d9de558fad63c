"""Seeds' parameters in the user's optimizer; the state of everything else stays as it is."""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict

import torch


def inner(optimizer):
    """The torch optimizer inside a wrapper (Accelerate, Lightning), or itself. A wrapper may call
    itself an optimizer, too, and only pass on what is asked of it."""
    while isinstance(held := getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = held
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


def group_of(optimizer, parameters):
    """The group that has the first of these parameters that is in any; else the first group."""
    wanted = {id(p) for p in parameters}
    return next((g for g in optimizer.param_groups if any(id(p) in wanted for p in g["params"])),
                optimizer.param_groups[0])


class SeedGroups:
    """One parameter group a seed, with the settings of the group that its anchor's module is in and
    the rate following that group's. Where a learning-rate scheduler holds the optimizer, whose
    groups it counts, the parameters join the module's own group instead."""

    def __init__(self, optimizer, newborn):
        self.optimizer = inner(optimizer)
        self.rate, self.rate_steps = newborn
        # seed -> [first parameter of its group, of the host's group, steps learned]. Not the groups
        # themselves: an optimizer that loads a state makes new ones.
        self.groups = {}

    def add(self, seed, parameters, neighbours):
        parameters = [p for p in parameters if p.requires_grad]
        if not parameters:
            return
        host = group_of(self.optimizer, neighbours)
        if "initial_lr" in host:
            host["params"].extend(parameters)
            if "param_names" in host:
                host["param_names"].extend(f"grown.{seed}.{i}" for i in range(len(parameters)))
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
        for group in self.optimizer.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in gone]
        self.optimizer.param_groups[:] = [
            g for g in self.optimizer.param_groups if g["params"]]
        for p in parameters:
            self.optimizer.state.pop(p, None)

    def follow(self, ramping):
        """Rates and weight decay of the coming step; `ramping`: seeds that must not decay."""
        first = {id(g["params"][0]): g for g in self.optimizer.param_groups}
        for seed, item in self.groups.items():
            newborn, neighbour, steps = item
            group, host = first[id(newborn)], first[id(neighbour)]
            factor = self.rate if steps < self.rate_steps else 1.0
            group["lr"] = host["lr"] * factor
            if "weight_decay" in host:
                group["weight_decay"] = 0.0 if seed in ramping else host["weight_decay"]
            item[2] = steps + 1


# What a learning-rate scheduler may change in a group.
SCHEDULED = ("lr", "weight_decay", "momentum", "betas")


class Apart:
    """Steps seeds in isolation by the rules of the user's optimizer, which does not know of them: an
    optimizer of the same kind beside it, with the settings of the neighbours' group and a state of
    its own, which goes along when a seed joins."""

    def __init__(self, optimizer, newborn):
        self.optimizer = inner(optimizer)
        self.rate, self.rate_steps = newborn
        self.seeds = {}  # seed -> its group, which is in no optimizer, its neighbour, steps learned
        self.twin = object.__new__(type(self.optimizer))
        self.twin.__dict__.update(self.optimizer.__dict__)
        self.twin.__dict__.pop("step", None)  # where a scheduler counts the steps of the original
        for name, value in self.optimizer.__dict__.items():
            if name.startswith("_optimizer_") and isinstance(value, OrderedDict):
                self.twin.__dict__[name] = OrderedDict()  # the user's hooks
        self.twin.state = defaultdict(dict)
        self.twin.param_groups = []

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
