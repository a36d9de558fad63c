"""Seeds' parameters in the user's optimizer; the state of everything else stays as it is."""

from __future__ import annotations

import torch


def inner(optimizer):
    """The torch optimizer inside a wrapper (Accelerate, Lightning), or itself."""
    while not isinstance(optimizer, torch.optim.Optimizer) and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


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
        near = {id(p) for p in neighbours}
        host = next((g for g in self.optimizer.param_groups
                     if any(id(p) in near for p in g["params"])), self.optimizer.param_groups[0])
        if "initial_lr" in host:
            host["params"].extend(parameters)
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
