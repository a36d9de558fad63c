#!/usr/bin/env python3
"""`esper.wrap(model, example, optimizer, epochs=…, probe=…)` with nothing else set, on six small tasks.

    wrap_defaults.py [--json PATH] [--seeds N] [--tasks NAME,…]

    never     the network as it is, in a plain PyTorch loop
    wider     the same, one and a half times as wide from the start
    default   the network as it is, wrapped; growth.step() is given again=

All arms have AdamW with a rate that is constant over 40 % of the run and then falls to zero. A seed
draws the data, the first values and the order of the batches. Rows compare test losses at the end and
processor seconds of the whole loop (one thread), validation included. Seeds 1 to 5 are reported; the
rules of growing were chosen on seeds 11 to 13 of the same kinds of tasks.
"""

import argparse
import math
import statistics
import sys
import time
from pathlib import Path

import torch
from _intervals import paired_row
from _report import ROOT, report, write
from _small_tasks import TASKS

sys.path.insert(0, str(ROOT / "build" / "release" / "python"))
import esper  # noqa: E402

ARMS = ("never", "wider", "default")


def mean_loss(task, model, part):
    model.eval()
    with torch.no_grad():
        return sum(task.loss(model(x), y).item() * len(x)
                   for x, y in zip(*(t.split(256) for t in part))) / len(part[0])


def train(task, arm, seed):
    train_part, probe, validation, test = task.parts
    torch.manual_seed(seed)
    model = task.build(1.5 if arm == "wider" else 1.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.rate)
    x, y = train_part
    steps = task.epochs * math.ceil(len(x) / task.batch)
    order, done, growth = torch.Generator().manual_seed(seed), 0, None
    began = time.process_time()
    if arm == "default":
        held_out = list(zip(*(t.split(256) for t in probe)))
        growth = esper.wrap(model, x[:2], optimizer, epochs=task.epochs, quiet=True,
                            probe=esper.probe(model, held_out, task.loss))
    for _ in range(task.epochs):
        model.train()
        for rows in torch.randperm(len(x), generator=order).split(task.batch):
            for group in optimizer.param_groups:
                group["lr"] = task.rate * min(1, (1 - done / steps) / 0.6)
            batch, target = x[rows], y[rows]
            loss = task.loss(model(batch), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            if growth:
                growth.step(loss, again=lambda: task.loss(model(batch), target))
        value = mean_loss(task, model, validation)
        if growth:
            growth.epoch(value)
    seconds = time.process_time() - began
    said, spent = "", 0.0
    if growth:
        said, spent = growth.summary(), growth._widening.account.spent / steps
        model = growth.unwrap()
    return {"loss": mean_loss(task, model, test), "seconds": seconds, "said": said, "measured": spent,
            "parameters": sum(p.numel() for p in model.parameters())}


def difference(ours, peer):
    """(mean, standard error) of paired differences."""
    found = [a - b for a, b in zip(ours, peer, strict=True)]
    return statistics.fmean(found), statistics.stdev(found) / math.sqrt(len(found))


def column(runs, name):
    return [run[name] for run in runs]


def table(results):
    lines = ["| task | never | wider | default | default − never | default − wider | seconds / never "
             "| / wider | grew | measuring |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, arms in results.items():
        losses = {arm: column(arms[arm], "loss") for arm in ARMS}
        seconds = {arm: sum(column(arms[arm], "seconds")) for arm in ARMS}
        grew = sum("became wider" in run["said"] for run in arms["default"])
        to_never, to_wider = (difference(losses["default"], losses[p]) for p in ("never", "wider"))
        lines.append(
            f"| {name} | " + " | ".join(f"{statistics.fmean(losses[arm]):.4f}" for arm in ARMS)
            + f" | {to_never[0]:+.4f} ± {to_never[1]:.4f} | {to_wider[0]:+.4f} ± {to_wider[1]:.4f}"
            f" | {seconds['default'] / seconds['never']:.2f}"
            f" | {seconds['default'] / seconds['wider']:.2f} | {grew} of {len(arms['default'])}"
            f" | {100 * statistics.fmean(column(arms['default'], 'measured')):.1f} % |")
    return "\n".join(lines)


def rows_of(results):
    return [paired_row(f"{name}: {what} against {said}", column(arms["default"], key),
                       column(arms[peer], key), unit)
            for name, arms in results.items()
            for key, what, unit in (("loss", "loss", "nat" if name not in ("table", "residual")
                                     else "squared error"), ("seconds", "seconds", "s"))
            for peer, said in (("never", "never growing"), ("wider", "the wider net"))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--tasks", default=",".join(TASKS))
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds: expected 2 or more")
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # loads what PyTorch loads at its first one
    results = {}
    for name in arguments.tasks.split(","):
        arms = results[name] = {arm: [] for arm in ARMS}
        for i in range(arguments.seeds):
            seed = arguments.first_seed + i
            task = TASKS[name](torch.Generator().manual_seed(seed))
            for arm in ARMS[i % 3:] + ARMS[:i % 3]:
                arms[arm].append(train(task, arm, seed))
            print(f"{name}, seed {seed}: {arms['default'][-1]['said']}", file=sys.stderr, flush=True)
    print(table(results))
    if arguments.json:
        content = report("wrap_defaults", rows_of(results), {"torch": torch.__version__}, 1)
        write(arguments.json, {**content, "arms": results})


if __name__ == "__main__":
    main()
