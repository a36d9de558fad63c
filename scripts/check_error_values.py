#!/usr/bin/env python3
"""Lists the values of our error enums that no test mentions; exit status 1 when there is one.

An enum is what ESPER_DEFINE_ERRORS declares; a mention is `Enum::kValue` in a C++ file under
tests/, or `room.Value`, as a command prints it, in a Python one.

    check_error_values.py [ROOT]
"""

import re
import sys
from pathlib import Path

import repository

LIST = re.compile(r"#define\s+(\w+)\(X\)((?:[^\n]*\\\n)*[^\n]*)")
VALUE = re.compile(r"\bX\(\s*(k\w+)")
ENUM = re.compile(r"^\s*ESPER_DEFINE_ERRORS\(\s*(\w+)\s*,\s*\"([^\"]*)\"\s*,\s*(\w+)\s*\)", re.M)


def declared(text):
    """(enum, room, [values]) for each error enum declared in a header's text."""
    lists = {name: VALUE.findall(body) for name, body in LIST.findall(text)}
    for enum, room, list_name in ENUM.findall(text):
        yield enum, room, lists.get(list_name, [])


def read(root, suffixes, folder):
    for path in repository.files(root):
        if path.parts[0] == folder and path.suffix in suffixes:
            yield (Path(root) / path).read_text(encoding="utf-8", errors="replace")


def untested(root):
    tests = "\n".join(read(root, {".cpp", ".h"}, "tests"))
    mentioned = set(re.findall(r"\b(\w+)::(k\w+)\b", tests))
    printed = set(re.findall(r"\b(\w+)\.(\w+)\b", "\n".join(read(root, {".py"}, "tests"))))
    for text in read(root, {".h", ".cpp"}, "src"):
        for enum, room, values in declared(text):
            for value in values:
                is_printed = (room, value.removeprefix("k")) in printed
                if (enum, value) not in mentioned and not is_printed:
                    yield f"{enum}::{value}"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    found = sorted(untested(root))
    for name in found:
        print(f"no test mentions {name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
