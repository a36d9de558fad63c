#!/usr/bin/env python3
"""Adapting a trained, frozen host: esper.adapt against full fine-tuning, LoRA, Houlsby, a top block.

    growth_adapt.py [--json PATH] [--seeds N] [--jobs N] [--minutes M] [--report] [--quick]

Hosts are character GPTs (213,696 parameters, _adapt_hosts.py) that were trained on one text and are
adapted to another, in both directions. Every arm gets the same floating-point operations, counted as
PyTorch carries them out, all measurements of ours included; all but full fine-tuning train 24 % of
the host's parameters. Rates are tuned for each budget with seed 11 of the pair python-shakespeare on
the probe part; seeds 1 … N are reported, on a part on which nothing was chosen. LoRA is PEFT's own, so this goes on under
.venv-compat, where `make compat` installs PEFT.

A finished run is a line of build/bench/growth_adapt/runs.jsonl; when interrupted, the next call goes
on from there, and several calls may work together (--jobs N starts N). --minutes M stops after M
minutes and reports what is finished, --report reports without training. --quick: two seeds of the
shortest budget of one pair, at fixed rates.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

NAME = "growth_adapt"
ROOT = Path(__file__).resolve().parent.parent.parent
COMPAT = ROOT / ".venv-compat" / "bin" / "python"


def with_peft():
    """Goes on under the interpreter that has PEFT, if this one has not."""
    try:
        import peft  # noqa: F401
    except ImportError:
        if not COMPAT.exists() or os.environ.get("GROWTH_ADAPT_AGAIN"):
            raise SystemExit(f"{NAME}: PEFT is not installed; make compat sets it up in .venv-compat")
        os.environ["GROWTH_ADAPT_AGAIN"] = "1"
        os.execv(str(COMPAT), [str(COMPAT), *sys.argv])


if __name__ == "__main__":
    with_peft()
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(ROOT / "build" / "release" / "python"))

import torch  # noqa: E402

from _adapt_arms import RATES  # noqa: E402
from _adapt_runs import Runs  # noqa: E402
from _intervals import paired_row  # noqa: E402
from _report import report, write  # noqa: E402

FOLDER = ROOT / "build" / "bench" / NAME
PAIRS = {"python-shakespeare": ("python", "shakespeare"),
         "shakespeare-python": ("shakespeare", "python")}
TUNING = "python-shakespeare"
BUDGETS = (0.15e12, 0.75e12, 2.25e12)
TUNING_SEED = 11
PLAN = ((0, ("LoRA", "full")), (1, ("LoRA",)), (0, ("Houlsby", "top block")), (1, ("full",)),
        (2, ("LoRA", "full")), (1, ("Houlsby", "top block")))  # (budget, peers)
PEERS = ("LoRA", "full", "Houlsby", "top block")
EQUAL_PARAMETERS = ("LoRA", "Houlsby")
QUICK_RATES = {"full": 4e-3, "LoRA": 1e-2, "Houlsby": 1.5e-2, "top block": 1.5e-2, "ours": 1.5e-2}


def say(text):
    print(text, file=sys.stderr, flush=True)


def grid(arm, budget):
    """The jobs that tune an arm for a budget."""
    return [(TUNING, arm, rate, TUNING_SEED, budget) for rate in RATES[arm]]


def tuned(done, arm, budget):
    """The best rate of the grid on the probe part, None while the grid is not finished."""
    if any(job not in done for job in grid(arm, budget)):
        return None
    return min(grid(arm, budget), key=lambda job: done[job]["probe"])[2]


def train(runs, budgets, pairs, seeds, quick, until):
    """In the order of PLAN, so that what is compared is finished together. Houlsby's adapters and the
    top block do not run on the longest budget."""
    for at, peers in PLAN:
        budget, arms = BUDGETS[at], ("ours", *peers)
        if budget not in budgets:
            continue
        if not quick and not runs.do_all([j for arm in arms for j in grid(arm, budget)], until):
            return
        done = runs.done()
        rate = {arm: QUICK_RATES[arm] if quick else tuned(done, arm, budget) for arm in arms}
        jobs = [(pair, arm, rate[arm], seed, budget)
                for pair in pairs for seed in seeds for arm in arms]
        if not runs.do_all(jobs, until):
            return


def pairs_of(done, pair, budget, peer, seeds, rate_of):
    """Finished (ours, peer) runs with the same seed."""
    jobs = [[(pair, arm, rate_of(arm, budget), seed, budget) for arm in ("ours", peer)]
            for seed in seeds]
    return [[done[a], done[b]] for a, b in jobs if a in done and b in done]


def rows_of(done, budgets, pairs, seeds, rate_of):
    rows = []
    for pair in pairs:
        for budget in budgets:
            at = f"{pair}, {budget / 1e12:g} TFLOP"
            for peer in PEERS:
                found = pairs_of(done, pair, budget, peer, seeds, rate_of)
                if len(found) < 2:
                    continue
                ours, theirs = [a["new"] for a, _ in found], [b["new"] for _, b in found]
                rows.append(paired_row(f"{at}: new loss against {peer}, equal FLOPs", ours, theirs,
                                       "nat"))
                if peer in EQUAL_PARAMETERS:
                    rows.append(paired_row(f"{at}: new loss against {peer}, equal parameters",
                                           ours, theirs, "nat"))
                rows.append(paired_row(f"{at}: old loss while on against {peer}",
                                       [a["old"] for a, _ in found],
                                       [b["old"] for _, b in found], "nat"))
                rows.append(paired_row(f"{at}: CPU seconds against {peer}",
                                       [a["cpu_seconds"] for a, _ in found],
                                       [b["cpu_seconds"] for _, b in found], "s"))
        kept = [r for r in done.values()
                if r["pair"] == pair and r["arm"] == "ours" and r["seed"] in seeds
                and r["budget"] in budgets and r["rate"] == rate_of("ours", r["budget"])]
        if kept:
            same = 1.0 if all(r["bit_equal"] for r in kept) else 0.0
            loss = statistics.fmean(r["old_off"] for r in kept)
            rows.append({"case": f"{pair}: old loss kept", "ours": loss, "peer": loss, "unit": "nat",
                         "ratio": same, "ci_low": same, "ci_high": same, "n": len(kept)})
    return rows


def arms_table(done, budgets, pairs, seeds, rate_of):
    lines = ["| pair, budget | arm | rate | parameters | new loss (each seed) | old, on | CPU s |",
             "| --- | --- | ---: | ---: | --- | ---: | ---: |"]
    for pair in pairs:
        for budget in budgets:
            for arm in ("ours", *PEERS):
                rate = rate_of(arm, budget)
                found = [r for s in seeds if (r := done.get((pair, arm, rate, s, budget)))]
                if found:
                    mean = lambda key: statistics.fmean(r[key] for r in found)
                    each = ", ".join(f"{r['new']:.4f}" for r in found)
                    lines.append(f"| {pair}, {budget / 1e12:g} T | {arm} | {rate:g} | "
                                 f"{mean('parameters'):.0f} | {mean('new'):.4f} ({each}) | "
                                 f"{mean('old'):.4f} | {mean('cpu_seconds'):.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--helper", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", action="store_true", help="train nothing; rows of what is finished")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then report what there is")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs, until = Runs(FOLDER, PAIRS, say), time.time() + 60 * arguments.minutes
    seeds, pairs, budgets = range(1, arguments.seeds + 1), tuple(PAIRS), BUDGETS
    if arguments.quick:
        seeds, pairs, budgets = range(1, 3), (TUNING,), BUDGETS[:1]
    if not arguments.report:
        more = [subprocess.Popen([sys.executable, __file__, *drop_jobs(sys.argv[1:]), "--helper"])
                for _ in range(arguments.jobs - 1)]
        train(runs, budgets, pairs, seeds, arguments.quick, until)
        for process in more:
            process.wait()
    if arguments.helper:
        return
    done = runs.done()
    rate_of = lambda arm, budget: QUICK_RATES[arm] if arguments.quick else tuned(done, arm, budget)
    rows = rows_of(done, budgets, pairs, seeds, rate_of)
    if not rows:
        raise SystemExit(f"{NAME}: no pair of runs is finished; run it without --report")
    content = report(NAME, rows, {"torch": torch.__version__}, 1)
    content["runs"] = list(done.values())
    print(arms_table(done, budgets, pairs, seeds, rate_of))
    if arguments.json:
        write(arguments.json, content)


def drop_jobs(given):
    """The arguments for a helper: without --jobs and --json, which are this process's own."""
    kept, skip = [], False
    for word in given:
        if skip:
            skip = False
        elif word in ("--jobs", "--json"):
            skip = True
        elif not word.startswith(("--jobs=", "--json=")):
            kept.append(word)
    return kept


if __name__ == "__main__":
    main()
