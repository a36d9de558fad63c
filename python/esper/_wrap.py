"""From a module to its `Growth`, and back."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path


from esper import _esper
from esper._adapt_schedule import seconds_of
from esper._anchors import as_call, find_anchors
from esper._configured import configured
from esper._growth import Growth, growths
from esper._limits import check_model
from esper._unwrap import unwrap_copy

PATHS = ("auto", "hook", "export", "fastest")


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
    check_model(model)
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
    growths[model] = weakref.ref(growth)
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


def unwrap(model):
    """The same as `growth.unwrap()`: plain PyTorch, with what has grown. model: the module that was
    wrapped, or its `Growth`, or a copy (copy.deepcopy) of a module in which seeds are awake."""
    growth = model if isinstance(model, Growth) else growths.get(model, lambda: None)()
    if growth is None:
        plain = unwrap_copy(model)
        if plain is None:
            raise ValueError(f"this {type(model).__name__} has not been wrapped, or was unwrapped: "
                             "nothing of Esper's is in it")
        return plain
    return growth.unwrap()
