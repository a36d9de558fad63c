#!/usr/bin/env python3
"""Checks that each room includes only what it may use, that libtorch stays where it belongs, and
file sizes.

    check_rooms.py [ROOT]     prints each breach; exit status 1 when there is one
"""

import re
import sys
from pathlib import Path

import repository

# Each room and what it may use; a room may also use what those may use. The longest folder that
# fits is a file's room. src/esper/CMakeLists.txt links the same lists.
ROOMS = {
    "base": [],
    "contracts": ["base"],
    "utils": ["contracts"],
    "configs": ["contracts"],
    "program": ["base"],
    "engine/kernels": ["base"],
    "engine": ["program", "engine/kernels"],
    "exchange": ["engine"],
    "blueprints": ["program"],
    "execution/states": ["contracts"],
    "execution/kernels": ["execution/states", "utils"],
    "execution/cuda": ["execution/states", "engine/kernels"],
    "execution/kasmina": ["engine", "execution/kernels", "configs"],
    "core": ["execution/kasmina", "exchange", "blueprints"],
    "api": ["core"],
    "services/tamiyo": ["configs"],
    "services/ports": ["base"],
    "services/urza": ["execution/kernels", "blueprints", "services/serving"],
    "services/records": ["services/ports", "program", "contracts"],
    "services/serving": ["contracts"],
    "services/nissa": ["services/serving", "services/records", "services/urza", "configs"],
    "services/tolaria": ["base"],
    "services/tolaria/data": ["services/tolaria", "configs"],
    "services/tolaria/learn": ["services/tolaria/data", "services/records", "execution/kasmina"],
    "services/tolaria/host": ["services/tolaria/learn", "core"],
    "services/tolaria/grow": ["services/tolaria/host", "services/tamiyo"],
    "services/tolaria/adapt": ["services/tolaria/grow"],
    "services/tolaria/run": ["services/tolaria/grow"],
    "services/urabrask": ["engine", "execution/kernels"],
    "services/tezzeret": ["services/urabrask"],
    "services/supply": ["services/ports", "services/tezzeret", "services/urza"],
    "cli": ["services/tolaria/run", "services/tolaria/adapt", "services/supply", "services/nissa",
            "api"],
}
# Rooms that are built without libtorch; they are what ThreadSanitizer and coverage reach first.
TORCH_FREE = {
    "base", "contracts", "utils", "configs", "program", "engine/kernels", "blueprints",
    "execution/states", "execution/kernels", "services/tamiyo", "services/records",
    "services/tolaria/data", "services/ports", "services/serving", "services/nissa",
    "services/urza",
}
SOURCE_SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake"}
MOST_LINES = 800

ROOM_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]esper/([a-z_0-9]+/[^">]+)[">]', re.M)
TORCH_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]((?:ATen|torch|c10)/[^">]+)[">]', re.M)


def room_of(folder):
    """The room that a folder below src/esper belongs to, or None."""
    parts = Path(folder).parts
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        if name in ROOMS:
            return name
    return None


def usable(room, seen=None):
    """All rooms that `room` may use, itself included."""
    seen = seen if seen is not None else set()
    if room not in seen:
        seen.add(room)
        for other in ROOMS[room]:
            usable(other, seen)
    return seen


def breaches_of(path, text):
    """Breaches of one file under src/esper/, `path` being relative to the repository."""
    folder = "/".join(path.parts[2:-1])
    room = room_of(folder)
    if room is None:
        yield f"{path}: '{folder}' is no room (rooms: {', '.join(ROOMS)})"
        return
    allowed = usable(room)
    for match in ROOM_INCLUDE.finditer(text):
        target = match.group(1)
        other = room_of(str(Path(target).parent))
        if other is None:
            yield f"{path}: includes esper/{target}, which is in no room"
        elif other not in allowed:
            yield (f"{path}: {room} may not include esper/{target}; "
                   f"it may use {', '.join(ROOMS[room]) or 'nothing'}")
        elif room in TORCH_FREE and other not in TORCH_FREE | {"services/tolaria"}:
            yield f"{path}: is built without libtorch, but includes esper/{target}"
    if room in TORCH_FREE:
        for match in TORCH_INCLUDE.finditer(text):
            yield f"{path}: is built without libtorch, but includes {match.group(1)}"


def circles():
    """Rooms that may use themselves by way of others."""
    for room, others in ROOMS.items():
        for other in others:
            if room in usable(other):
                yield f"{room} and {other} may use each other"


def breaches(root):
    yield from circles()
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
