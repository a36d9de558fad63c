#!/usr/bin/env python3
"""Images that grow with the budget against images of one size, at equal FLOPs, on CIFAR-10.

    growth_resolution.py [--json PATH] [--seeds N] [--budgets 1e12,4e12] [--at-once N]

The recipe is configs/resolution.yaml, the same for all arms. For every seed and budget these runs
are made, each on one thread:

    grown    images of 16, then 24 (from 30 % of the budget on), then 32 pixels (from 60 % on)
    px16     16 pixels all along, in the test as well
    px24     24 pixels all along (only with --sizes 16,24,32)
    px32     32 pixels all along

The rows are of the test part. Ratios are the peer's test error over ours, as a geometric mean over
seeds (paired) with Student's t interval on the logarithms. Finished runs are kept in
build/bench/growth_resolution; when interrupted, the next call goes on from there.
"""

import argparse
import statistics
import sys

from _intervals import paired_row
from _report import ROOT, parsed, report, write
from _training_runs import Job, Runs, result

import cifar10  # noqa: E402  (scripts/, put on the path by _report)

NAME = "growth_resolution"
CONFIG = ROOT / "configs" / "resolution.yaml"


def train(runs, base, seeds, budgets, sizes):
    """(budget, arm) -> run.json of each seed."""
    arms = {"grown": ()} | {f"px{size}": (f"data.resolution=[{size}]",) for size in sizes}
    keys = [(budget, arm) for budget in budgets for arm in arms]
    jobs = [Job(f"{arm}-{budget}", CONFIG, (*base, f"run.budget={budget}", *arms[arm]), seed)
            for budget, arm in keys for seed in seeds]
    folders = iter(runs.do_all(jobs))
    return {key: [result(next(folders)) for _ in seeds] for key in keys}


def errors(made):
    """Test errors in percent."""
    return [100 * (1 - run["test_accuracy"]) for run in made]


def rows_of(made):
    return [paired_row(f"test error at {budget} FLOPs, growing images against {arm[2:]} pixels",
                       errors(made[budget, "grown"]), errors(peers), "%")
            for (budget, arm), peers in made.items() if arm != "grown"]


def arms_table(made):
    lines = ["| budget | images | test accuracy %, mean (each seed) | test loss | steps | wall s |",
             "| --- | --- | --- | ---: | ---: | ---: |"]
    for (budget, arm), each in made.items():
        def mean(key):
            return statistics.fmean(run[key] for run in each)
        accuracy = [100 * run["test_accuracy"] for run in each]
        what = "16, 24, 32 px" if arm == "grown" else f"{arm[2:]} px"
        lines.append(f"| {budget} | {what} | {statistics.fmean(accuracy):.2f} "
                     f"({', '.join(f'{a:.2f}' for a in accuracy)}) | {mean('test_loss'):.3f} "
                     f"| {mean('steps'):.0f} | {mean('wall_seconds'):.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", default="1e12,4e12")
    parser.add_argument("--sizes", default="16,32")
    parser.add_argument("--at-once", type=int, default=2)
    arguments = parsed(NAME, parser)

    def say(text):
        print(text, file=sys.stderr, flush=True)
    data = cifar10.find_or_exit(NAME, say)
    runs = Runs(arguments.binary, ROOT / "build" / "bench" / NAME, say, arguments.at_once)
    made = train(runs, (f"data.path={data}", "run.threads=1"), range(1, arguments.seeds + 1),
                 arguments.budgets.split(","), arguments.sizes.split(","))
    first = next(iter(made.values()))[0]
    content = report(NAME, rows_of(made) if arguments.seeds > 1 else [], first["versions"], 1)
    content["arms"] = {f"{arm}, {budget}": each for (budget, arm), each in made.items()}
    print(arms_table(made))
    if arguments.json:
        write(arguments.json, content)


if __name__ == "__main__":
    main()
