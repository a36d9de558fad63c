"""Adapting a trained model that must not change: parts that grow on it, frozen as it is."""

from __future__ import annotations

import copy
import itertools
import math
import sys
import time
from pathlib import Path

import torch
from torch import nn

from esper import _esper
from esper._adapt_data import Account, Task, size_of
from esper._adapt_measure import SMALLEST, Looks, Probe, gate, mean_loss, usual_loss
from esper._adapt_parts import NAME, Adapter, Part, adapters_of, all_off, first_values
from esper._adapt_place import affordable, chosen, scores
from esper._adapt_readout import MOST, READOUT, inputs_of, readout_anchor
from esper._adapt_schedule import RATES, Budget, Rates, adamw
from esper._anchors import Observer, as_call, find_anchors
from esper._growth import growths
from esper._limits import Unsupported, check_model

MEASURE_SHARE = 0.02  # of the budget, for each kind of measurement
WIDEST = 8  # hidden units for each feature of the anchor, at most
SEARCH_STEPS = 40  # of each rate that is tried, at most
CLIP = 1.0


def adapt(model, example, *, optimizer=None, lr=None, epochs=None, budget=None, parameters=0.25,
          anchors=None, name="adapter", places=1, readout=True, mixing=None, seed=0, quiet=False):
    """Adapts a trained model to new data without changing it; returns its `Adaptation`.

        grown = esper.adapt(model, images, epochs=3)
        grown.fit(train_loader, F.cross_entropy, probe=held_out_loader)
        grown.save("mine.esper")
        with grown.off():
            model(images)                     # the model as it was, to the last bit

    The model is frozen and put into evaluation mode: no gradient flows below the new part, none
    into the model's own weights, batch norms and dropout do what they do in evaluation.

    model: any torch.nn.Module. example: what it is called with, batch first (see `wrap`).
    optimizer: a function from a list of parameters to an optimizer, whose rates are full rates:
        they are warmed up and fall to zero over the last 60 % of the budget. lr: the same with
        AdamW. Without either, a few rates are tried for a moment and the best goes on; a new part
        wants several times the rate at which one would fine-tune the model.
    epochs, or budget: floating-point operations (3e12) or a time ("30m"), measuring included.
    parameters: of the new part: a share of the model's, or a number.
    anchors: globs of module names where it may sit (default: the model's blocks).
    places: how many parts share those parameters; the second one is placed when the first has been
        trained for a part of the budget.
    readout: whether the weight of the model's last linear layer is changed as well, where that takes
        no more than half of the parameters: what the model has never had to tell apart, a branch
        further down cannot make its last layer tell apart.
    mixing: whether a branch at tokens sees, beside a token, the three before it: of small texts that is
        worth more than width. Not by default where the model has a `generate` method: that may keep
        what it computed for earlier tokens and run the branch on the last one alone.
    name: of the adapter; with a number where the model has one of that name.
    Raises `esper.Unsupported` for replicas (DDP, FSDP), a PeftModel and a model that grows.
    """
    check_model(model)
    if (growth := growths.get(model, lambda: None)()) is not None:
        raise Unsupported(f"adapting a model that grows ({growth}): its host has to stand still; call "
                          "esper.unwrap(model) first")
    if optimizer is not None and lr is not None:
        raise ValueError("give optimizer= or lr=, not both")
    if isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError("optimizer= has to make an optimizer for parameters that are not there yet, "
                        "e.g. optimizer=lambda p: torch.optim.AdamW(p, lr=5e-3)")
    if not NAME.fullmatch(name):
        raise ValueError(f"name={name!r}: letters, digits, - and _, at most 64, a letter first")
    size = sum(p.numel() for p in model.parameters())
    wanted = int(parameters if parameters > 1 else parameters * size)
    if wanted < 1:
        raise ValueError(f"parameters={parameters}: expected a share of the model's {size:,} "
                         "parameters (0.25) or a number of them")
    args, kwargs = as_call(example)
    observer = Observer(model).run(args, kwargs)
    found = find_anchors(model, observer, anchors)
    make = optimizer or (adamw(lr) if lr is not None else None)
    last = readout_anchor(model, observer) if readout else None
    if mixing is None:
        mixing = not callable(getattr(model, "generate", None))
    return Adaptation(model, found, observer, name, wanted, make, Budget(epochs, budget), places, last,
                      mixing, seed, quiet)


class Adaptation:
    """Parts that adapt one frozen model, and their training; made by `esper.adapt`."""

    def __init__(self, model, anchors, observer, name, wanted, make, budget, places, last, mixing,
                 seed, quiet):
        self.model, self.anchors = model, anchors
        self.host_parameters = sum(p.numel() for p in model.parameters())
        self.wanted, self.places, self.seed, self.quiet = wanted, places, seed, quiet
        self._mixing = mixing
        self._last = last  # the layer that a readout changes
        self.account, self.budget = Account(), budget
        self.gains, self.tried_rates = [], {}  # what was measured before training
        self.verdict = None  # of the gate
        self.losses = {}  # "new", "new, host", "old", "old, host"
        self.rate = None
        self.looks = []  # (share of the budget, loss of the choosing examples)
        self._smallest = SMALLEST
        self.steps, self.train_seconds = 0, 0.0
        self._flops = observer.flops / max(observer.batch, 1)  # of the host, one example forward
        self._make = make
        self._rates = Rates(make) if make else None
        self._task = self._step_examples = None
        for other in adapters_of(model):
            other.enabled = False
        self._required = [(p, p.requires_grad) for p in model.parameters()]
        self._modes = [(m, m.training) for m in model.modules()]
        self._freeze(True)
        model.eval()
        self._guard = model.register_forward_pre_hook(_StaysInEvaluation())
        taken = {a.name for a in adapters_of(model)}
        counted = (f"{name}{i}" for i in itertools.count(2))
        self.adapter = Adapter(model, next(n for n in itertools.chain([name], counted)
                                           if n not in taken))
        self.adapter.switched = self._freeze

    def __repr__(self):
        return f"<esper.Adaptation of {type(self.model).__name__}: {self.adapter}>"

    # --- the whole of it in one call ---

    def fit(self, data, loss=None, *, probe=None, old=None):
        """Places the part, trains it, measures it, keeps it or switches it off; returns self.

        data: batches (input, target), or mappings of keyword arguments; re-iterable for `epochs`.
        loss: `loss(output, target)`, a mean over examples; for mappings `loss(output, batch)`, or
            nothing where the model itself returns one.
        probe: held-out batches. Half of their examples choose (the rate, when to stop), the other
            half decides whether the part is kept; without a probe it is kept unmeasured.
        old: held-out batches of what the model was trained for: their loss is reported, on and off.
        """
        held_out = Probe(probe) if probe is not None else None
        if self.budget.epochs and not self.budget.steps and hasattr(data, "__len__"):
            self.budget.steps = self.budget.epochs * len(data)
        stream = self._stream(data)
        first = list(itertools.islice(stream, 2))
        if not first:
            raise ValueError("there is no batch to train on")
        self.place(first, loss)
        stream = itertools.chain(first, stream)
        if self._rates is None:
            self._find_rate(stream, held_out)
        looks = self._looks(held_out) if held_out else None
        later = [(i + 1) / (self.places + 1) for i in range(self.places - 1)]
        began = time.monotonic()
        for batch in stream:
            if (share := self.share) >= 1:
                break
            if later and share >= later[0]:
                later.pop(0)
                self._germinate([batch])
            self._train(batch)
            if looks and looks.due(self.share) and looks.look(self.share):
                if looks.go_back() and self._rates.lower():
                    self._say(f"the probe's loss was best at {looks.best:.4f}: back to there, and on at "
                              "a third of the rate")
                    continue
                self._say(f"stopped early: the probe's loss was best at {looks.best:.4f}")
                break
        if looks and looks.planned:
            if looks.due(self.share):
                looks.look(self.share)
            looks.restore()
        self.train_seconds += time.monotonic() - began
        self.looks = looks.seen if looks else []
        return self.finish(held_out, old)

    # --- or in steps of one's own ---

    def place(self, batches, loss=None):
        """Measures where a part gains most, on a few batches, and puts it there. `loss` as for `fit`.
        Afterwards `model(x)` runs with the part, which begins as no change at all."""
        self._task = Task(self.model, loss)
        self._germinate(list(batches))
        if self._rates is not None:
            self._rates.add(self.adapter.parameters())
        return self

    def step(self, loss):
        """Backward pass, clipping to norm 1, one step of the parts' optimizer at the rate that the
        schedule has there, and their gradients set to none: call it with the loss of
        `model(x)`, in place of all of these."""
        if not self.adapter.parts:
            raise RuntimeError("call place(batches, loss) first: no part has been placed")
        if self._rates is None:
            raise RuntimeError("a loop of your own needs lr= or optimizer=; fit() finds a rate itself")
        loss.backward()
        self._update()
        self.account.charge("train", self.account.cost("train step", self._step_examples) or 0.0)
        return self.share

    @property
    def share(self):
        """Of the budget, 0 … 1."""
        return self.budget.share(self.steps, self.account)

    def finish(self, probe=None, old=None):
        """Measures the parts behind the gate and prints the result; see `fit`."""
        if not self.adapter.parts:
            raise RuntimeError("nothing has been placed: call fit(), or place() and step()")
        if self._guard is not None:
            self._guard.remove()
            self._guard = None
        if probe is not None:
            held_out = probe if isinstance(probe, Probe) else Probe(probe)
            self.adapter.enabled = True
            usual = usual_loss(self._task, self.adapter, held_out.choosing, self.account)
            self.verdict = gate(self._task, self.adapter, held_out.deciding, self.account, self.seed,
                                smallest=self._smallest, usual=usual)
            self.adapter.enabled = self.kept
            self._losses("new", held_out.deciding)
        if old is not None:
            self._losses("old", old)
        self._say(self.summary())
        return self

    @property
    def kept(self):
        """Whether the gate kept the parts; None where nothing was measured."""
        return None if self.verdict is None else self.verdict["verdict"] == "keep"

    # --- on and off ---

    @property
    def enabled(self):
        """Whether the model runs with the parts. Off, nothing of them is in it."""
        return self.adapter.enabled

    @enabled.setter
    def enabled(self, on):
        self.adapter.enabled = on

    def off(self):
        """`with grown.off():` runs the untouched model."""
        return self.adapter.off()

    def parameters(self):
        """Of the parts, the only ones that train."""
        return self.adapter.parameters()

    # --- files and plain PyTorch ---

    def save(self, file, purpose=""):
        """One safetensors file: the parts, what they are, and which model they are for.
        purpose: a line for people about what they were trained on."""
        from esper._adapt_files import write
        write(self.adapter, file, purpose, {k: v for k, v in self.losses.items()})

    def unwrap(self, adapted=True):
        """The model as plain PyTorch: with the parts as modules in `model.grown`, or as it was. What
        required gradients before does again."""
        self._release()
        if adapted and self.adapter.parts:
            from esper._live import free_name
            self.adapter.merge(free_name(self.model))
        self.adapter.forget()
        return self.model

    def export(self, folder):
        """The same, and writes `grown.py` (plain PyTorch: `grow(model)` puts the parts into a freshly
        built model) and `model.safetensors`, which a process without Esper loads."""
        from safetensors.torch import save_model

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._release()
        made = self.adapter.merge("grown", folder)
        (folder / "grown.py").write_text("".join(_lines_of(made)))
        self.adapter.forget()
        save_model(self.model, str(folder / "model.safetensors"))
        return self.model

    # --- what came of it ---

    def summary(self):
        """A few lines: what was placed where and why, losses, cost, and what others would train."""
        parts = self.adapter.parts
        lines = ["; ".join(_said(p) for p in parts)
                 + f": {self.adapter.parameter_count:,} parameters trained, "
                   f"{self.adapter.parameter_count / self.host_parameters:.1%} of the host's "
                   f"{self.host_parameters:,}; full fine-tuning trains all of these, LoRA of rank 16 "
                   f"on its linear layers {lora_parameters(self.model, 16):,}"]
        if self.gains:
            best = ", ".join(f"{g['blueprint']} at {g['anchor'].name} {g['gain']:.4f}"
                             for g in self.gains[:3])
            lines.append(f"predicted gains: {best} (the best of {len(self.gains)})")
        if self.verdict is not None:
            v = self.verdict
            lines.append(f"gate: {v['verdict']}: saves {v['mean']:.4f} of loss an example "
                         f"[{v['lower']:.4f}, {v['upper']:.4f}] on {v['examples']} held-out examples"
                         + ("" if self.kept else "; the parts are switched off"))
        if "new" in self.losses:
            lines.append(f"new loss {self.losses['new']:.4f} (host {self.losses['new, host']:.4f})")
        if "old" in self.losses:
            lines.append(f"old loss {self.losses['old, host']:.4f} off (the host, unchanged), "
                         f"{self.losses['old']:.4f} on")
        rate = f", rate {self.rate:g}" if self.rate else ""
        lines.append(f"{self.steps} steps in {self.train_seconds:.1f} s{rate}; "
                     f"{self.account.total:.3g} floating-point operations, "
                     f"{self.account.measuring / max(self.account.total, 1):.1%} of them measuring")
        return "\n".join(lines)

    # --- inside ---

    def _say(self, text):
        if not self.quiet:
            print("\n".join(f"esper: {line}" for line in text.splitlines()), file=sys.stderr)

    def _release(self):
        if self._guard is not None:
            self._guard.remove()
            self._guard = None
        self._freeze(False)
        for module, mode in self._modes:
            module.training = mode

    def _freeze(self, on):
        """With the parts on, the host's weights take no gradient; off, they are as they were given:
        PyTorch chooses kernels by that, so the host's last bits hang on it."""
        for p, required in self._required:
            p.requires_grad_(required and not on)

    def _stream(self, data):
        """Batches, epoch after epoch; a generator once."""
        epochs = itertools.count() if not self.budget.epochs else range(math.ceil(self.budget.epochs))
        for epoch in epochs:
            seen = 0
            for batch in data:
                seen += 1
                yield batch
            if not seen:
                return
            if self.budget.epochs and not self.budget.steps:
                self.budget.steps = int(self.budget.epochs * seen)

    def _germinate(self, batches):
        """Puts another branch where it gains most now; before the first one, the readout."""
        branches = len(self.adapter.parts) - any(p.blueprint == READOUT for p in self.adapter.parts)
        readout = None if branches else self._readout()
        before = self.adapter.parameter_count + (readout.parameters if readout else 0)
        free = (self.wanted - before) // max(self.places - branches, 1)
        choices = [(a, kind) for a in self.anchors
                   for kind in _esper.adapters_to_try(a.kind, self._mixing)]
        spend = (total := self._total(size_of(batches[0]))) and MEASURE_SHARE * total
        last = readout and readout.anchor
        choices, examples = affordable(choices, self._flops, spend, last)
        self.gains, base = scores(self._task, choices, batches, self.account,
                                  spend and self.account.measuring + spend, examples, self.seed, last)
        if not self.gains:
            raise ValueError("no gradient of the loss reaches any of the places: "
                             + ", ".join(a.name for a in self.anchors[:5]))
        best = chosen(self.gains, self.anchors, self._steps(size_of(batches[0])))
        part = Part(f"part{branches + 1}", best["anchor"], best["blueprint"], 1)
        part = Part(part.name, part.anchor, part.blueprint, self._width(part, free))
        self.adapter.append(part, first_values([part], self.seed))
        if readout:
            self.adapter.append(readout, first_values([readout], self.seed))
        self.adapter.enabled = True
        if branches and self._rates is not None:
            self._rates.add(self.adapter.modules[part.name].parameters())
        n = sum(map(size_of, batches[:1]))
        self._step_examples = n
        self.account.run("train step", n, lambda: self._task.loss(batches[0]).backward())
        for p in self.adapter.parameters():
            p.grad = None
        self._say(f"{'; '.join(_said(p) for p in self.adapter.parts)}: predicted gain "
                  f"{best['gain']:.4f} of a loss of {base:.4f}")

    def _readout(self):
        """The change of the last layer's weight, where it is affordable."""
        if self._last is None:
            return None
        part = Part(READOUT, self._last, READOUT, inputs_of(self.model, self._last))
        return part if part.parameters <= MOST * self.wanted else None

    def _width(self, part, free):
        """Hidden units for so many parameters, a multiple of eight where that is possible."""
        one = Part(part.name, part.anchor, part.blueprint, 2).parameters - part.parameters
        width = min((free - (part.parameters - one)) // one, WIDEST * part.features)
        if width < 1:
            raise ValueError(f"{self.wanted:,} parameters are too few for a part at "
                             f"{part.anchor.name}, which takes {part.parameters:,} or more: give a "
                             "larger parameters=")
        return width - width % 8 if width >= 8 else width

    def _train(self, batch):
        self.account.run("train step", size_of(batch), lambda: self._task.loss(batch).backward())
        self._update()

    def _update(self):
        torch.nn.utils.clip_grad_norm_(list(self.adapter.parameters()), CLIP)
        self.steps += 1
        self._rates.step(self.share)

    def _total(self, examples):
        """Operations of the whole budget, None where it is a time. examples: of one step; before one
        has been counted, it is taken for three passes forward."""
        if self.budget.flops or not self.budget.steps:
            return self.budget.flops
        step = self.account.cost("train step", examples) or 3 * self._flops * examples
        return self.budget.steps * step or None

    def _steps(self, examples):
        """About how many steps the whole budget pays for, None where it is a time."""
        step = 3 * self._flops * examples
        return self.budget.steps or (self.budget.flops and step and self.budget.flops / step) or None

    def _looks(self, held_out):
        """Plans what is measured on the way and at the end; of a budget in FLOPs the end's part is
        put aside."""
        total = self._total(self._step_examples)
        if total and 2 * SMALLEST * self._flops > MEASURE_SHARE * total:
            self._smallest = SMALLEST // 2
        if self.budget.flops:
            n = min(self._smallest, held_out.decides())
            self.budget.reserved = min(2 * n * self._flops, 0.1 * total)
        return Looks(self._task, self.adapter, held_out.choosing, self.account,
                     MEASURE_SHARE * total if total else None, self._flops)

    def _find_rate(self, stream, held_out):
        """Tries rates for a few steps each on the same batches; the best goes on from where it is."""
        left = self.budget.steps_left(0, self.account, self.account.cost("train step",
                                      self._step_examples), None)
        steps = int(min(SEARCH_STEPS, max(5, (left or 1000) * MEASURE_SHARE)))
        batches = list(itertools.islice(stream, steps))
        judge = held_out.choosing if held_out else list(itertools.islice(stream, 2)) or batches
        start = {k: v.clone() for k, v in self.adapter.state_dict().items()}
        done = {}

        def at(rate):
            self._restore(start)
            rates = Rates(adamw(rate))
            rates.add(self.adapter.parameters())
            self._rates = rates
            before = self.steps
            for batch in batches:
                self._train(batch)
            self.steps = before
            loss = mean_loss(self._task, judge, self.account, 128)
            done[rate] = (loss if math.isfinite(loss) else math.inf, rates,
                          copy.deepcopy(self.adapter.state_dict()))

        for rate in RATES[1:]:
            at(rate)
        if min(done, key=lambda r: done[r][0]) == RATES[1]:
            at(RATES[0])
        self.rate = min(done, key=lambda r: done[r][0])
        self.tried_rates = {rate: d[0] for rate, d in done.items()}
        _, self._rates, values = done[self.rate]
        self._restore(values)
        self._rates.make = adamw(self.rate)
        self.steps += len(batches)

    @torch.no_grad()
    def _restore(self, values):
        for part, module in self.adapter.modules.items():
            for name, parameter in module.named_parameters():
                parameter.copy_(values[f"{part}.{name}"])

    def _losses(self, name, batches):
        batches = list(batches)
        with all_off(self.model):
            self.losses[f"{name}, host"] = mean_loss(self._task, batches)
        was, self.adapter.enabled = self.adapter.enabled, True
        self.losses[name] = mean_loss(self._task, batches)
        self.adapter.enabled = was


def lora_parameters(model, rank):
    """What LoRA of this rank trains on a model's linear layers."""
    total = 0
    for m in model.modules():
        if isinstance(m, nn.Linear):
            total += rank * (m.in_features + m.out_features)
        elif type(m).__name__ == "Conv1D":  # of transformers: a linear layer, transposed
            total += rank * sum(m.weight.shape)
    return total


def _said(part):
    if part.blueprint == READOUT:
        return f"readout of {part.width} features at {part.anchor.name}"
    return f"{part.blueprint} of {part.width} units at {part.anchor.name}"


def _lines_of(module):
    import linecache
    return linecache.cache[module.__file__][2]


class _StaysInEvaluation:
    """Before each pass while parts train: somebody's model.train() would move the host's batch norms
    and switch its dropout on."""

    def __call__(self, module, args):
        if module.training or any(m.training for m in module.modules()):
            module.eval()
