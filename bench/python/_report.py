"""What every benchmark writes: the JSON file of docs/benchmarks.md."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))


def _first_line(command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout
    except OSError:
        return "unknown"
    return output.strip().split("\n")[0] or "unknown"


def machine(threads):
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().split("\n"):
        if line.startswith("model name"):
            cpu = line.split(": ", 1)[1]
            break
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": threads}


def commit():
    return _first_line(["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"])


def parsed(name, parser):
    """The arguments, `--json PATH` and `--binary PATH` among them; ends where there is no program."""
    parser.add_argument("--json", type=Path)
    parser.add_argument("--binary", type=Path,
                        default=ROOT / "build" / "release" / "bin" / "esper")
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        raise SystemExit(f"{name}: {arguments.binary} is missing: run make build first")
    return arguments


def report(name, rows, versions, threads):
    return {"name": name, "machine": machine(threads),
            "versions": {"compiler": _first_line(["g++", "--version"]), **versions},
            "commit": commit(), "rows": rows}


def write(path, content):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)
