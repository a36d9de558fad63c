#!/usr/bin/env python3
"""Names in the anonymous namespace of a source that another source's, or a header of its room, has too.

    check_unity.py [ROOT]     prints each; exit status 1 when there is one

`make UNITY=ON` and the coverage preset compile eight sources of a room as one (CONTRIBUTING.md, the
build), where such names meet.
Give one of them another name, or add its source to the list of those that are compiled alone in
src/esper/CMakeLists.txt.
Functions that differ in their parameters' types do not meet.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import check_rooms

ALONE = re.compile(r"set_source_files_properties\(([^()]*)PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON\)")
# clang-format indents nothing in a namespace, so that declarations begin their lines.
TYPE = re.compile(r"(?:struct|class|enum class|enum|union|using) (\w+)(?: [:={]|;| final)")
CONSTANT = re.compile(r"(?!namespace |using )(?:inline |static |thread_local )*(?:constexpr |const )?"
                      r"[\w:<>,&* ]+?[ &*](\w+)(?:\[[^]]*\])?(?: =|\{|;)")
FUNCTION = re.compile(r"(?:[\w:<>,&*\[\]]+ )+[&*]*(\w+)\(([^{;]*?)\)(?: \w+)*\s*[{;]", re.S)


def types_of(parameters):
    """`const at::Tensor&, int` of `const at::Tensor& x, int n = 3`."""
    found = []
    for parameter in re.split(r",(?![^<(]*[>)])", " ".join(parameters.split())):
        parameter = parameter.split(" =")[0].strip()
        found.append(re.sub(r"(?<=[\s&*>])\w+$", "", parameter).strip())
    return ", ".join(found)


def names_of(text):
    """What a source's anonymous namespaces declare, each with the namespace around it."""
    names, space, inside, lines = set(), "", False, text.splitlines()
    for number, line in enumerate(lines):
        if found := re.match(r"namespace ([\w:]+) \{", line):
            space = found.group(1)
        elif line == "namespace {":
            inside = True
        elif line == "}  // namespace":
            inside = False
        elif inside and line and line[0] not in " }#/":
            head = "\n".join(lines[number:number + 6])
            if found := TYPE.match(line):
                names.add((space, found.group(1)))
            elif found := FUNCTION.match(head):
                names.add((space, f"{found.group(1)}({types_of(found.group(2))})"))
            elif found := CONSTANT.match(line):
                names.add((space, found.group(1)))
    return names


def declared(text):
    """The functions that a header declares, each with the namespace around it."""
    names, space, lines = set(), "", text.splitlines()
    for number, line in enumerate(lines):
        if found := re.match(r"namespace ([\w:]+) \{", line):
            space = found.group(1)
        elif line and line[0] not in " }#/":
            if found := FUNCTION.match("\n".join(lines[number:number + 6])):
                names.add((space, f"{found.group(1)}({types_of(found.group(2))})"))
    return names


def alone(root):
    """The sources that are compiled by themselves, relative to src/esper."""
    words = " ".join(ALONE.findall((Path(root) / "src/esper/CMakeLists.txt").read_text())).split()
    return set(words)


def problems(root):
    base = Path(root) / "src" / "esper"
    apart = alone(root)
    for name in sorted(apart):
        if not (base / name).exists():
            yield f"src/esper/CMakeLists.txt compiles {name} alone, which is not there"
    where, public = defaultdict(list), defaultdict(list)
    for path in sorted(base.rglob("*.h")):
        room = check_rooms.room_of(str(path.relative_to(base).parent))
        for space, found in declared(path.read_text()):
            public[room, space, found].append(str(path.relative_to(base)))
    for path in sorted(base.rglob("*.cpp")):
        name = str(path.relative_to(base))
        room = check_rooms.room_of(str(Path(name).parent))
        if name in apart or room == "engine/kernels":
            continue
        for space, found in names_of(path.read_text()):
            where[room, space, found].append(name)
    for (room, space, found), files in sorted(where.items()):
        if len(files) > 1:
            yield f"{space}::{found} stands in the anonymous namespaces of {', '.join(files)}"
        for header in public[room, space, found]:
            yield f"{space}::{found} of {files[0]}'s anonymous namespace is also declared in {header}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(problems(root))
    print("\n".join(found) or "unity: no source stands in another's way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
