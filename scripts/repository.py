"""The repository's files as git sees them; shared by the other scripts."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where figures go, for `make goals`; runs too short for a figure are sent elsewhere.
BENCH = Path(os.environ.get("ESPER_BENCH") or ROOT / "build" / "bench")


def git(*arguments, root=ROOT):
    """Standard output of a git command, or None when it fails."""
    result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    return result.stdout if result.returncode == 0 else None


def files(root=ROOT):
    """Tracked and untracked files that are not ignored, as paths relative to `root`."""
    listed = git("ls-files", "-co", "--exclude-standard", "-z", root=root)
    if listed is None:
        raise SystemExit(f"{root} is no git repository")
    return sorted(Path(p) for p in listed.split("\0") if p and (Path(root) / p).is_file())


def merge_base():
    """Where this branch left main; the commit before, when main itself is checked out."""
    head = (git("rev-parse", "HEAD") or "").strip()
    for branch in ("main", "origin/main"):
        base = (git("merge-base", "HEAD", branch) or "").strip()
        if base and base != head:
            return base
    return (git("rev-parse", "--verify", "--quiet", "HEAD~1") or "").strip() or None


def changed_files():
    """Files that differ from the merge base, uncommitted ones included; all of them without one."""
    base = merge_base()
    if base is None:
        return files()
    names = (git("diff", "--name-only", "--diff-filter=d", base) or "").split("\n")
    names += (git("ls-files", "-o", "--exclude-standard") or "").split("\n")
    return sorted({Path(n) for n in names if n})


def ninja(build, *targets, quiet=False):
    """Builds targets; JOBS in the environment says with how many jobs (make passes it on)."""
    jobs = ["-j", os.environ["JOBS"]] if os.environ.get("JOBS") else []
    subprocess.run(["ninja", "-C", str(build), *jobs, *(["--quiet"] if quiet else []), *targets],
                   check=True)


def bench_row(case, ours, goal, unit, n):
    """A row of a benchmark's file without a peer: the peer is the goal, and there is no interval."""
    ratio = ours / goal if goal else float(ours <= goal)
    return {"case": case, "ours": ours, "peer": goal, "unit": unit, "ratio": ratio,
            "ci_low": ratio, "ci_high": ratio, "n": n, "against": "goal"}


def write_bench(path, rows, **more):
    """A benchmark's file for what is no benchmark: tests, sweeps, soaks."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    commit = git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=12") or "unknown"
    cpu = next((line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().split("\n")
                if line.startswith("model name")), "unknown")
    part = path.with_suffix(".part")
    part.write_text(json.dumps({
        "name": path.stem, "machine": {"cpu": cpu, "cores": os.cpu_count(),
                                       "threads": os.cpu_count()},
        "versions": {}, "commit": commit.strip(), "rows": rows, **more}, indent=1) + "\n")
    part.replace(path)
