"""The module and its optimizer become what the library has decided."""

from __future__ import annotations

import torch

from esper._shadow import MISSING, NO_OPTIMIZER, gradients
from esper._statistics import buffers_kept, modes_kept

FINITE_CHECK_STEPS = 16
BLENDED = ("STABILIZATION", "EVALUATING", "FINE_TUNING", "FOSSILIZED")


class Following:
    """The part of `Growth` that brings the module, its seeds' parameters and the optimizer's groups
    to where the library's part is, and that the library asks about the module."""

    def _sync(self):
        new, gone = self._live.follow(self._native.program, self._native)
        slots = {s["seed"]: s for s in self._native.slots() if s["seed"]}
        if self._groups is not None:
            for seed, scope in gone.items():
                if seed in self._apart.seeds:
                    self._apart.remove(seed)
                else:
                    self._groups.remove(seed, list(scope.parameters()))
            for seed in [s for s in self._apart.seeds if s not in self._live.isolated]:
                self._apart.join(seed, self._groups, self._neighbours(seed))
            for seed in new:
                self._join(seed)
        for seed, scope in self._live.seeds.items():
            slot = slots[seed]
            frozen = slot["frozen"] or (slot["state"] == "FOSSILIZED"
                                        and self.config.freeze_fossilized)
            self._freeze(seed, scope, frozen)
        self._statistics.watch(self._widening.trial is not None or any(s not in self._live.isolated
                                   and slots[s]["state"] != "FOSSILIZED" for s in self._live.seeds))
        self._grafting = any(s["state"] == "GRAFTING" for s in slots.values())
        self._ramping = {seed for seed, s in slots.items() if s["ramping"]}
        self._settled = {seed for seed, s in slots.items()
                         if s["state"] in BLENDED and not s["ramping"]}
        self._follow()
        self._copies.look(self._live.name + ".")
        self._sleep()

    def _follow(self):
        if self._groups is not None:
            self._groups.follow(self._ramping, self._settled)
        apart = self._groups is not None and self._groups.groups
        self._idle = self._live.seeds.keys() <= self._settled and not apart

    def _join(self, seed):
        parameters = list(self._live.seeds[seed].parameters())
        if seed in self._live.isolated:
            self._apart.add(seed, parameters, self._neighbours(seed))
        else:
            self._groups.add(seed, parameters, self._neighbours(seed))

    def _learn_in_shadow(self, again):
        for seed in self._live.isolated:
            if again is None or self._apart is None:
                raise ValueError((MISSING if again is None else NO_OPTIMIZER).format(
                    seed=seed, anchor=self._live.where[seed]))
            found = gradients(self._live, self._statistics, seed, again)
            if found is not None:
                self._apart.step(seed, found)

    def _freeze(self, seed, scope, frozen):
        trainable = dict(self._native.program.seeds_at(self._live.where[seed]).tensors())
        for name, parameter in scope.named_parameters():
            if trainable.get(f"seed.{seed}.{name}"):
                parameter.requires_grad_(not frozen)
                if frozen:
                    parameter.grad = None

    def _neighbours(self, seed):
        return list(self.model.get_submodule(self._live.where[seed]).parameters())

    def _care(self):
        """After a step with seeds awake: ramps, rates, and seeds that have failed."""
        if self._grafting:
            self._live.refresh_alphas()
        for copied in self._live.copies:
            copied.follow(self._live)
        self._follow()
        faulty = dict(self._live.faults)
        if self._native.steps >= self._checked + FINITE_CHECK_STEPS:
            self._checked = self._native.steps
            for seed in self._live.not_finite():
                faulty.setdefault(seed, "a parameter of it is no finite number")
        if faulty:
            for seed, reason in faulty.items():
                self._native.fault(seed, reason)
            self._live.faults.clear()
            self._sync()

    # --- asked by the library while a boundary is worked through ---

    def probe_losses(self, program):
        if self._probe is None:
            raise ValueError(
                "a seed is ready to be measured and there is no probe: give growth.epoch() (or "
                "esper.wrap) probe=, a function that returns the loss of each held-out example")
        with self._live.on_trial(program, self._native), buffers_kept(self.model), torch.no_grad():
            self._statistics.recompute()
            with modes_kept(self.model):
                self.model.eval()
                losses = self._probe()
        losses = torch.as_tensor(losses, dtype=torch.float32).flatten()
        return losses.cpu().tolist()

    def settle(self, program):
        """The model is now this one: running statistics gathered in another no longer fit it."""
        with self._live.on_trial(program, self._native):
            self._statistics.recompute()
