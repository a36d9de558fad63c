#!/usr/bin/env python3
"""Checks that rooms depend downwards only, that libtorch stays above `graph`, and file sizes.

    check_rooms.py [ROOT]     prints each breach; exit status 1 when there is one
"""

import re
import sys
from pathlib import Path

import repository

# A room may include itself and rooms of a lower storey, never its neighbours.
STOREY = {
    "base": 0,
    "contracts": 1,
    "utils": 2,
    "configs": 2,
    "graph": 3,
    "execution": 4,
    "blueprints": 4,
    "core": 5,
    "services": 6,
    "cli": 7,
}
TORCH_FREE_ROOMS = {"base", "contracts", "utils", "configs"}
SOURCE_SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake"}
MOST_LINES = 800

ROOM_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]esper/(([a-z_]+)/[^">]+)[">]', re.M)
TORCH_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]((?:ATen|torch|c10)/[^">]+)[">]', re.M)


def is_torch_free(room, name):
    """Kasmina's own files are the part of `execution` that knows libtorch."""
    return room in TORCH_FREE_ROOMS or (room == "execution" and not name.startswith("kasmina_"))


def breaches_of(path, text):
    """Breaches of one file under src/esper/, `path` being relative to the repository."""
    room = path.parts[2]
    if room not in STOREY:
        yield f"{path}: '{room}' is no room (rooms: {', '.join(STOREY)})"
        return
    torch_free = is_torch_free(room, path.name)
    for match in ROOM_INCLUDE.finditer(text):
        target, other = match.groups()
        if other == room:
            allowed = True
        elif other not in STOREY:
            yield f"{path}: includes esper/{target}, but '{other}' is no room"
            continue
        else:
            allowed = STOREY[other] < STOREY[room]
        if not allowed:
            yield f"{path}: {room} may not include esper/{target}; dependencies point downwards"
        elif torch_free and not is_torch_free(other, Path(target).name):
            yield f"{path}: is built without libtorch, but includes esper/{target}"
    if torch_free:
        for match in TORCH_INCLUDE.finditer(text):
            yield f"{path}: is built without libtorch, but includes {match.group(1)}"


def breaches(root):
    for path in repository.files(root):
        is_source = path.suffix in SOURCE_SUFFIXES or path.name == "CMakeLists.txt"
        if not is_source:
            continue
        text = (Path(root) / path).read_text(encoding="utf-8", errors="replace")
        lines = text.count("\n")
        if lines > MOST_LINES:
            yield f"{path}: {lines} lines; no file is longer than {MOST_LINES}"
        if path.parts[:2] == ("src", "esper") and len(path.parts) > 3:
            yield from breaches_of(path, text)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    found = list(breaches(root))
    for breach in found:
        print(breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
