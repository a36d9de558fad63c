"""The export path in one's own loop: the library runs the whole model, with the seeds inside."""

from __future__ import annotations

import statistics
import time
from contextlib import contextmanager

import torch
from torch._compile import _disable_dynamo
from torch.utils import _pytree as pytree

from esper import _esper
from esper._anchors import AS_IS, first_tensors, main_tensor
from esper._export import Exported, Run
from esper._compiled import uncompiled
from esper._live import Copied, Live, NotPickled, Scope
from esper._statistics import buffers_kept, draws_kept, modes_kept

PAIRS = 7  # of passes that are timed
TOLERANCE = 1e-4  # relative to the largest value of a tensor


class Refused(Exception):
    """The export path does not take this model; the message says why."""


class Whole:
    """A module as two Programs, for training and for evaluation, which compute what it does: outputs,
    gradients and running statistics on the example are compared. Raises Refused."""

    def __init__(self, model, args, kwargs):
        self.model, self.args, self.kwargs = model, args, kwargs
        if "forward" in vars(model):
            raise Refused("its forward has been replaced already")
        if any(m._forward_hooks or m._forward_pre_hooks for m in model.modules() if m is not model):
            raise Refused("modules in it have forward hooks, which would run no more")
        self.leaves, self.spec = pytree.tree_flatten((args, kwargs))
        self.modes, self.exported = {}, {}
        with modes_kept(model), buffers_kept(model), draws_kept(model):
            for mode in (True, False):
                if model.training != mode:
                    model.train(mode)
                self.modes[mode] = [(m, m.training) for m in model.modules()]
                self.exported[mode] = self._export()
        self._places = set.intersection(*(set(e.program.anchors()) for e in self.exported.values()))
        for mode in (True, False):
            self._compare(mode)

    def _export(self):
        try:
            return Exported(self.model, self.kwargs or self.args, batch=True)
        except Exception as error:  # torch.export raises many kinds
            text = str(error).strip() or type(error).__name__
            raise Refused(text.splitlines()[0]) from error

    def place_for(self, anchor):
        """Whether both Programs have this place for a seed. Not where a module is called several
        times: its calls are several places there, and its seed would sit at one of them."""
        again = anchor.name + "@1"
        if any(name == again for name, _, _ in self._places):
            return False
        features = anchor.shape[1] if anchor.kind == "image" else anchor.shape[-1]
        return anchor.layout == AS_IS and (anchor.name, anchor.kind, features) in self._places

    def check_call(self, args, kwargs, training):
        """The Programs hold what the example showed; anything else is an error, never a guess."""
        leaves, spec = pytree.tree_flatten((args, kwargs))
        if spec != self.spec:
            raise ValueError("path=export: the model is called otherwise than with the example that "
                             f"esper.wrap was given: {spec} instead of {self.spec}")
        tensors = iter(self.exported[training].inputs)
        for leaf, known in zip(leaves, self.leaves, strict=True):
            if not isinstance(leaf, torch.Tensor):
                if leaf != known:
                    raise ValueError(f"path=export: an argument is {leaf!r}; in the example it was "
                                     f"{known!r}, which is part of the exported model")
                continue
            shape, dtype, device = next(tensors)
            if (len(shape) != leaf.dim() or (leaf.dtype, leaf.device) != (dtype, device)
                    or any(s not in (None, n) for s, n in zip(shape, leaf.shape))):
                free = ", ".join("?" if s is None else str(s) for s in shape)
                raise ValueError(f"path=export: an input is {leaf.dtype} {tuple(leaf.shape)} on "
                                 f"{leaf.device}; the model was exported for {dtype} ({free}) on "
                                 f"{device}")
        if any(m.training is not mode for m, mode in self.modes[training]):
            raise ValueError("path=export: a module in the model is in another mode than when it "
                             "was exported; freeze it before esper.wrap, or choose path=hook")

    def compare_anchors(self, anchors):
        """What flows at each anchor is what the module of that name returns."""
        seen = {}

        def look(name):
            def hook(module, args, output):
                seen.setdefault(name, main_tensor(output)[0].clone())
            return hook

        names = [a.name for a in anchors]
        exported = self.exported[False]
        shown = Run(exported, exported.program.with_anchor_outputs(names))
        with modes_kept(self.model), buffers_kept(self.model), torch.no_grad():
            self.model.eval()
            with draws_kept(self.model):
                hooks = [self.model.get_submodule(n).register_forward_hook(look(n)) for n in names]
                try:
                    self.model(*self.args, **self.kwargs)
                finally:
                    for hook in hooks:
                        hook.remove()
            with draws_kept(self.model):
                ours = shown.outputs(self.args, self.kwargs, False)[-len(names):]
        for name, value in zip(names, ours, strict=True):
            if not _close(value, seen[name]):
                raise Refused(f"what flows at {name} is not what the module returns")

    def _pass(self, forward):
        """Loss, gradients and buffers after one pass; the model is as before."""
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        with buffers_kept(self.model), draws_kept(self.model), torch.enable_grad():
            outputs = [t for t in first_tensors(forward(*self.args, **self.kwargs))
                       if t.is_floating_point()]
            loss = sum(t.float().square().mean() for t in outputs)
            grads = (torch.autograd.grad(loss, parameters, allow_unused=True)
                     if isinstance(loss, torch.Tensor) and loss.requires_grad else [])
            return ([t.detach() for t in outputs], list(grads),
                    [b.clone() for b in self.model.buffers()])

    def ours(self, mode):
        run = self.exported[mode].whole
        return lambda *args, **kwargs: run(args, kwargs, mode)

    def _compare(self, mode):
        draws = "dropout.step" in self.exported[mode].controls
        with modes_kept(self.model):
            for module, training in self.modes[mode]:
                module.training = training
            if mode and draws:  # other masks than the module's own
                return
            try:
                ours = self._pass(self.ours(mode))
            except _esper.EsperError as error:
                raise Refused(str(error).splitlines()[0]) from error
            theirs = self._pass(self.model)
        for what, a, b in zip(("outputs", "gradients", "buffers"), ours, theirs):
            if len(a) != len(b) or not all(map(_close, a, b)):
                raise Refused(f"its {what} in {'training' if mode else 'evaluation'} are others "
                              "than the module's")

    def times(self):
        """Medians of a forward and backward pass in training on the example, in seconds: (of the
        Program, of the module), interleaved."""
        with modes_kept(self.model):
            for module, training in self.modes[True]:
                module.training = training
            times = [], []
            for _ in range(PAIRS + 2):
                for kept, forward in zip(times, (self.ours(True), self.model)):
                    began = time.perf_counter()
                    self._pass(forward)
                    kept.append(time.perf_counter() - began)
        return tuple(statistics.median(kept[2:]) for kept in times)


def _close(a, b):
    if a is None or b is None:
        return a is b or not (a if b is None else b).any()
    if a.shape != b.shape:
        return False
    if not a.is_floating_point():
        return torch.equal(a, b)
    return bool((a - b).abs().max() <= TOLERANCE * (1 + b.abs().max())) if a.numel() else True


class Forward(NotPickled):
    """Stands for the forward of a module that the library runs."""

    def __init__(self, live, whole):
        self.live, self.whole, self.model = live, whole, whole.model
        self.now = {mode: e.whole for mode, e in whole.exported.items()}

    def __call__(self, *args, **kwargs):
        return (self._opaque if torch.compiler.is_compiling() else self._run)(args, kwargs)

    @_disable_dynamo  # what it runs is the library's
    def _opaque(self, args, kwargs):
        return self._run(args, kwargs)

    def _run(self, args, kwargs):
        training = self.model.training
        if self.whole is not None:
            self.whole.check_call(args, kwargs, training)
        if self.live.stale:
            self.live.drop_gradients()
        return self.now[training](args, kwargs, training)

    def __deepcopy__(self, memo):
        """A copied model runs copies of the seeds (a running average, say); they no longer grow."""
        other = object.__new__(Forward)
        other.whole, other.model = None, memo[id(self.model)]
        other.live = Copied.of(self.live, memo)
        other.now = {mode: run.__deepcopy__(memo) for mode, run in self.now.items()}
        return other


class Inside(Live):
    """The awake seeds of a model that the library runs as a whole: they are instructions in its
    Programs, and no module has a hook."""

    def __init__(self, whole, shadow):
        super().__init__(whole.model, shadow)
        self.whole = whole
        self.forward = whole.model.forward = Forward(self, whole)

    def _runs(self, heard, controls={}):
        runs = {}
        for mode, exported in self.whole.exported.items():
            program = exported.program.with_seeds_of(heard)
            declared = _esper.declared(program)
            names = [n for kind in ("parameters", "buffers") for n in declared[kind]
                     if n not in exported.places]
            names += [n for n in declared["controls"] if n not in exported.controls]
            sources = {n: self._source(n, controls) for n in names}
            runs[mode] = Run(exported, program, {
                n: owner.place(key) if isinstance(owner, Scope) else (owner, key)
                for n, (owner, key) in sources.items()})
        return runs

    def _hook(self, program):
        self.forward.now = self._runs(program.without_isolated() if self.shadow else program)
        self.refresh_alphas()
        return True

    def _second_pass(self, program, anchor, controls):
        return self._runs(program, controls)

    @contextmanager
    def in_shadow(self, seed):
        before, self.forward.now = self.forward.now, self.isolated[seed]
        run = self.forward.now[self.model.training]
        run.calls = 0
        try:
            with uncompiled():
                yield run
        finally:
            self.forward.now = before

    @contextmanager
    def on_trial(self, program, native):
        before = self.forward.now
        try:
            with self._seeds_of(program), uncompiled():
                self._hook(program)
                yield
        finally:
            self.forward.now = before

    def close(self):
        super().close()
        if vars(self.model).get("forward") is self.forward:
            del self.model.forward
