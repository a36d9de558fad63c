#!/usr/bin/env python3
"""One growing run against a tuned static frontier: every budget from one run, no size chosen.

    growth_frontier.py [--json PATH] [--seeds N] [--quick] [--budgets 6e10,1.2e11,2.4e11]

The recipe is configs/frontier.yaml, the same for both arms; seed 0 is for tuning, the rows are of
seeds 1, 2, …

    grown        one run with policy `clock`: trained for the largest budget, finished at the others
    L1 … L4      static nets of 1 to 4 blocks, trained and finished in the same way, each for the
                 budgets that it could be best for (SWEEP)

The best static size of a budget is the one with the lowest mean validation loss over the seeds; the
rows compare test losses. Everything is counted (run.json's flops_total: training, measuring, forks,
validation, test); a finished network's share of its trunk is counted once in the cost of a run or of
the sweep. FLOPs and seconds to a loss are read off the line through the grown networks of the three
budgets (logarithm of the cost against the loss); beyond the largest budget its last piece goes on.
Finished runs are kept in build/bench/growth_frontier; when interrupted, the next call goes on from
there. After each seed the file is written anew, so that it holds what there is.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

from _intervals import paired_row
from _report import ROOT, report, write
from _training_runs import Job, Runs, result

NAME = "growth_frontier"
TASK = "tinyshakespeare"
BUDGETS = (6e10, 1.2e11, 2.4e11)
# Blocks -> which of the three budgets the sweep tries them for.
SWEEP = {1: (0, 1, 2), 2: (0, 1, 2), 3: (1, 2), 4: (2,)}
GIVEN = 4  # blocks of the given larger net, at the largest budget
GROW = ("controller.policy=clock",)
NEVER = ("growth.enabled=false", "controller.policy=never")


def name_of(budget):
    """As `esper finish` names a folder: 3e11, 1.2e12."""
    power = math.floor(math.log10(budget))
    return f"{round(budget / 10 ** power, 9):g}e{power}"


def budget_overrides(budgets):
    smaller = ",".join(name_of(b) for b in budgets[:-1])
    return (f"run.budget={name_of(budgets[-1])}", f"run.finish_at=[{smaller}]")


def finished(folder, budgets):
    """budget -> run.json of the network that was finished at it."""
    at = {b: result(folder / "finish" / name_of(b)) for b in budgets[:-1]}
    return {**at, budgets[-1]: result(folder)}


def forked(folder):
    lines = (folder / "events.jsonl").read_text().splitlines()
    return next(e for e in map(json.loads, lines) if e["event"] == "forked")


def cost(folder, budgets, key="flops_total"):
    """What the trunk and all its cool-downs cost, the trunk counted once."""
    total = result(folder)[key]
    for budget in budgets[:-1]:
        place = folder / "finish" / name_of(budget)
        total += result(place)[key] - forked(place)[key]
    return total


def needed(points, loss):
    """The cost at which the line through (cost, loss) points comes to a loss."""
    points = sorted(points)
    for (c0, l0), (c1, l1) in zip(points, points[1:]):
        if l1 <= loss or (c1, l1) == points[-1]:
            if l0 <= l1:  # more cost was no help here
                return c0 if l0 <= loss else math.inf
            share = (l0 - loss) / (l0 - l1)
            return math.exp(math.log(c0) + share * (math.log(c1) - math.log(c0)))
    return math.inf


class Frontier:
    """All runs of some seeds."""

    def __init__(self, runs, config, base, budgets, grow):
        self.runs, self.config, self.base, self.budgets, self.grow = runs, config, base, budgets, grow
        self.arms = {}  # arm -> a folder for each seed

    def sizes(self):
        return {blocks: tuple(self.budgets[i] for i in which) for blocks, which in SWEEP.items()}

    def add_seed(self, seed):
        jobs = [Job("grown", self.config, (*self.base, *budget_overrides(self.budgets), *self.grow),
                    seed)]
        for blocks, budgets in self.sizes().items():
            jobs.append(Job(f"L{blocks}", self.config,
                            (*self.base, *budget_overrides(budgets), f"model.depth={blocks}",
                             *NEVER), seed))
        for job, folder in zip(jobs, self.runs.do_all(jobs)):
            self.finish(folder, self.budgets if job.name == "grown"
                        else self.sizes()[int(job.name[1:])])
            self.arms.setdefault(job.name, []).append(folder)

    def finish(self, folder, budgets):
        """A run that was done may have been interrupted while it was being finished."""
        if any(run.get("status") != "done" for run in finished(folder, budgets).values()):
            subprocess.run([self.runs.binary, "finish", folder, "-q"], check=True)

    def static_at(self, budget, key):
        """blocks -> a value for each seed, of the sizes that were tried for this budget."""
        return {blocks: [finished(f, budgets)[budget][key] for f in self.arms[f"L{blocks}"]]
                for blocks, budgets in self.sizes().items() if budget in budgets}

    def best_static(self, budget):
        losses = self.static_at(budget, "best_val_loss")
        return min(losses, key=lambda blocks: statistics.fmean(losses[blocks]))

    def grown_at(self, budget, key):
        return [finished(f, self.budgets)[budget][key] for f in self.arms["grown"]]

    def to_loss(self, losses, key):
        """What each grown run needs to come to a loss."""
        out = []
        for folder, loss in zip(self.arms["grown"], losses):
            at = finished(folder, self.budgets)
            out.append(needed([(at[b][key], at[b]["test_loss"]) for b in self.budgets], loss))
        return out

    def reach_row(self, case, blocks, key, unit):
        last = self.budgets[-1]
        ours = self.to_loss(self.static_at(last, "test_loss")[blocks], key)
        if not all(map(math.isfinite, ours)):
            print(f"{case}: not reached by every seed, no row", file=sys.stderr)
            return []
        return [paired_row(f"{TASK}: {case}", ours, self.static_at(last, key)[blocks], unit)]

    def rows(self):
        rows = []
        for budget in self.budgets:
            best = self.best_static(budget)
            rows.append(paired_row(f"{TASK}, {name_of(budget)}: loss against the best static",
                                   self.grown_at(budget, "test_loss"),
                                   self.static_at(budget, "test_loss")[best], "nat"))
        grown = [cost(f, self.budgets) for f in self.arms["grown"]]
        sweep = [sum(costs) for costs in zip(*([cost(f, budgets) for f in self.arms[f"L{blocks}"]]
                                               for blocks, budgets in self.sizes().items()))]
        rows.append(paired_row(f"{TASK}: FLOPs against the sweep", grown, sweep, "FLOPs"))
        rows += self.reach_row("FLOPs to a given larger net's loss", GIVEN, "flops_total", "FLOPs")
        rows += self.reach_row("seconds to a given larger net's loss", GIVEN, "wall_seconds", "s")
        rows += self.reach_row("FLOPs to the best static's loss", self.best_static(self.budgets[-1]),
                               "flops_total", "FLOPs")
        return rows

    def table(self):
        lines = ["| budget | net | test loss (mean, each seed) | validation loss | parameters | "
                 "seconds |", "| --- | --- | --- | ---: | ---: | ---: |"]
        for budget in self.budgets:
            nets = {f"static, {b} blocks": b for b in self.static_at(budget, "test_loss")}
            for net in ("grown", *nets):
                def values(key):
                    return (self.grown_at(budget, key) if net == "grown"
                            else self.static_at(budget, key)[nets[net]])
                tests = values("test_loss")
                lines.append(
                    f"| {name_of(budget)} | {net} | {statistics.fmean(tests):.4f} "
                    f"({', '.join(f'{t:.4f}' for t in tests)}) | "
                    f"{statistics.fmean(values('best_val_loss')):.4f} | "
                    f"{statistics.fmean(values('parameters')):.0f} | "
                    f"{statistics.fmean(values('wall_seconds')):.0f} |")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true",
                        help="two seeds and a fifth of the budgets: to see that it works")
    parser.add_argument("--budgets", type=lambda text: tuple(map(float, text.split(","))),
                        default=BUDGETS)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--grow", nargs="*", default=list(GROW), help="overrides of the growing arm")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "frontier.yaml")
    parser.add_argument("--binary", type=Path, default=ROOT / "build" / "release" / "bin" / "esper")
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        raise SystemExit(f"{NAME}: {arguments.binary} is missing: run make build first")
    if len(arguments.budgets) != 3 or list(arguments.budgets) != sorted(set(arguments.budgets)):
        raise SystemExit(f"{NAME}: expected three rising budgets, got {arguments.budgets}")
    budgets, seeds = arguments.budgets, arguments.seeds
    if arguments.quick:
        budgets, seeds = tuple(b / 5 for b in budgets), 2
    base = (f"data.path={ROOT / 'data' / 'tinyshakespeare.txt'}", "run.threads=1")
    runs = Runs(arguments.binary, ROOT / "build" / "bench" / NAME,
                lambda text: print(text, file=sys.stderr, flush=True), arguments.at_once)
    frontier = Frontier(runs, arguments.config, base, budgets, tuple(arguments.grow))
    for seed in range(1, seeds + 1):
        frontier.add_seed(seed)
        if seed < 2:
            continue  # an interval needs two
        content = report(NAME, frontier.rows(), result(frontier.arms["grown"][0])["versions"], 1)
        content["budgets"] = [name_of(b) for b in budgets]
        content["arms"] = {arm: [result(f) for f in folders]
                           for arm, folders in frontier.arms.items()}
        if arguments.json:
            write(arguments.json, content)
    print(frontier.table())
    for one in content["rows"]:
        print(f"{one['case']}: {one['ratio']:.4f} [{one['ci_low']:.4f}, {one['ci_high']:.4f}], "
              f"n = {one['n']}")


if __name__ == "__main__":
    main()
