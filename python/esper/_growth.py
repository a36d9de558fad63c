"""Growing a module in the user's own training loop."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import weakref
from functools import cached_property, wraps
from pathlib import Path

import torch
from torch import nn

from esper import _esper
from esper._adapt_schedule import seconds_of
from esper._anchors import TIME_FIRST, Observer, as_call, find_anchors
from esper._limits import Copies, Unsupported, refuse_parallel, refuse_peft
from esper._live import Live
from esper._optimizer import Apart, SeedGroups, the_one
from esper._shadow import MISSING, NO_OPTIMIZER, gradients
from esper._statistics import Statistics, buffers_kept, modes_kept
from esper._twins import Splits
from esper._unwrap import unwrap_copy, write_grown
from esper._widening import Widening

FINITE_CHECK_STEPS, IDLE_CHECK_STEPS = 16, 64
BLENDED = ("STABILIZATION", "EVALUATING", "FINE_TUNING", "FOSSILIZED")


PATHS = ("auto", "hook", "export", "fastest")


def outside_inference(method):
    """What is made under torch.inference_mode can never learn, so seeds are made outside of it."""
    @wraps(method)
    def run(self, *args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return method(self, *args, **kwargs)
        with torch.inference_mode(False):
            return method(self, *args, **kwargs)
    return run


def wrap(model, example=None, optimizer=None, *, epochs=None, budget=None, steps_per_epoch=None,
         anchors=None, kinds=None, config=None, overrides=(), run=None, probe=None, path="auto",
         quiet=False):
    """Prepares a module to grow in your own training loop and returns its `Growth`.

        growth = esper.wrap(model, images, optimizer, epochs=20,
                            probe=esper.probe(model, held_out, F.cross_entropy))
        for epoch in range(20):
            for x, y in loader:
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                growth.step(loss, again=lambda: F.cross_entropy(model(x), y))
            growth.epoch(validation_loss)
        model = growth.unwrap()

    With nothing else set a copy with wider hidden layers is tried once, early, and the model becomes
    the copy where that pays; `Growth.summary()` says so, or why not. Seeds are for those who name a
    policy (controller.policy=periodic, …).

    The module stays the very object it was: a hook is placed, and parameters are added, only while
    a seed is awake.

    model: any torch.nn.Module.
    example: what the model is called with: a tensor, a tuple of arguments or a dict of keyword
        arguments, batch first; where the model's first axis turns out to be time, [T, N, …], its
        second one is taken for the batch. It is run in evaluation mode to see the shapes: once,
        and once more with an example less (or with it twice) where sequences flow. Without one, the
        next forward pass is looked on at, and wrapping takes no time whatever the model's size;
        `anchors` are known after that pass.
    optimizer: the optimizer that newborn parameters join, or a list of them, of which one has to
        train all places for seeds. Without one, give each optimizer you make to `growth.attach`.
    epochs: how many times `growth.epoch` will be called (default: the configuration's run.epochs).
    budget: instead of epochs, how long your loop will train from now on: "90s", "30m", "2h". How many
        epochs that is, is estimated from the first one's time.
    steps_per_epoch: default: counted in the first epoch.
    anchors: globs of module names where seeds may sit (default: the model's blocks).
    config: an `esper.Config`, or the path of a YAML file; `overrides` are dotted `key=value`.
    run: a folder for events, journal, metrics and report.
    probe: see `Growth.epoch`.
    path: "hook" leaves the module to PyTorch and hooks awake seeds in; "export" has the library run
        its whole forward pass, seeds inside (needs an example; raises where that is refused);
        "fastest" tries and times both on the example; "auto", the default, is "hook", which takes
        any module and costs nothing while seeds sleep. `Growth.path_reason` says what was decided.
    Raises `esper.Unsupported` where growth would go wrong in silence: replicas of a model (DDP,
    FSDP), a PeftModel, an optimizer that takes no new parameters.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    refuse_parallel(model)
    refuse_peft(model)
    config = configured(config, overrides)
    if path not in PATHS:
        raise ValueError(f"path={path!r}: expected one of {', '.join(PATHS)}")
    if example is None and path in ("export", "fastest"):
        raise ValueError(f"path={path} needs an example to export the model with")
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs={epochs}: expected 1 or more")
    if run is not None:
        refuse_used(Path(run))
    if budget is not None:
        if epochs is not None or not isinstance(budget, str):
            raise ValueError(f"budget={budget!r}: expected a time such as '30m', and no epochs beside it")
        budget = seconds_of(budget)
    growth = Growth(model, config, epochs or config.epochs,
                    None if budget else steps_per_epoch, run, probe)
    growth._budget = budget
    find = lambda seen, **options: find_anchors(model, seen, anchors, kinds, **options)
    if example is None:
        growth._observer.watch(lambda seen: growth._found(find(seen)))
    else:
        args, kwargs = as_call(example)
        if path in ("export", "fastest"):
            growth._go_inside(path, args, kwargs, find)
        if growth.path == "hook":
            growth._found(find(growth._observer.run(args, kwargs)))
        if growth.steps_per_epoch is not None:
            growth._start(growth.steps_per_epoch)
    if optimizer is not None:
        growth.attach(optimizer)
    _growths[model] = weakref.ref(growth)
    if not quiet:
        print(f"esper: {growth}", file=sys.stderr)
    return growth


def refuse_used(folder):
    """A run's folder is new or empty. Raises EsperError."""
    held = next(folder.iterdir(), None) if folder.is_dir() else folder if folder.exists() else None
    if held is not None:
        raise _esper.EsperError(
            f"run={str(folder)!r} is not empty (it holds {held.name!r}): name a new folder. A loop "
            "that goes on from a checkpoint (load_state_dict) writes to a folder of its own")


def configured(config, overrides):
    """The configuration as this package carries it out: a seed's last layer begins as its blueprint
    says, or with zeros. Raises Unsupported where growth.readout=closed_form is asked for by name;
    unasked it is what the engine would do."""
    given = isinstance(config, _esper.Config)
    if not given:
        named = [o for o in overrides if o.replace(" ", "").startswith("growth.readout=")]
        asked = named[-1].split("=", 1)[1].strip() if named else _readout_in(config)
        if asked == "closed_form":
            raise Unsupported(
                "growth.readout=closed_form fits a seed's last layer to training data, which stay "
                "in your own loop; take growth.readout=random or zero, or train with `esper train`")
        config = _esper.load_config(str(config or ""), [*own_defaults(config, overrides), *overrides])
    return config if config.readout != "closed_form" else config.with_readout("random")


# What differs from the configuration's defaults where a model grows by becoming wider: a wider copy
# that trains beside it for some dozen steps is dear for a run of a few hundred, and little for others.
WIDENING = {"growth.measure_share": "0.1", "growth.start": "0.05", "growth.gate.min_examples": "200",
            "growth.gate.rent": "0.002"}


def own_defaults(config, overrides):
    """Overrides for what neither a file nor the environment says; none where a policy is asked for."""
    if config or _esper.load_config("", list(overrides)).policy != "auto":
        return []
    named = {f"ESPER_{key.upper().replace('.', '__')}": key for key in WIDENING}
    return [f"{key}={WIDENING[key]}" for name, key in named.items() if name not in os.environ]


def _readout_in(path):
    """What a YAML file says about growth.readout, None where it says nothing."""
    if not path:
        return None
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        if key.strip() == "readout":
            return value.strip().strip("'\"")
    return None


_growths = weakref.WeakKeyDictionary()


def unwrap(model):
    """The same as `growth.unwrap()`: plain PyTorch, with what has grown. model: the module that was
    wrapped, or its `Growth`, or a copy (copy.deepcopy) of a module in which seeds are awake."""
    growth = model if isinstance(model, Growth) else _growths.get(model, lambda: None)()
    if growth is None:
        plain = unwrap_copy(model)
        if plain is None:
            raise ValueError(f"this {type(model).__name__} has not been wrapped, or was unwrapped: "
                             "nothing of Esper's is in it")
        return plain
    return growth.unwrap()


class Growth:
    """The seeds of one module and what becomes of them; made by `esper.wrap`."""

    def __init__(self, model, config, epochs, steps_per_epoch, run, probe):
        self.model = model
        self.config = config
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.events = []
        self.run = Path(run) if run else None
        self.train_losses, self.validation_losses = [], []
        self._anchors = self._host = None  # until the model has been seen
        self._observer = Observer(model)
        self._probe = probe
        self._shadow = config.isolation == "shadow"
        self._live = Live(model, self._shadow)
        self._splits = Splits(model)
        self._copies = Copies(model)
        self._statistics = Statistics(model)
        # By itself a model becomes wider; seeds are for those who ask for a policy that wakes them.
        self._widening = Widening(self, config.policy == "auto" and config.grows)
        self._groups = self._apart = None
        self._apart_saved = {}  # what was loaded before there was an optimizer
        self.path = "hook"
        self.path_reason = "your own loop and module; sleeping seeds cost nothing"
        self._core = None  # the library's part, once it is known how long an epoch is
        self._idle = False  # a step changes nothing about a seed
        self._untold = 0  # steps that the library has not heard of since
        self._early_steps = 0
        self._losses = _esper.LossMeter()
        self._add_loss = self._losses.add
        self._grafting, self._ramping, self._settled = False, set(), set()
        self._checked = 0  # the step at which seeds were last seen to be finite
        self._groups_saved = None
        self._started = time.monotonic()
        self._budget = None  # seconds, in place of epochs

    def __repr__(self):
        places = (f"{len(self._anchors)} anchors" if self._anchors
                  else "anchors as the next forward pass shows them")
        return f"{places}, {self._parameters:,} parameters, {self.path} path ({self.path_reason})"

    @property
    def _native(self):
        """The library's part, with all steps told."""
        self._untold += self._losses.take_slept()
        while self._untold:
            self._untold -= 1
            self._core.step(0.0)
        return self._core

    @cached_property
    def _parameters(self):
        """How many the model had when it was wrapped."""
        return sum(p.numel() for p in self.model.parameters())

    def _go_inside(self, path, args, kwargs, find):
        """Takes the export path, if it is the one for this model."""
        from esper._inside import Inside, Refused, Whole

        try:
            whole = Whole(self.model, args, kwargs)
            try:
                anchors = find(self._observer.run(args, kwargs), fits=whole.place_for)
            except ValueError as none:
                raise Refused(f"of the exported model, {none}") from none
            whole.compare_anchors(anchors)
        except Refused as refused:
            if path == "export":
                raise ValueError(f"path=export is not for this {type(self.model).__name__}: "
                                 f"{refused}; path=hook takes any module") from refused
            self.path_reason = f"export was refused: {refused}"
            return
        reason = "the library runs the whole forward pass"
        if path == "fastest":
            ours, theirs = whole.times()
            reason = (f"a training pass of the example takes {1e3 * ours:.2f} ms exported, "
                      f"{1e3 * theirs:.2f} ms as the module")
            if ours > theirs:
                self.path_reason = reason
                return
        self.path, self.path_reason = "export", reason
        self._live = Inside(whole, self._shadow)
        self._found(anchors)

    def _found(self, anchors):
        self._anchors = anchors
        self._host = _esper.foreign_host(
            type(self.model).__name__, [(a.name, a.kind, list(a.shape)) for a in anchors])
        self._live.anchors = {a.name: a for a in anchors}

    @property
    def anchors(self):
        """The places for seeds, in the order in which the model runs them."""
        if self._anchors is None:
            raise RuntimeError("where seeds can sit is not known yet: give esper.wrap an example, or "
                               "run the model once")
        return self._anchors

    # --- in the training loop ---

    def attach(self, optimizer):
        """Newborn parameters join this optimizer from now on, those of awake seeds at once.
        optimizer: one, or a list of which one trains all places for seeds. Raises
        `esper.Unsupported` where parameters cannot join it (LBFGS, Muon, SparseAdam)."""
        if isinstance(optimizer, (list, tuple)):
            optimizer = the_one(optimizer, [
                p for a in self.anchors for p in self.model.get_submodule(a.name).parameters()])
        self._groups = SeedGroups(optimizer, self.config.newborn)
        self._apart = Apart(optimizer, self.config.newborn)
        known = {id(p) for g in self._groups.optimizer.param_groups for p in g["params"]}
        for seed, scope in self._live.seeds.items():
            if not any(id(p) in known for p in scope.parameters()):
                self._join(seed)
        self._restore_groups()
        return self

    def step(self, loss, again=None):
        """Call once after each optimizer step.

        loss: the step's loss, a number or 0-dimensional tensor.
        again: a function without arguments that computes the same batch's loss once more, e.g.
            `lambda: F.cross_entropy(model(x), y)`. It is called once a step while a wider copy is
            tried, and with `growth.isolation: shadow` once for each seed in
            isolation, which learns from the loss of the model with it; the model
            cannot notice. Not called otherwise.
        """
        self._add_loss(loss)
        self._copies.check()
        if self._widening.waits:
            self._widening.step(again)
        if self._idle and not self._live.faults:
            self._untold += 1
            if self._untold >= IDLE_CHECK_STEPS:
                self._care()
            return
        if self._native is None and self.steps_per_epoch is not None:
            self._start(self.steps_per_epoch)
        if self._native is None:
            self._early_steps += 1
        else:
            self._native.step(self._losses.last if self._grafting else 0.0)
        if self._live.isolated:
            self._learn_in_shadow(again)
        self._live.stale = True
        if self._live.seeds:
            self._care()

    @outside_inference
    def epoch(self, validation_loss=None, probe=None):
        """Call at the end of each epoch: seeds germinate, are measured, kept or removed here.

        validation_loss: a number; without it, growth cannot see that learning has stalled.
        probe: a function without arguments that returns the loss of each example of a held-out
            set, [n], in an order that never changes, from the model as it stands (see
            `esper.probe`). Use the set for nothing else. Needed as soon as a seed is measured;
            evaluation mode and no_grad are taken care of.
        Returns the decisions taken, a list of dicts (command, anchor, blueprint, reason, …).
        """
        self._ensure_started()
        if probe is not None:
            self._probe = probe
        steps = self._losses.steps
        self.train_losses.append(self._losses.sum / steps if steps else math.nan)
        self.validation_losses.append(math.nan if validation_loss is None
                                      else float(validation_loss))
        self._losses.reset()
        # The policies of seeds see no loss where the model grows by becoming wider.
        seen = ([math.nan] * len(self.validation_losses) if self._widening.active
                else self.validation_losses)
        self._native.boundary(self.train_losses, seen)
        self._statistics.forget()
        self._sync()
        events = self._widening.decisions + self._native.take_events()
        self._widening.decisions = []
        self.events += events
        self._record()
        return [e for e in events if e["event"] == "decision"]

    # --- by hand, instead of the controller; slots are indices into `anchors` ---

    @outside_inference
    def germinate(self, slot, blueprint):
        """Wakes a seed, isolated; returns its name. `esper.blueprints(kind)` lists what fits."""
        self._ensure_started()
        if self._widening.kept:
            raise Unsupported("a seed in a model whose layers have become wider: its places were found "
                              "before; call growth.unwrap() and esper.wrap again")
        seed = self._native.germinate(slot, blueprint)
        self._sync()
        return seed

    @outside_inference
    def graft(self, slot, strategy="SMOOTHSTEP", steps=300):
        """Begins to blend an isolated seed in, α from 0 to 1 over so many steps."""
        self._native.graft(slot, strategy, steps)
        self._sync()

    @outside_inference
    def advance(self, slot, state):
        """GRAFTING → STABILIZATION → EVALUATING → FINE_TUNING."""
        self._native.advance(slot, state)
        self._sync()

    @outside_inference
    def fossilize(self, slot):
        """Keeps a seed that is EVALUATING or FINE_TUNING for good."""
        self._native.fossilize(slot)
        self._sync()

    @outside_inference
    def cull(self, slot):
        """Takes a seed out; the model is what it was before it came."""
        self._native.cull(slot)
        self._sync()

    @outside_inference
    def split(self, block):
        """Makes two of a block of the model that keeps its input's shape, given by its module's
        name, e.g. "layers.3": x + f(x) becomes x' = x + f(x)/2, then x' + f'(x')/2, where f is what
        the block adds to its input and f' the same of a copy of the block. The copy learns at once:
        its parameters join the attached optimizer, beside the block's and with copies of their
        state (moments, step counts). A block that was split is split further: its last copy's half
        becomes two quarters. No controller decides this and no gate looks at it; split early, and
        watch the training loss. Returns the name of the copy's module. Not in `state_dict`: split
        a freshly built model in the same order before you load one.
        Raises `esper.Unsupported` on the export path, and ValueError for a block that does not
        keep the shape: at once for a layer that says so, else at the next forward pass, and the
        model is then as it was."""
        if self.path == "export":
            raise Unsupported("splitting a block on the export path: the library runs the model as "
                              "it was exported; wrap it with path='hook'")
        optimizer = self._groups.optimizer if self._groups is not None else None
        return self._splits.split(block, optimizer)

    def set_alpha(self, slot, alpha):
        """How much of a blended seed is heard, until its ramp moves on."""
        self._native.set_alpha(slot, alpha)
        self._live.refresh_alphas()

    # --- what there is ---

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

    # --- saving, handing back ---

    def state_dict(self):
        """Everything but the host's own tensors: states, controller, seeds' tensors."""
        if self._native is None:
            return {"early_steps": self._early_steps, "wider": self._widening.save()}
        return {
            "wider": self._widening.save(),
            "epochs": self.epochs,
            "native": self._native.save(),
            "steps_per_epoch": self.steps_per_epoch,
            "losses": [self.train_losses, self.validation_losses],
            "epoch": [self._losses.sum, self._losses.steps],
            "apart": self._apart.save() if self._apart else {},
            "groups": self._groups.save() if self._groups else None,
            "seeds": {seed: {k: v.detach().clone() for k, v in scope.state_dict().items()}
                      for seed, scope in self._live.seeds.items()},
        }

    @outside_inference
    def load_state_dict(self, state):
        """Goes on where `state_dict` was taken, on a freshly wrapped model. Load growth first (it
        puts the grown parts in place), then the model, then the optimizer. Raises ValueError for
        what `state_dict` did not make."""
        if "native" not in state and "early_steps" not in state:
            raise ValueError("expected what growth.state_dict() returned; this has the keys "
                             f"{sorted(map(str, state))}")
        if "wider" in state:
            self._widening.load(state["wider"])
        if "native" not in state:
            if self._native is None:
                self._early_steps = state["early_steps"]
            else:
                self._start_again(state["early_steps"])
            return
        if self._native is None:
            if self._budget:
                self.epochs = state.get("epochs", self.epochs)
            self._start(state["steps_per_epoch"])
        self._native.restore(state["native"])
        self.train_losses, self.validation_losses = (list(x) for x in state["losses"])
        self._losses.reset(*state["epoch"])
        self._sync()
        for seed, tensors in state["seeds"].items():
            self._live.seeds[seed].load_state_dict(tensors)
        self._apart_saved, self._groups_saved = state["apart"], state.get("groups")
        if self._groups is not None:
            self._restore_groups()

    def _start_again(self, steps):
        """As before the first boundary: every seed sleeps, and so many steps have been made."""
        fresh = self._new_core("")
        self._native.restore(fresh.save())
        self.train_losses, self.validation_losses = [], []
        self._losses.reset()
        self._losses.take_slept()
        self._grafting = False
        self._checked = 0
        self._sync()
        self._untold = steps

    def _restore_groups(self):
        if self._groups_saved:
            self._groups.restore(self._groups_saved)
        self._apart.restore(self._apart_saved)
        self._apart_saved, self._groups_saved = {}, None

    def unwrap(self):
        """The model as plain PyTorch, without anything of Esper: kept seeds (and blended ones, at
        their present α) become readable modules in `model.grown`; undecided ones that never touched
        the model are dropped. Old parameters keep their names."""
        return self.export(None)

    @outside_inference
    def export(self, folder):
        """The same, and writes `grown.py` (plain PyTorch: `grow(model)` puts the grown parts into a
        freshly built model), `model.safetensors` and `lineage.json` into the folder."""
        self._observer.stop()
        self._statistics.watch(False)
        self._splits.settle()
        _growths.pop(self.model, None)
        return write_grown(self, folder)

    # --- inside ---

    def _ensure_started(self):
        if self._native is None:
            if self._budget:
                an_epoch = max(time.monotonic() - self._started, 1e-9)
                self.epochs = max(1, round(self._budget / an_epoch))
            self._start(self.steps_per_epoch or max(self._early_steps, 1))

    def _start(self, steps_per_epoch):
        self.anchors  # or an error that says what is missing
        self.steps_per_epoch = steps_per_epoch
        seen = self._observer
        refuse_parallel(self.model)
        operations = seen.count() if seen.call else seen.flops
        self._check_axes()
        self._flops = operations / max(seen.batch, 1) or 2.0 * max(self._parameters, 1)
        self._core = self._new_core(str(self.run or ""))
        self._untold, self._early_steps = self._early_steps, 0
        self._idle = True
        self._sleep()

    def _sleep(self):
        """While every seed sleeps, a function of the library counts and adds in place of `step`."""
        if self._native is not None and not self._live.seeds and not self._widening.waits:
            self.step = self._losses.step
        else:
            self.__dict__.pop("step", None)

    def _check_axes(self):
        """Of a model that was only looked on at, the pass that counts its operations shows whether
        the places were understood."""
        for anchor in self.anchors:
            axis = self._observer.axes.get(anchor.name)
            if axis is not None and axis != (1 if anchor.layout == TIME_FIRST else 0):
                raise Unsupported(
                    f"growth at {anchor.name} without an example: its output has the batch along "
                    f"axis {axis}, which one pass does not show; call esper.wrap(model, example, …)")

    def _new_core(self, folder):
        steps = self.steps_per_epoch
        return _esper.HostedGrowth(self.config, self._host, self._flops, float(self._parameters),
                                   steps, max(steps * self.epochs, steps), folder, self)

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


def _version():
    from esper import __version__
    return __version__


def probe(model, batches, loss):
    """A probe for `Growth.epoch`: runs `model` over `batches`, a re-iterable of (input, target), and
    returns the loss of each example, [n].

    loss: like torch.nn.functional.cross_entropy: called with (output, target, reduction="none");
        what it returns is averaged over all but the first axis.
    """
    def first(most):
        """Of so many examples, or all where there are fewer."""
        losses, count = [], 0
        for x, target in batches:
            if isinstance(x, torch.Tensor) and len(x) == len(target) > most - count:
                x, target = x[:most - count], target[:most - count]
            each = loss(model(x), target, reduction="none")
            losses.append(each.reshape(target.shape[0], -1).mean(1))
            count += len(losses[-1])
            if count >= most:
                break
        return torch.cat(losses)

    def run():
        return first(math.inf)
    run.first = first
    return run
