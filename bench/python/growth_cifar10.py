#!/usr/bin/env python3
"""Growth on CIFAR-10 against not growing, against the final network from scratch, against chance.

    growth_cifar10.py [--json PATH] [--seeds N] [--config FILE]

The setting is configs/cifar10.yaml, chosen on the validation part; the rows are of the test part.
For every seed these runs are made, each on one thread, two at a time:

    grow            the configuration as it is
    never           the same, but nothing ever grows
    never_equal     the same with more steps, so that its total FLOPs are those of `grow`
    scratch_equal   the network that `grow` ended with, trained from scratch for those FLOPs
    random          seeds germinate at random moments and places (controller.policy=random)

FLOPs are run.json's flops_total: training, validation, measurements of the gates and of predicted
gains, seeds that were culled, forks. Ratios are the peer's over ours, as a geometric mean over seeds
(paired) with Student's t interval on the logarithms. Finished runs are kept in
build/bench/growth_cifar10; when interrupted, the next call goes on from there.
"""

import argparse
import statistics
import sys
from pathlib import Path

from _intervals import paired_row
from _report import ROOT, report, write
from _training_runs import Job, Runs, curve, flops_to_reach, result

import cifar10  # noqa: E402  (scripts/, put on the path by _report)

NAME = "growth_cifar10"
NEVER = ("growth.enabled=false", "controller.policy=never")



def steps_for(grown, never, relative_flops=1.0):
    """steps_per_epoch with which a run spends the FLOPs that `grown` spent, from what `never` did;
    `relative_flops`: of the network, against never's."""
    run, total = result(never), result(grown)["flops_total"]
    return round(total / (run["flops_total"] / run["steps"] * relative_flops) / run["epochs"])


def train(runs, config, base, seeds):
    """arm -> folders, one a seed."""
    arms = {}

    def do(jobs):
        for job, folder in zip(jobs, runs.do_all(jobs)):
            arms.setdefault(job.name, []).append(folder)

    def job(arm, seed, *overrides):
        return Job(arm, config, base + overrides, seed)

    do([j for seed in seeds for j in (job("grow", seed), job("never", seed, *NEVER),
                                      job("random", seed, "controller.policy=random"))])
    equal = []
    for seed, grown, never in zip(seeds, arms["grow"], arms["never"]):
        steps = steps_for(grown, never)
        equal.append(job("never_equal", seed, *NEVER, f"run.steps_per_epoch={steps}"))
        size = result(grown)["flops_per_example"] / result(never)["flops_per_example"]
        steps = steps_for(grown, never, size)
        equal.append(job("scratch_equal", seed, *NEVER, f"model.path={grown}",
                         f"run.steps_per_epoch={steps}"))
    do(equal)
    return arms


def values(folders, key):
    return [result(f)[key] for f in folders]


def errors(folders):
    """Test errors in percent."""
    return [100 * (1 - a) for a in values(folders, "test_accuracy")]


def reach(ours, peers):
    """FLOPs that each of a pair of runs needs for the validation accuracy that both reach."""
    pairs = []
    for mine, peer in zip(map(curve, ours), map(curve, peers)):
        goal = min(max(a for _, a in mine), max(a for _, a in peer))
        pairs.append((flops_to_reach(mine, goal), flops_to_reach(peer, goal)))
    return [p[0] for p in pairs], [p[1] for p in pairs]


def rows_of(arms):
    grow = arms["grow"]
    rows = [paired_row("test error, growth against never-grow, same steps",
                       errors(grow), errors(arms["never"]), "%"),
            paired_row("test error, growth against never-grow, equal FLOPs",
                       errors(grow), errors(arms["never_equal"]), "%"),
            paired_row("test error, growth against the final network from scratch, equal FLOPs",
                       errors(grow), errors(arms["scratch_equal"]), "%"),
            paired_row("test error, growth against random growth, same steps",
                       errors(grow), errors(arms["random"]), "%")]
    for arm, peer in (("never_equal", "never-grow"),
                      ("scratch_equal", "the final network from scratch")):
        ours, peers = reach(grow, arms[arm])
        rows.append(paired_row(f"FLOPs to the same validation accuracy, growth against {peer}",
                               ours, peers, "FLOPs"))
    return rows


def arms_table(arms):
    lines = ["| arm | test accuracy % (mean, each seed) | total FLOPs | steps | parameters | "
             "kept, culled | wall s |", "| --- | --- | ---: | ---: | ---: | --- | ---: |"]
    for arm, folders in arms.items():
        accuracy = [100 * a for a in values(folders, "test_accuracy")]
        seeds = values(folders, "seeds")

        def mean(key):
            return statistics.fmean(values(folders, key))
        lines.append(
            f"| {arm} | {statistics.fmean(accuracy):.2f} ({', '.join(f'{a:.2f}' for a in accuracy)})"
            f" | {mean('flops_total'):.4g} | {mean('steps'):.0f} | {mean('parameters'):.0f}"
            f" | {sum(s['fossilized'] for s in seeds)}, {sum(s['culled'] for s in seeds)}"
            f" | {mean('wall_seconds'):.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "cifar10.yaml")
    parser.add_argument("--binary", type=Path, default=ROOT / "build" / "release" / "bin" / "esper")
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        raise SystemExit(f"{NAME}: {arguments.binary} is missing: run make build first")

    def say(text):
        print(text, file=sys.stderr, flush=True)
    data = cifar10.find_or_exit(NAME, say)
    runs = Runs(arguments.binary, ROOT / "build" / "bench" / NAME, say)
    base = (f"data.path={data}", "run.threads=1", "run.precision=fp32")
    arms = train(runs, arguments.config, base, range(1, arguments.seeds + 1))
    content = report(NAME, rows_of(arms), result(arms["grow"][0])["versions"], 1)
    content["arms"] = {arm: [result(f) for f in folders] for arm, folders in arms.items()}
    print(arms_table(arms))
    if arguments.json:
        write(arguments.json, content)


if __name__ == "__main__":
    main()
