"""What was measured at which commit: a file of one JSON object a line,
{"commit", "at", "bench", "rows": [[case, ours, unit], …]}, in the order of the commits' times.
"""

import json
import math

import repository


def commit_time(commit):
    """Seconds since 1970 of a commit; None where this repository does not have it."""
    told = repository.git("show", "-s", "--format=%ct", commit.removesuffix("-dirty"))
    return int(told.split()[-1]) if told and told.strip() else None


def read_history(path):
    records = []
    if not path.exists():
        return records
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            record = json.loads(line)
            records.append({"commit": str(record["commit"]), "at": int(record["at"]),
                            "bench": str(record["bench"]),
                            "rows": [[str(c), float(v), str(u)] for c, v, u in record["rows"]]})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}:{number} is no line of a history ({error!r}); remove it") \
                from error
    return records


def records_of(benches):
    for name, content in benches.items():
        commit = content.get("commit", "")
        at = commit_time(commit) if commit else None
        rows = [[row["case"], float(row["ours"]), row.get("unit", "")] for row in content["rows"]
                if math.isfinite(float(row["ours"]))]
        if at is not None and rows:
            yield {"commit": commit, "at": at, "bench": name, "rows": rows}


def merged(history, benches):
    """One record a commit and benchmark, the newest measurement of each."""
    found = {(r["commit"], r["bench"]): r for r in [*history, *records_of(benches)]}
    return sorted(found.values(), key=lambda r: (r["at"], r["commit"], r["bench"]))


def write_history(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(record) + "\n" for record in records))
    part.replace(path)
