"""What has grown, in words and figures."""

from __future__ import annotations

import json
import math
import time

import torch


class Report:
    """The part of `Growth` that tells what there is."""

    @property
    def seeds(self):
        """The slots as a list of dicts: anchor, state, seed, blueprint, alpha, …"""
        return self._native.slots() if self._native else []

    @property
    def program(self):
        """Anchors and seeds as a `Program`; its hash names what has grown."""
        return self._native.program if self._native else self.anchors and self._host

    @property
    def counts(self):
        """How many seeds germinated, fossilized (kept), culled, …"""
        if self._native is None:
            return dict.fromkeys(("germinated", "fossilized", "culled", "cancelled"), 0)
        return self._native.counts()

    @property
    def waiting_for(self):
        """Why nothing germinated at the last `epoch`, one sentence; empty where something did."""
        if self._widening.active:
            return "" if self._widening.kept else self._widening.why
        return self._native.waiting_for if self._native else ""

    def parameters(self):
        """Parameters of all awake and kept seeds."""
        for scope in self._live.seeds.values():
            yield from scope.parameters()

    def summary(self):
        """One sentence about what has grown, and why not more."""
        counts = self.counts
        if self._widening.active and not counts["germinated"]:
            if not self.train_losses and self._widening.steps == 0:
                return "nothing grew: growth.step() and growth.epoch() were not called"
            return self._widening.summary(self._parameters)
        done = (f"{counts['germinated']} seeds germinated, {counts['fossilized']} kept, "
                f"{counts['culled']} culled; {self._parameters:,} parameters grew to "
                f"{self._parameters + sum(p.numel() for p in self.parameters()):,}")
        why = "" if counts["fossilized"] else self._why_nothing()
        return f"{done}; nothing was kept: {why}" if why else done

    def _why_nothing(self):
        """Why no seed has been kept so far, as far as it is known."""
        if not self.train_losses:
            return ("growth.epoch() was not called" if not self.counts["germinated"]
                    else "growth.epoch(), which measures seeds, was not called")
        if not self.counts["germinated"]:
            return self.waiting_for or "no boundary between epochs was worked through"
        last = next((e["reason"] for e in reversed(self.events)
                     if e["event"] == "decision" and e["command"].lower() == "cull"), "")
        if last:
            return f"the last one culled because {last}"
        states = sorted({s["state"] for s in self.seeds if s["seed"]})
        return f"seeds are still {', '.join(states)}" if states else ""

    def _record(self):
        if self.run is None:
            return
        flops = self._native.forward_flops * self._widening.dearer()
        step, epoch = self._native.steps, len(self.train_losses)
        parameters = sum(p.numel() for p in self.model.parameters())
        self._native.metrics([
            ("epoch", epoch), ("step", step), ("train_loss", self.train_losses[-1]),
            ("val_loss", self.validation_losses[-1]), ("parameters", parameters),
            ("flops_per_example", flops), ("seconds", time.monotonic() - self._started)])
        done = epoch >= self.epochs
        number = lambda x: x if math.isfinite(x) else None
        self._native.write_run(json.dumps({
            "status": "done" if done else "running", "name": self.config.name,
            "seed": self.config.seed, "epochs": epoch, "steps": step,
            "train_loss": number(self.train_losses[-1]),
            "val_loss": number(self.validation_losses[-1]), "parameters": parameters,
            "parameters_initial": self._parameters, "flops_per_example": flops,
            "wall_seconds": time.monotonic() - self._started, "seeds": self.counts,
            "wider": self._widening.report(),
            "program_sha256": self.program.hash, "path": self.path,
            "versions": {"esper": _version(), "torch": torch.__version__}}))


def _version():
    from esper import __version__
    return __version__
