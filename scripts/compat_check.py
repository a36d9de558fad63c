"""Checks models one by one, each in a process of its own; runs in .venv-compat.

    compat_check.py RESULTS [--jobs N] [--seconds S] [--state JSON] [--only GLOB …]

Imports the libraries once and forks for each model of the zoo that has no result of this state yet.
A result is RESULTS/<name>.json. RESULTS/catalogue.json has the names of all models, each with the
hash of its own recipe ("" where it has none): a result is of this state only when both are the same.
"""

import argparse
import copy
import fnmatch
import gc
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy
import torch

import compat_recipes
import compat_zoo

ANCHORS_TRIED = 3
MOST_BYTES = 8 << 30  # that a model's process may hold
WAITS = 20  # a model may wait for a busy machine so many times as long as it may compute


class Wrong(AssertionError):
    """The model ran, with another result than it should have."""


def hold(condition, what):
    if not condition:
        raise Wrong(what)


def flat(output):
    """Every floating-point tensor of an output, in order."""
    if isinstance(output, torch.Tensor):
        return [output] if output.is_floating_point() else []
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [t for item in output for t in flat(item)]
    return []


def call(model, example):
    return model(**example) if isinstance(example, dict) else model(example)


def loss_and_gradients(model, example, seed=1):
    model.zero_grad()
    torch.manual_seed(seed)
    numpy.random.seed(seed)  # some models draw there, too
    random.seed(seed)
    outputs = [t for t in flat(call(model, example)) if t.requires_grad]
    if not outputs:
        raise RuntimeError("no output of the model depends on its parameters")
    loss = sum(t.float().square().mean() for t in outputs)
    loss.backward()
    return loss.detach(), {n: p.grad.detach().clone() for n, p in model.named_parameters()
                           if p.grad is not None}


def same(a, b, exactly):
    """Equal bit for bit, or, for a model that differs from run to run, about equal."""
    if exactly:
        return torch.equal(a.nan_to_num(), b.nan_to_num())
    return torch.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True)


def differing(a, b, exactly):
    if a.keys() != b.keys():
        return sorted(a.keys() ^ b.keys())
    return [n for n in a if not same(a[n], b[n], exactly)]


def outputs_of(model, example):
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    torch.manual_seed(2)
    with torch.no_grad():
        result = [t.clone() for t in flat(call(model, example))]
    for module, mode in modes:
        module.training = mode
    return result


def close(a, b, tolerance=1e-5):
    """Whether outputs differ by no more than that share of their largest value."""
    return len(a) == len(b) and all(
        x.shape == y.shape and torch.equal(x.isfinite(), y.isfinite())
        and apart(x, y) <= tolerance * max(finite(y).abs().max().item(), 1e-30)
        for x, y in zip(a, b) if x.numel())


def finite(x):
    return x.nan_to_num(0.0, 0.0, 0.0)


def apart(x, y):
    return (finite(x) - finite(y)).abs().max().item()


def check_hook(model, example):
    """All that the hook path promises; returns what there is to tell."""
    import esper
    from esper import _esper

    model.train()
    fresh = copy.deepcopy(model)
    loss, gradients = loss_and_gradients(copy.deepcopy(fresh), example)
    again, gradients_again = loss_and_gradients(copy.deepcopy(fresh), example)
    exactly = torch.equal(loss, again) and not differing(gradients, gradients_again, True)

    growth = esper.wrap(model, example, epochs=4, steps_per_epoch=1, quiet=True)
    hold(all(not m._forward_hooks for m in model.modules()
             ) or any(m._forward_hooks for m in fresh.modules()), "sleeping seeds left hooks")
    dormant, dormant_gradients = loss_and_gradients(model, example)
    hold(same(dormant, loss, exactly), f"dormant: the loss is {dormant} instead of {loss}")
    bad = differing(dormant_gradients, gradients, exactly)
    hold(not bad, f"dormant: other gradients in {bad[:3]}")
    model.load_state_dict(fresh.state_dict())  # running statistics
    baseline = outputs_of(model, example)

    count = len(growth.anchors)
    tried = sorted({0, count // 2, count - 1})[:ANCHORS_TRIED]
    silent = []
    for slot in tried:
        anchor = growth.anchors[slot]
        names = _esper.blueprint_names(anchor.kind)
        seed = growth.germinate(slot, names[slot % len(names)])
        alone, alone_gradients = loss_and_gradients(model, example)
        hold(same(alone, loss, exactly), f"isolated at {anchor.name}: loss {alone}, not {loss}")
        bad = differing(alone_gradients, gradients, exactly)
        hold(not bad, f"isolated at {anchor.name}: other gradients in {bad[:3]}")
        if growth._live.faults:
            raise RuntimeError(f"seed at {anchor.name}: {growth._live.faults}")
        learned = [p.grad for p in growth._live.seeds[seed].parameters() if p.requires_grad]
        if not any(g is not None and g.abs().max() > 0 for g in learned):
            silent.append(anchor.name)
        model.load_state_dict(fresh.state_dict())
    for slot in tried:
        growth.graft(slot, "LINEAR", 10)
        anchor = growth.anchors[slot].name
        hold(close(outputs_of(model, example), baseline, 1e-6), f"α = 0 at {anchor} is heard")
    for slot in tried:
        growth.set_alpha(slot, 1.0)
    if len(silent) == len(tried):
        raise RuntimeError(f"no gradient reaches the anchors {silent}")
    heard = outputs_of(model, example)
    hold(not close(heard, baseline, 1e-7), "α = 1 is not heard")

    saved = growth.state_dict()
    other = copy.deepcopy(fresh)
    other_growth = esper.wrap(other, example, epochs=4, steps_per_epoch=1, quiet=True)
    other_growth.load_state_dict(saved)
    other.load_state_dict(model.state_dict())
    hold(close(outputs_of(other, example), heard, 1e-6), "a loaded checkpoint computes differently")

    for slot in tried:
        for state in ("STABILIZATION", "EVALUATING"):
            growth.advance(slot, state)
        growth.fossilize(slot)
    grown = outputs_of(model, example)
    plain = growth.unwrap()
    hold(close(outputs_of(plain, example), grown), "the unwrapped model computes differently")
    hold([k for k in plain.state_dict() if not k.startswith("grown.")] == list(fresh.state_dict()),
         "unwrapping renamed old parameters")
    hold(all("esper" not in type(m).__module__ for m in plain.modules()),
         "the unwrapped model has modules of Esper's")
    return {"anchors": count, "exactly": exactly, "silent": silent}


DRAWS = ("esper::dropout_mask", "esper::bernoulli", "esper::uniform", "esper::normal")


def check_export(model, example):
    """Loss and gradients of the exported Program in the interpreter against PyTorch's: in training
    mode, or in evaluation mode where it draws random numbers in training."""
    import esper

    model.train()
    theirs = copy.deepcopy(model)
    ours = esper.ExportedModel(model, example)
    training = not any(op in ours.program.to_text() for op in DRAWS)
    for m in (ours, theirs):
        m.train(training)
    expected, wanted = loss_and_gradients(theirs, example)
    if not training and differing(loss_and_gradients(theirs, example, seed=3)[1], wanted, False):
        raise RuntimeError("draws random numbers in evaluation, too: its own runs differ, so there "
                           "is nothing to compare with")
    loss, gradients = loss_and_gradients(ours, example)
    gradients = {n.removeprefix("model."): g for n, g in gradients.items()}
    hold(torch.allclose(loss, expected, rtol=1e-4, atol=1e-6),
         f"loss {loss.item()} instead of {expected.item()}")
    scale = max([g.abs().max().item() for g in wanted.values() if g.numel()] or [1.0])
    for name, g in wanted.items():
        if not g.numel():
            continue
        if name not in gradients:
            hold(g.abs().max() <= 1e-12, f"no gradient of {name}")
            continue
        off = (gradients[name] - g).abs().max().item()
        hold(off <= 1e-4 * scale + 1e-6, f"the gradient of {name} is off by {off}")
    return {"training": training}


def check(name, note=lambda result: None):
    """The result of a model. note: called with what is known so far, in case the rest never ends."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    result = {"name": name, "hook": False, "export": False, "wrong": "", "why": "", "built": False}
    began = time.monotonic()
    try:
        model, example = compat_zoo.build(name)
        result["parameters"] = sum(p.numel() for p in model.parameters())
        call(copy.deepcopy(model).train(), example)
        result["built"] = True
    except BaseException as error:
        result["why"] = f"not built: {brief(error)}"
        return result
    note(result)
    result["build_seconds"] = round(time.monotonic() - began, 2)
    pristine = copy.deepcopy(model)
    try:
        result["hook_detail"] = check_hook(model, example)
        result["hook"] = True
    except Wrong as error:
        result["wrong"] = f"hook: {error}"
    except BaseException as error:
        result["why"] = f"hook: {brief(error)}"
        result["trace"] = traceback.format_exc()[-1500:]
    note(result)
    del model
    gc.collect()
    try:
        result["export_detail"] = check_export(pristine, example)
        result["export"] = True
    except Wrong as error:
        result["wrong"] = (result["wrong"] + f" export: {error}").strip()
    except BaseException as error:
        result["export_why"] = brief(error)
    result["seconds"] = round(time.monotonic() - began, 2)
    return result


def brief(error):
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}"[:300]


def preload():
    """Imports and compiles in this process what every child would else do again for itself."""
    import esper  # noqa: F401
    import transformers.modeling_utils  # noqa: F401
    import transformers.models.bert.modeling_bert  # noqa: F401

    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
    torch.export.export(module, (torch.zeros(2, 4),), strict=False).run_decompositions()
    gc.collect()
    gc.freeze()


def run_forked(names, results, jobs, seconds, state):
    """Forks for each name; a child that takes too long or dies leaves a result that says so."""
    preload()
    running = {}  # pid -> (name, family, source, when it must end)
    waiting = list(names)

    def path(name):
        return results / (name.replace("/", "__") + ".json")

    def write(name, content):
        part = path(name).with_suffix(".part")
        part.write_text(json.dumps({**content, "state": state,
                                    "recipe": compat_recipes.recipe_hash(name)}))
        part.replace(path(name))

    while waiting or running:
        while waiting and len(running) < jobs:
            name, source, family = waiting.pop(0)
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, 1)
                os.dup2(quiet, 2)
                resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                about = {"source": source, "family": family}
                note = lambda result: write(name, {**result, **about, "unfinished": True})
                write(name, {**check(name, note), **about})
                os._exit(0)
            running[pid] = (name, source, family, time.monotonic() + WAITS * seconds)
        time.sleep(0.05)
        for pid, (name, source, family, until) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            late = not ended and time.monotonic() > until
            if late:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if not ended and not late:
                continue
            del running[pid]
            done = result_of(results, name, state)
            if not done or done.get("unfinished"):
                late = late or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
                why = (f"took more than {seconds} s of a processor" if late
                       else f"its process ended with {status}")
                done = done or {"name": name, "source": source, "family": family, "hook": False,
                                "export": False, "wrong": "", "built": False}
                done.pop("unfinished", None)
                done["export_why" if done["hook"] else "why"] = (
                    why if done["built"] else f"not built: {why}")
                write(name, done)
            done = json.loads(path(name).read_text())
            word = "WRONG" if done["wrong"] else ("ok" if done["hook"] else "failed")
            print(f"{word:6} {name} {done.get('seconds', '')} {done['wrong'] or done['why']}",
                  flush=True)


def result_of(results, name, state):
    """What there is of this state, perhaps unfinished; {} where there is nothing."""
    path = results / (name.replace("/", "__") + ".json")
    found = json.loads(path.read_text()) if path.exists() else {}
    now = found.get("state") == state and found.get("recipe") == compat_recipes.recipe_hash(name)
    return found if now else {}


def has_result(results, name, state):
    found = result_of(results, name, state)
    return bool(found) and not found.get("unfinished")


def breadth_first(zoo):
    """The order in which every family comes to one model before any comes to its second."""
    rank, seen = {}, {}
    for name, source, family in zoo:
        rank[name] = seen[source, family] = seen.get((source, family), -1) + 1
    return lambda item: rank[item[0]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--only", nargs="*", default=["*"])
    parser.add_argument("--state", type=json.loads, default={})
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.results.mkdir(parents=True, exist_ok=True)
    zoo = compat_zoo.catalogue()
    (arguments.results / "catalogue.json").write_text(json.dumps(
        {item[0]: compat_recipes.recipe_hash(item[0]) for item in sorted(zoo)}))
    zoo = [item for item in zoo
           if any(fnmatch.fnmatch(item[0], glob) for glob in arguments.only)]
    zoo.sort(key=breadth_first(zoo))
    missing = [item for item in zoo if not has_result(arguments.results, item[0], arguments.state)]
    print(f"{len(zoo)} models, {len(missing)} without a result", flush=True)
    run_forked(missing, arguments.results, arguments.jobs, arguments.seconds,
               arguments.state)


if __name__ == "__main__":
    main()
