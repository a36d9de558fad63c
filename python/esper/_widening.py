"""Whether a model's hidden layers become wider: raced against a wider copy, early, and measured."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import nn

from esper import _esper
from esper._account import Account
from esper._again import passes_of
from esper._compiled import uncompiled
from esper._layers import inputs_of, units_of
from esper._limits import Followers
from esper._pairs import find_pairs
from esper._statistics import BATCHES, buffers_kept, draws_kept, modes_kept
from esper._wide import Wide, give_sizes, growths, mergeable, sizes_now

FACTORS = (1.5, 1.4, 1.3, 1.2, 1.1)
# What a wider step may cost more than a step: as FLOPs, where a layer costs as much time as so many.
COST, LAYER_FLOPS = 0.25, 2e6
# Steps that the copy trains beside the model between two looks (or a share of the run), and looks.
STRETCH, OF_RUN, LOOKS = 40, 0.01, 3
FEWEST = 30
# More parameters than there are targets: fine for so many passes over them, no more.
FEW_EPOCHS = 4
CONFIRMED_BY = 4  # a keep is final; it needs so many times the examples that decided it first
COPIES = 6  # of the model's parameters that a trial holds: the copy's, its optimizer's, two averages


class Widening:
    """One trial a run. A copy of the model with wider layers trains beside it on the same batches for a
    while; the model cannot notice. Both are compared on the probe, and the model becomes the copy where
    the gate says keep. Compared are averages over their last steps: at a high learning rate one step
    alone says little."""

    def __init__(self, growth, active):
        self.growth, self.model, self.config = growth, growth.model, growth.config
        self.account = Account(self.config.measure_share)
        self.active = active
        self.waits = active  # for the trial, or for its end
        self.steps = 0
        self.why = ("no wider copy has been tried yet" if active else
                    "" if self.config.grows else "growth.enabled is false")
        self.kept = None  # what became wider
        self.trial = self.wide = self._saved = None
        self.decisions = []

    # --- in the training loop ---

    def step(self, again):
        self.steps += 1
        if self.growth.steps_per_epoch is None:
            return
        self.account.steps = self.growth.steps_per_epoch * self.growth.epochs
        with torch.inference_mode(False):
            if self._saved is not None:
                self._go_on()
            if self.trial is not None:
                self._train(again)
            elif self._is_time(self.steps):
                self._begin(again)

    def asks_next(self):
        """Whether the next step may need its batch's loss once more."""
        if not self.waits or self.growth.steps_per_epoch is None:
            return False
        return self.trial is not None or self._saved is not None or self._is_time(self.steps + 1)

    def _is_time(self, step):
        length = self.growth.steps_per_epoch
        if step <= self.config.window[0] * length * self.growth.epochs:
            return False
        if self.growth._probe is None and not self.growth.train_losses:
            return False  # it may come with the first epoch()
        return length == 1 or step % length != 0  # an epoch's last batch may be a small one

    def _end(self, command, why, evidence):
        self.waits, self.trial, self.wide, self.why = False, None, None, why
        self.growth._statistics.watch(False)
        if not self.growth._live.seeds:
            self.growth._statistics.forget()
        self.decisions.append({"event": "decision", "command": command, "anchor": "", "blueprint": "",
                               "reason": why, "evidence": evidence, "step": self.steps})
        self.growth._sleep()

    def _leave(self, why, **evidence):
        """Nothing becomes wider in this run."""
        self._end("leave", why, evidence)

    # --- the trial ---

    def _begin(self, again):
        why = self._hindrance(again)
        if why:
            return self._leave(why)
        with self.account.pays(1 / 3):
            passes = passes_of(again)
            try:
                found = find_pairs(self.model, passes[0])
            except ValueError as none:
                return self._leave(str(none))
        found.batch *= len(passes)
        found.positions = {name: n * len(passes) for name, n in found.positions.items()}
        if not found.pairs:
            return self._leave("no hidden layer was found that can be made wider: one that linear or "
                               "convolution layers make and a single other one reads")
        sure = [pair for pair in found.pairs if pair.is_sure]
        for pairs in (found.pairs, sure) if 0 < len(sure) < len(found.pairs) else (found.pairs,):
            why = self._start(replace(found, pairs=pairs), again)
            if not why:
                return None
        return self._leave(why)

    def _start(self, found, again):
        """Begins the trial of a copy in which these hidden layers are wider, or says why it does not."""
        sizes, more, flops, dearer = self._sizes(found)
        if sizes is None:
            return f"even slightly wider layers would make a step more than {100 * COST:.0f} % dearer"
        parameters = round(self.growth._parameters * (1 + more))
        values = min(found.positions.values()) * self.growth.steps_per_epoch
        if parameters > values and self.growth.epochs > FEW_EPOCHS:
            return (f"with wider layers the model would have {parameters:,} parameters for the "
                    f"{values:,} outputs that an epoch is learned from: in {self.growth.epochs} epochs "
                    "it would learn them by heart")
        if not mergeable(self.growth._groups.optimizer, self.model, sizes):
            return "the optimizer does not keep one number for each of the hidden layers'"
        plan = self._plan(found, dearer)
        if plan["passes"] < FEWEST:
            return (f"trying a wider copy costs as much as {plan['least']:.0f} steps, and measuring may "
                    f"cost {100 * self.account.share:g} % of the run's {self.account.steps} "
                    "(growth.measure_share)")
        wide = Wide(self.model, sizes, self.growth._groups.optimizer, self.config.seed)
        with self.account.pays(2 / 3):
            wrong = self._changes(wide, again)
        if wrong:
            return f"the model does not take wider layers: {wrong}"
        self.trial = {**plan, "sizes": sizes, "more": more, "flops": flops,
                      "dearer": dearer, "done": 0, "looks": 0, "batch": found.batch,
                      "layers": [first for pair in found.pairs for first in pair.firsts]}
        self._adopt(wide)
        return ""

    def _adopt(self, wide):
        self.wide, self.why = wide, "a wider copy is being tried"
        self.followers = Followers(self.model)
        self.growth._statistics.watch(True)

    def _hindrance(self, again):
        growth = self.growth
        if again is None:
            return ("growth.step() was not given again=, a function that computes the batch's loss once "
                    "more; no wider copy can be tried without it")
        if growth._groups is None:
            return "there is no optimizer: give one to esper.wrap or to growth.attach"
        if growth._probe is None:
            return ("there are no held-out examples to measure with: give esper.wrap or growth.epoch a "
                    "probe (esper.probe makes one)")
        if growth.path != "hook":
            return "the library runs this model as it was exported; only on path=hook layers get wider"
        if growth._live.seeds or growth._splits.shares:
            return "there are seeds or split blocks in the model that were made by hand"
        if self.steps > self.config.window[1] * self.account.steps:
            return "growth.stop is over"
        if not _has_memory(self.model):
            return f"the device has no memory for {COPIES} copies of the parameters"
        return ""

    def _plan(self, found, dearer):
        """How long the copy trains and how many examples are looked at, as far as the account pays."""
        smallest = self.config.gate[1]
        each = (2 + dearer) / (3 * found.batch)  # a look's price for one example
        settle = 2 * BATCHES / 3 if self.growth._statistics._norms else 0
        left = self.account.balance - 2 / 3 - 2 * settle
        stretch = max(STRETCH, OF_RUN * self.account.steps)
        looks = min(LOOKS, int(left / (stretch * (1 + dearer) + each * smallest + settle)))
        passes = looks * stretch if looks else (left - 2 * each * smallest) / (1 + dearer)
        # What is left goes to the looks, alike.
        spare = left - passes * (1 + dearer) - looks * (each * smallest + settle)
        more = max(0, int(spare / each / looks)) if looks else smallest
        return {"passes": int(passes), "planned": max(looks, 1), "each": each, "settle": settle,
                "examples": min(smallest + more, 2 * CONFIRMED_BY * smallest),
                "least": FEWEST * (1 + dearer) + 2 * each * smallest + 2 * settle + 1}

    def _sizes(self, found):
        """(by module how much it grows, parameters and FLOPs more, relatively, by how much a step is
        dearer) of the widest copy that may be tried."""
        layer = self.model.get_submodule
        flops = {name: 6 * n * layer(name).weight.numel() for name, n in found.positions.items()}
        whole = sum(flops.values()) + LAYER_FLOPS * len(flops)
        for factor in FACTORS:
            sizes, extra, parameters = growths(found.pairs, factor), 0, 0
            for name, (more_out, more_in, norm) in sizes.items():
                if norm:
                    parameters += 2 * more_out
                    continue
                outputs, inputs = units_of(layer(name)), inputs_of(layer(name))
                grown = (1 + more_out / outputs) * (1 + more_in / inputs) - 1
                extra += flops[name] * grown
                parameters += layer(name).weight.numel() * grown + more_out
            if extra <= COST * whole:
                return (sizes, parameters / max(self.growth._parameters, 1),
                        extra / max(sum(flops.values()), 1), extra / whole)
        return None, 0, 0, 0

    def _changes(self, wide, again):
        """What is wrong with the wide layers; at first they must change nothing."""
        losses = []
        with buffers_kept(self.model), modes_kept(self.model), torch.no_grad(), uncompiled():
            for module in self.model.modules():
                if isinstance(module, nn.modules.dropout._DropoutNd):
                    module.eval()
            with draws_kept(self.model):
                losses.append(float(again()))
            with draws_kept(self.model), wide.in_place():
                try:
                    losses.append(float(again()))
                except (RuntimeError, ValueError, IndexError) as error:
                    return str(error).split("\n")[0]
        if abs(losses[1] - losses[0]) > 1e-3 * abs(losses[0]) + 1e-5:
            return f"its loss changes from {losses[0]:.6g} to {losses[1]:.6g}"
        return ""

    def _train(self, again):
        trial = self.trial
        if again is None:
            return self._leave("growth.step() was no longer given again= while a wider copy was tried")
        if not self._can_pay(passes=1, examples=trial["examples"]):
            return self._look(trial["examples"], last=True)
        with self.account.pays(1 + trial["dearer"]), buffers_kept(self.model), \
                draws_kept(self.model), self.growth._statistics.second_pass(), \
                torch.enable_grad(), uncompiled():
            self.wide.step(again)
        trial["done"] += 1
        stretch = trial["passes"] // trial["planned"]
        if trial["done"] >= trial["passes"]:
            self._look(trial["examples"], last=True)
        elif trial["done"] % stretch == 0:
            self._look(trial["examples"], last=False)
        elif trial["done"] % stretch == stretch // 2:
            self.wide.average()

    # --- the gate ---

    def _can_pay(self, passes, examples):
        trial = self.trial
        price = passes * (1 + trial["dearer"]) + trial["settle"] + examples * trial["each"]
        return price <= self.account.balance

    def _look(self, most, last):
        if self.wide.averages is None or not self._can_pay(0, most):
            return self._leave("what measuring may cost (growth.measure_share) was spent before a wider "
                               "copy could be compared with the model")
        differences = self._differences(most)
        result = self._judged(differences)
        confirming = CONFIRMED_BY * result["examples"]
        if result["verdict"] == "keep" and not last:
            if confirming > len(differences) == most:  # there may be more of them
                if not self._can_pay(0, confirming):
                    return None
                differences = self._differences(confirming)
            result = self._judged(differences, min(confirming, len(differences)))
        evidence = {k: result[k] for k in ("mean", "lower", "upper", "examples", "rent")}
        if result["verdict"] == "keep":
            self._keep(result, evidence)
        elif last and result["verdict"] == "cull":
            self._leave(f"a copy with {self._named()} saved at most {result['upper']:.3g} of loss per "
                        f"held-out example, less than its rent of {result['rent']:.3g}", **evidence)
        elif last:
            self._leave(f"that a copy with {self._named()} saves more than its rent of "
                        f"{result['rent']:.3g} of loss per example could not be shown on "
                        f"{result['examples']} held-out ones (it saved {result['mean']:.3g}, at least "
                        f"{result['lower']:.3g})", **evidence)

    def _differences(self, most):
        """Loss of the model less that of the copy, of so many held-out examples or all."""
        trial = self.trial
        trial["looks"] += 1
        with self.account.pays(trial["settle"]):
            without, with_it = (self._losses(most, side) for side in ("model", "copy"))
        self.account.spent += trial["each"] * len(without)
        order = torch.randperm(len(without), generator=torch.Generator().manual_seed(self.config.seed))
        return (without - with_it)[order].tolist()

    def _judged(self, differences, smallest=None):
        """The gate on them, which decides on no fewer than `smallest`."""
        delta, fewest, rent, rent_parameters = self.config.gate
        rent = rent * self.trial["dearer"] + rent_parameters * self.trial["more"]
        error = delta * 6 / (math.pi * self.trial["looks"]) ** 2  # of the only trial's l-th look
        return {**_esper.gate_look(differences, rent, error, smallest or fewest), "rent": rent}

    def _named(self):
        names = self.trial["layers"]
        return (f"wider {', '.join(names[:3])}{', …' if len(names) > 3 else ''}, trained for "
                f"{self.trial['done']} steps beside the model,")

    def _losses(self, most, side):
        """Of the first held-out examples, `most` or some more, by the averaged model or copy."""
        probe = self.growth._probe
        first = getattr(probe, "first", None)
        with buffers_kept(self.model), draws_kept(self.model), torch.no_grad(), uncompiled(), \
                self.wide.averaged(side):
            self.growth._statistics.recompute()
            with modes_kept(self.model):
                self.model.eval()
                losses = first(most) if first is not None else probe()
        return torch.as_tensor(losses, dtype=torch.float32).flatten().cpu()

    def _keep(self, result, evidence):
        trial = self.trial
        if self.followers.updated():
            return self._leave("another module is kept up to date with this one (an average of it, "
                               "say), and would not grow with it", **evidence)
        self.growth._parameters  # counted before they become more
        self.kept = {"layers": trial["layers"], "modules": list(trial["sizes"]), "step": self.steps,
                     "flops": trial["flops"], "before": sizes_now(self.model, list(trial["sizes"]))}
        self.wide.take_over()
        self._end("widen", f"a copy with {self._named()} saved at least {result['lower']:.3g} of loss "
                  f"per held-out example, more than its rent of {result['rent']:.3g}", evidence)

    # --- what there is ---

    def summary(self, parameters):
        """One sentence. parameters: that the model had."""
        native = self.growth._native
        cost = self.account.text(native.steps if native else self.steps)
        if self.kept is None:
            return f"nothing grew: {self.why}; {cost}"
        now = sum(p.numel() for p in self.model.parameters())
        return (f"hidden layers became wider at step {self.kept['step']}: {self.why}; "
                f"{parameters:,} parameters grew to {now:,}; {cost}")

    def report(self):
        """For run.json."""
        return {"layers": self.kept["layers"] if self.kept else [], "why": self.why,
                "measured_steps": round(self.account.spent, 3),
                "measured_seconds": round(self.account.seconds, 6)}

    def dearer(self):
        """FLOPs of an example now, relative to those at first."""
        return 1 + self.kept["flops"] if self.kept else 1.0

    def sizes(self):
        """For grown.py: what the layers that became wider look like; empty where none did."""
        return sizes_now(self.model, self.kept["modules"]) if self.kept else {}

    # --- saving ---

    def save(self):
        saved = {"waits": self.waits, "steps": self.steps, "why": self.why, "kept": self.kept,
                 "account": self.account.save(), "sizes": self.sizes(),
                 "parameters": self.growth._parameters}
        if self._saved is not None:  # loaded, and no step made since
            saved["trial"], saved["wide"] = self._saved
        elif self.trial is not None:
            saved["trial"], saved["wide"] = dict(self.trial), self.wide.save()
        return saved

    def load(self, saved):
        self.growth._parameters = saved["parameters"]
        self.waits, self.steps, self.why = saved["waits"], saved["steps"], saved["why"]
        self.account.load(saved["account"])
        before = self.kept.get("before", {}) if self.kept else {}
        give_sizes(self.model, saved["sizes"] or before)
        self.kept, self.trial, self.wide = saved["kept"], None, None
        self._saved = (saved["trial"], saved["wide"]) if "trial" in saved else None

    def _go_on(self):
        """With a trial that was saved; the model and its optimizer have been loaded by now."""
        (trial, wide), self._saved = self._saved, None
        self.trial = dict(trial)
        fresh = Wide(self.model, trial["sizes"], self.growth._groups.optimizer, self.config.seed)
        fresh.load(wide)
        self._adopt(fresh)


def _has_memory(model):
    """Whether a CUDA device has room for a trial, with as much again for the training's own use."""
    for device in {p.device for p in model.parameters() if p.is_cuda}:
        size = sum(p.numel() * p.element_size() for p in model.parameters() if p.device == device)
        if 2 * COPIES * size > torch.cuda.mem_get_info(device)[0]:
            return False
    return True
