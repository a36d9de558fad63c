"""Growing a module in the user's own training loop."""

from __future__ import annotations

import math
import time
import weakref
from functools import cached_property
from pathlib import Path

from esper import _esper
from esper._anchors import TIME_FIRST, Observer
from esper._growth_following import Following
from esper._growth_report import Report
from esper._growth_saved import Saved
from esper._limits import Copies, Unsupported, refuse_parallel
from esper._live import Live
from esper._optimizer import Apart, SeedGroups, the_one
from esper._outside_inference import outside_inference
from esper._statistics import Statistics
from esper._twins import Splits
from esper._unwrap import write_grown
from esper._widening import Widening

IDLE_CHECK_STEPS = 64

# Of the modules that are wrapped; what has been unwrapped is not among them.
growths = weakref.WeakKeyDictionary()


class Growth(Following, Saved, Report):
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
            cannot notice. Not called otherwise, and not needed where `asks_again` was false
            before the step.
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

    @property
    def asks_again(self):
        """Whether the next `step` may call its `again`; what that needs may be let go otherwise."""
        return bool(self._live.isolated) or self._widening.asks_next()

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
        growths.pop(self.model, None)
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
