"""A Lightning module's training step once more, of which nothing is kept but the loss."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager

import torch

PLAIN = (bool, int, float, str, list, dict, set)


def step_again(trainer, module, batch, index):
    """The loss of a batch by `module.training_step`, with its graph. Raises ValueError where the step
    returns none."""
    with ExitStack() as kept:
        for keep in (loggers_kept(trainer), logs_kept(module), attributes_kept(module),
                     metrics_kept(module), trainer.precision_plugin.train_step_context()):
            kept.enter_context(keep)
        takes_index = len(inspect.signature(module.training_step).parameters) > 1
        found = module.training_step(batch, index) if takes_index else module.training_step(batch)
    loss = found.get("loss") if isinstance(found, dict) else found
    if not isinstance(loss, torch.Tensor):
        raise ValueError("the module's training_step, run a second time, returned no loss")
    return loss


@contextmanager
def loggers_kept(trainer):
    """What goes to the loggers within the block goes nowhere."""
    from importlib import import_module

    loggers = trainer.loggers
    package = type(trainer).__module__.partition(".trainer")[0]
    dummy = import_module(f"{package}.loggers.logger").DummyLogger
    trainer.loggers = [dummy() for _ in loggers]
    try:
        yield
    finally:
        trainer.loggers = loggers


@contextmanager
def logs_kept(module):
    """`self.log` and `self.log_dict` do nothing within the block."""
    modules = [m for m in module.modules() if hasattr(m, "log_dict")]
    own = [(m, name, m.__dict__.get(name)) for m in modules for name in ("log", "log_dict")]
    for m, name, _ in own:
        m.__dict__[name] = lambda *args, **kwargs: None
    try:
        yield
    finally:
        for m, name, was in own:
            if was is None:
                del m.__dict__[name]
            else:
                m.__dict__[name] = was


@contextmanager
def attributes_kept(module):
    """Numbers, texts and collections in attributes of the module are as before after the block."""
    own = module.__dict__
    plain = {k: v for k, v in own.items() if not k.startswith("_") and type(v) in PLAIN}
    inside = {k: v.copy() for k, v in plain.items() if isinstance(v, list | dict | set)}
    try:
        yield
    finally:
        for name in [k for k, v in own.items() if k not in plain and not k.startswith("_")
                     and type(v) in PLAIN]:
            del own[name]
        for name, value in plain.items():
            own[name] = value
            if name in inside:
                value.clear()
                value.extend(inside[name]) if type(value) is list else value.update(inside[name])


@contextmanager
def metrics_kept(module):
    """The states of metrics of torchmetrics are as before after the block."""
    metrics = [m for m in module.modules() if hasattr(m, "_defaults") and hasattr(m, "compute")]
    states = [{name: copied(getattr(m, name)) for name in m._defaults} for m in metrics]
    figures = [{k: m.__dict__[k] for k in ("_update_count", "_computed", "_forward_cache")
                if k in m.__dict__} for m in metrics]
    try:
        yield
    finally:
        for metric, state, own in zip(metrics, states, figures):
            for name, value in state.items():
                setattr(metric, name, value)
            metric.__dict__.update(own)


def copied(state):
    return [v.clone() for v in state] if isinstance(state, list) else state.clone()
