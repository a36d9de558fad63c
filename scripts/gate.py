#!/usr/bin/env python3
"""The performance gate: benchmarks of this tree beside those of the merge base.

    gate.py [--rounds N] [--base COMMIT] [NAME …]

Both trees are built in release mode; their programs run in turns, so that what slows the machine
down slows both. A case more than 10 % slower is measured again with twice the rounds; the gate
fails when it is still more than 10 % slower and three rounds of four lie outside the 2 % noise
band. A case or a benchmark of the base that the change no longer has is `missing` and fails, too:
--renamed NAME/CASE or NAME says that one was dropped or renamed on purpose. Writes
build/gate/report.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import bench
import repository

LIMIT = 1.10
NOISE = 0.02
WORK = repository.ROOT / "build" / "gate"


def slowdowns(base, change, better):
    """Paired: above 1 means that the change is slower."""
    if better == "higher":
        return [b / c for b, c in zip(base, change)]
    return [c / b for b, c in zip(base, change)]


def verdict(ratios):
    """`slower`, `faster` or `same`, of paired slowdowns."""
    middle = statistics.median(ratios)
    if middle > LIMIT:
        # One disturbed round must not condemn a change: most rounds have to agree.
        agreeing = sum(r > 1 + NOISE for r in ratios)
        return "slower" if 4 * agreeing >= 3 * len(ratios) else "same"
    return "faster" if middle < 1 - NOISE else "same"


def prepare_base(commit):
    """The merge base's tree, built beside ours."""
    tree = WORK / "base"
    marker = tree / ".gate-commit"
    if not marker.exists() or marker.read_text() != commit:
        subprocess.run(["rm", "-rf", str(tree)], check=True)
        tree.mkdir(parents=True)
        archive = subprocess.Popen(["git", "-C", str(repository.ROOT), "archive", commit],
                                   stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(tree)], stdin=archive.stdout, check=True)
        if archive.wait() != 0:
            raise SystemExit(f"git archive {commit} failed")
        marker.write_text(commit)
    return tree


def configure(tree):
    own = sorted((repository.ROOT / ".venv").glob("lib/python3*/site-packages/torch"))
    torch = os.environ.get("ESPER_TORCH") or (own[0] if own else None)
    options = [f"-DESPER_TORCH={torch}"] if torch else []
    subprocess.run(["cmake", "--preset", "bench", "-B", str(tree / "build" / "gate-build"),
                    "--log-level=WARNING", *options], cwd=tree, check=True,
                   stdout=subprocess.DEVNULL)
    return tree / "build" / "gate-build"


def has_target(build, target):
    query = subprocess.run(["ninja", "-C", str(build), "-t", "query", target],
                           capture_output=True)
    return query.returncode == 0


def rows_of(program, output):
    result = subprocess.run([str(program), "--json", str(output)], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{program} exited with {result.returncode}\n{result.stderr}")
    return {row["case"]: row for row in json.loads(output.read_text())["rows"]}


def measure(programs, rounds):
    """(case -> paired slowdowns, cases that only the base has, cases that only the change has)."""
    values = {}
    only = {"base": set(), "change": set()}
    for turn in range(rounds):
        rows = {}
        for side in ("base", "change") if turn % 2 == 0 else ("change", "base"):
            rows[side] = rows_of(programs[side], WORK / f"{side}.json")
        only["base"] |= rows["base"].keys() - rows["change"].keys()
        only["change"] |= rows["change"].keys() - rows["base"].keys()
        for case in rows["base"].keys() & rows["change"].keys():
            entry = values.setdefault(case, ([], [], rows["change"][case].get("better", "lower")))
            entry[0].append(rows["base"][case]["ours"])
            entry[1].append(rows["change"][case]["ours"])
    return ({case: slowdowns(*entry) for case, entry in values.items()}, sorted(only["base"]),
            sorted(only["change"]))


def judge(name, programs, rounds):
    """One line per case; what looked slower is confirmed with fresh rounds."""
    ratios, missing, new = measure(programs, rounds)
    suspects = [case for case, r in ratios.items() if verdict(r) == "slower"]
    if suspects:
        print(f"{name}: confirming {', '.join(suspects)}", flush=True)
        again, _, _ = measure(programs, 2 * rounds)
        ratios.update({case: again[case] for case in suspects})
    lines = []
    for case in sorted(ratios):
        found = verdict(ratios[case])
        middle = statistics.median(ratios[case])
        lines.append({"name": name, "case": case, "slowdown": middle, "verdict": found,
                      "rounds": len(ratios[case])})
        print(f"| {name} | {case} | {middle:.3f} | {min(ratios[case]):.3f}–"
              f"{max(ratios[case]):.3f} | {found} |", flush=True)
    lines += [unmatched(name, case, "missing") for case in missing]
    lines += [unmatched(name, case, "new") for case in new]
    return lines


def unmatched(name, case, verdict_of_it):
    """A case that only one side has: there is nothing to compare."""
    print(f"| {name} | {case} | – | – | {verdict_of_it} |", flush=True)
    return {"name": name, "case": case, "slowdown": None, "verdict": verdict_of_it, "rounds": 0}


def failures(lines, renamed):
    """The lines that fail the gate; `renamed`: what may be missing."""
    def is_meant(row):
        return row["name"] in renamed or f"{row['name']}/{row['case']}" in renamed
    return [row for row in lines
            if row["verdict"] == "slower" or (row["verdict"] == "missing" and not is_meant(row))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", help="a commit; default: where the branch left main")
    parser.add_argument("--renamed", action="append", default=[], metavar="NAME[/CASE]",
                        help="was dropped or renamed on purpose")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    commit = arguments.base or repository.merge_base()
    if commit is None:
        raise SystemExit("no merge base with main, and no commit before this one")
    commit = (repository.git("rev-parse", commit) or "").strip()
    tree = prepare_base(commit)
    known = sorted({n for root in (tree, repository.ROOT)
                    for n, source in bench.benchmarks(root).items() if source.suffix == ".cpp"})
    unknown = [n for n in arguments.names if n not in known]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")

    builds = {"base": configure(tree), "change": configure(repository.ROOT)}
    print(f"gate: against {commit[:12]}; above 1 is slower\n"
          "| benchmark | case | slowdown | range | verdict |\n| --- | --- | ---: | --- | --- |")
    lines = []
    for name in arguments.names or known:
        target = f"bench_{name}"
        if not has_target(builds["change"], target):
            lines.append(unmatched(name, "every case", "missing"))
            continue
        if not has_target(builds["base"], target):
            lines.append(unmatched(name, "every case", "new"))
            continue
        programs = {}
        for side, build in builds.items():
            repository.ninja(build, target, quiet=True)
            programs[side] = build / "bin" / target
        lines += judge(name, programs, arguments.rounds)
    (WORK / "report.json").write_text(json.dumps({"base": commit, "rows": lines}, indent=2))
    failed = failures(lines, arguments.renamed)
    slower, missing = ([f"{row['name']}/{row['case']}" for row in failed if row["verdict"] == v]
                       for v in ("slower", "missing"))
    print(f"gate: {len(lines)} cases, slower: {', '.join(slower) or 'none'}; "
          f"missing: {', '.join(missing) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
