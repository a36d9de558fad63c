#!/usr/bin/env python3
"""The run of `make run` against what its FLOPs could have bought otherwise.

    growth_controls.py [--json PATH] [--seeds N] [--quick]

All arms have configs/shakespeare.yaml's recipe and data, and no kernels: they depend on no library.
Seeds 0 to 3 were looked at while the run's settings and the rules of measuring were chosen; the
rows are of seeds 4, 5, …

    grown     the run as it is
    never     the host without growth, the same number of steps
    longer    the host without growth, trained for all FLOPs that the grown run spent on training
              and on growing
    scratch   the network that the grown run ended with, with fresh values from the first step, for
              the same FLOPs: what growing would have to beat if its result were known before
    random    seeds at random places and of random kinds, with the same gates and limits

The rows compare test losses of the best checkpoint. Finished runs are kept in
build/bench/growth_controls; when interrupted, the next call goes on from there.
"""

import argparse
import statistics
import sys

from _intervals import paired_row
from _report import ROOT, parsed, report, write
from _training_runs import Job, Runs, result

NAME = "growth_controls"
TASK = "tinyshakespeare"
CONFIG = ROOT / "configs" / "shakespeare.yaml"
NEVER = ("growth.enabled=false", "controller.policy=never")
QUICK = ("run.epochs=6", "run.steps_per_epoch=20", "model.width=16", "model.heads=2")
FIRST_SEED = 4
# Looking at the result; a budget does not pay for it either.
LOOKING = ("validation", "test", "sampling")


def spent(run):
    """FLOPs of training and growing."""
    return run["flops_total"] - sum(run["flops"][key] for key in LOOKING)


def add_seed(runs, arms, base, seed):
    first = runs.do_all([Job("grown", CONFIG, base, seed),
                         Job("never", CONFIG, (*base, *NEVER), seed),
                         Job("random", CONFIG, (*base, "controller.policy=random"), seed)])
    budget = f"run.budget={spent(result(first[0])):.6e}"
    of_any_shape = tuple(key for key in base if not key.startswith("model."))
    second = runs.do_all([Job("longer", CONFIG, (*base, *NEVER, budget), seed),
                          Job("scratch", CONFIG,
                              (*of_any_shape, *NEVER, budget, f"model.path={first[0]}"), seed)])
    for arm, folder in zip(("grown", "never", "random", "longer", "scratch"), first + second):
        arms.setdefault(arm, []).append(result(folder))


def rows_of(arms):
    def row(case, peer, unit, value):
        return paired_row(f"{TASK}: {case}", [value(r) for r in arms["grown"]],
                          [value(r) for r in arms[peer]], unit)

    def loss(run):
        return run["test_loss"]

    def error(run):
        return 1 - run["test_accuracy"]
    return [row("loss against longer training, equal FLOPs", "longer", "nat", loss),
            row("loss against the final network from scratch, equal FLOPs", "scratch", "nat", loss),
            row("loss against random growth", "random", "nat", loss),
            row("loss against never growing, equal steps", "never", "nat", loss),
            row("error against longer training, equal FLOPs", "longer", "", error),
            row("error against the final network from scratch, equal FLOPs", "scratch", "", error),
            row("error against never growing, equal steps", "never", "", error),
            row("FLOPs against never growing, equal steps", "never", "FLOPs", spent)]


def table(arms):
    lines = ["| arm | test loss (mean, each seed) | validation loss | FLOPs | parameters | kept |",
             "| --- | --- | ---: | ---: | ---: | ---: |"]
    for arm, runs in arms.items():
        def mean(key, runs=runs):
            return statistics.fmean(run[key] for run in runs)
        kept = statistics.fmean(run["seeds"]["fossilized"] for run in runs)
        tests = ", ".join(f"{run['test_loss']:.4f}" for run in runs)
        lines.append(f"| {arm} | {mean('test_loss'):.4f} ({tests}) | {mean('best_val_loss'):.4f} | "
                     f"{statistics.fmean(map(spent, runs)):.3g} | {mean('parameters'):.0f} | "
                     f"{kept:.1f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two seeds of a tiny run")
    parser.add_argument("--at-once", type=int, default=2)
    arguments = parsed(NAME, parser)
    seeds = 2 if arguments.quick else arguments.seeds
    base = (f"data.path={ROOT / 'data' / 'tinyshakespeare.txt'}", "run.threads=1",
            "growth.kernels=false", *(QUICK if arguments.quick else ()))
    runs = Runs(arguments.binary, ROOT / "build" / "bench" / NAME,
                lambda text: print(text, file=sys.stderr, flush=True), arguments.at_once)
    arms = {}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        add_seed(runs, arms, base, seed)
        if len(arms["grown"]) < 2:
            continue  # an interval needs two
        content = report(NAME, rows_of(arms), arms["grown"][0]["versions"], 1)
        content["arms"] = arms
        if arguments.json:
            write(arguments.json, content)
    print(table(arms))
    for one in rows_of(arms):
        print(f"{one['case']}: {one['ratio']:.4f} [{one['ci_low']:.4f}, {one['ci_high']:.4f}], "
              f"n = {one['n']}")


if __name__ == "__main__":
    main()
