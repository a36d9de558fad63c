#!/usr/bin/env python3
"""Prints every target beside what was measured, and writes build/goals.json and build/goals.html.

    goals.py [--bench FOLDER] [--output FILE] [--all] [--keep]

The page shows every figure over the commits at which it was measured: those of this checkout's
build/history.jsonl, and those that are kept with the repository in bench/history.jsonl, into which
--keep writes what was measured at commits without changes.

Reads the files that benchmarks, sweeps and tests left in build/bench/ (scripts/goal_rows.py says
which), and build/compat.json beside that folder. A target is `reached`, `holds` (above its floor, short of its goal), `below its floor`,
`short` (there is no floor) or `not measured`, which counts as none of them. Exit status 1 when
something measured lies below its floor; with --all also when something was not measured.
"""

import argparse
import fnmatch
import json
import sys
from pathlib import Path

import repository
from goal_rows import TARGETS
from goals_history import merged, read_history, write_history
from goals_page import page_of

# From bad to good; a target is as its worst check.
STATES = ("below its floor", "not measured", "short", "holds", "reached")


class BadBench(Exception):
    """A file in build/bench/ that is no benchmark's."""


def read_benches(folder):
    """bench -> its file's content."""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            content = json.loads(path.read_text())
            rows = content["rows"]
            for row in rows:
                row["case"]
                float(row["ours"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadBench(f"{path} is no benchmark's file ({error!r}); make it anew or remove "
                           f"it") from error
        found[path.stem] = content
    return found


def compat_rows(path):
    """The report of `make compat` as a benchmark's file; {} where there is none."""
    if not path.exists():
        return {}
    try:
        report = json.loads(path.read_text())
        total, works = report["total"], report["total"] - report["failed"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadBench(f"{path} is no report of make compat ({error!r})") from error
    rows = [("architectures that work, of those built", total)]
    if "not_built" in report:  # older reports do not say what was not built
        rows.append(("architectures that work, of those tried", total + report["not_built"]))
    return {"compat": {"rows": [
        {"case": case, "ours": works / count, "n": count, "unit": "share"}
        for case, count in rows if count]}}


def shown(row, bound):
    unit = row.get("unit", "") if bound.field == "ours" else ""
    name = "" if bound.field == "ours" else f"{bound.field} "
    return f"{name}{row[bound.field]:.4g} {unit}".strip()


def judge(check, benches):
    """(state, text, where it was measured) of one check."""
    if check.waits:
        return "not measured", f"not measured: waits for {check.waits}", None
    content = benches.get(check.bench)
    rows = [r for r in content["rows"] if fnmatch.fnmatchcase(r["case"], check.cases)] \
        if content else []
    if not rows:
        return "not measured", f"not measured: {check.how}", None
    bounds = [b for b in (check.floor, check.goal) if b]
    lacking = [b.field for b in bounds for r in rows if b.field not in r]
    if lacking:
        return "not measured", f"not measured: no '{lacking[0]}' in the file; {check.how}", None
    goal_holds = check.goal is None or all(check.goal.holds(r) for r in rows)
    if check.floor and not all(check.floor.holds(r) for r in rows):
        state, bound = "below its floor", check.floor
    elif goal_holds:
        state, bound = "reached", check.goal or check.floor
    else:
        state, bound = ("holds" if check.floor else "short"), check.goal
    worst = bound.worst(rows)
    text = f"{worst['case']}: {shown(worst, bound)}"
    if len(rows) > 1:
        text += f" (worst of {len(rows)})"
    return state, text, content.get("commit")


def judge_all(benches, targets=TARGETS):
    judged = []
    for target in targets:
        checks = []
        for check in target.checks:
            state, text, commit = judge(check, benches)
            checks.append({"bench": check.bench, "cases": check.cases, "state": state,
                           "measured": text, "commit": commit, "command": check.how})
        state = min((c["state"] for c in checks), key=STATES.index)
        judged.append({"target": target.what, "floor": target.floor, "goal": target.goal,
                       "state": state, "checks": checks})
    return judged


def print_table(judged):
    print("| target | floor | goal | measured | state |\n| --- | --- | --- | --- | --- |")
    for target in judged:
        first = f"| {target['target']} | {target['floor']} | {target['goal']}"
        for check in target["checks"]:
            print(f"{first} | {check['measured']} | {check['state']} |")
            first = "| | |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", type=Path, default=repository.BENCH)
    parser.add_argument("--output", type=Path, default=repository.ROOT / "build" / "goals.json")
    parser.add_argument("--all", action="store_true", help="fail where something is not measured")
    parser.add_argument("--keep", action="store_true", help="add the figures to bench/history.jsonl")
    parser.add_argument("--kept", type=Path, default=repository.ROOT / "bench" / "history.jsonl",
                        help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        benches = read_benches(arguments.bench)
        benches.update(compat_rows(arguments.bench.parent / "compat.json"))
        judged = judge_all(benches)
    except BadBench as error:
        raise SystemExit(f"goals: {error}") from error
    print_table(judged)
    counts = {state: sum(t["state"] == state for t in judged) for state in reversed(STATES)}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({"counts": counts, "targets": judged}, indent=1) + "\n")
    own = arguments.output.with_name("history.jsonl")
    try:
        history = merged(read_history(arguments.kept) + read_history(own), benches)
    except ValueError as error:
        raise SystemExit(f"goals: {error}") from error
    write_history(own, history)
    if arguments.keep:
        write_history(arguments.kept, [r for r in history if not r["commit"].endswith("-dirty")])
    page = arguments.output.with_suffix(".html")
    page.write_text(page_of(judged, counts, history, benches))
    print(f"goals: {page} shows them over {len({r['commit'] for r in history})} commits")
    below = [t["target"] for t in judged
             if any(c["state"] == "below its floor" for c in t["checks"])]
    unknown = counts["not measured"]
    print(f"\ngoals: {len(judged)} targets: "
          + ", ".join(f"{n} {state}" for state, n in counts.items()))
    if below:
        print(f"goals: below the floor: {', '.join(below)}")
    return 1 if below or (arguments.all and unknown) else 0


if __name__ == "__main__":
    sys.exit(main())
