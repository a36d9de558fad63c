#!/usr/bin/env python3
"""Lists the values of our error enums that no test asserts on or that no source produces; exit
status 1 when there is one that does not wait for something.

An enum is what ESPER_DEFINE_ERRORS declares. A test asserts on a value when `Enum::kValue` stands in
an EXPECT_, an ASSERT_, a helper called expect_…, an `is(…)` or a comparison; or in a table or a
constant that such an expression reads; in Python when `room.Value`, as a command prints it, stands in
an assert, in pytest.raises or in the parameters of a test. A source produces a value when it names it
elsewhere than in a comparison or beside a fault point of its own. That the test runs is not looked
at: coverage does that.

    check_error_values.py [ROOT]
"""

import ast
import re
import sys
from pathlib import Path

import repository

LIST = re.compile(r"#define\s+(\w+)\(X\)((?:[^\n]*\\\n)*[^\n]*)")
VALUE = re.compile(r"\bX\(\s*(k\w+)")
ENUM = re.compile(r"^\s*ESPER_DEFINE_ERRORS\(\s*(\w+)\s*,\s*\"([^\"]*)\"\s*,\s*(\w+)\s*\)", re.M)
ASSERTION = re.compile(r"\b((EXPECT|ASSERT)_\w+|expect_\w+|is)\s*\(")
# Comments, raw strings, strings and characters: whichever begins first.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|'
                     r"'(?:[^'\\\n]|\\.)'", re.S)
CLOSING = {")": "(", "}": "{", "]": "["}

# Values that nothing in the tree produces yet, and what brings them.
WAITING = {}


def declared(text):
    """(enum, room, [values]) for each error enum declared in a header's text."""
    lists = {name: VALUE.findall(body) for name, body in LIST.findall(text)}
    for enum, room, list_name in ENUM.findall(text):
        yield enum, room, lists.get(list_name, [])


def read(root, suffixes, folder):
    for path in repository.files(root):
        if path.parts[0] == folder and path.suffix in suffixes:
            yield (Path(root) / path).read_text(encoding="utf-8", errors="replace")


def code_only(text):
    """The text without comments and without what stands in strings, at the same places."""
    return NO_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


class Source:
    """A C++ test: where its brackets begin and end, and which expressions assert."""

    def __init__(self, text):
        self.code = code_only(text)
        self.ends = {}     # opening bracket -> closing one
        self.opening = []  # (place of the opening bracket), by place
        stack = []
        for place, c in enumerate(self.code):
            if c in "({[":
                stack.append(place)
            elif c in CLOSING and stack and self.code[stack[-1]] == CLOSING[c]:
                self.ends[stack.pop()] = place
        self.opening = sorted(self.ends)

    def around(self, place):
        """The brackets that hold a place, innermost first."""
        return [o for o in reversed(self.opening) if o < place < self.ends[o]]

    def statement_from(self, place):
        """From a place to the end of the statement or block that begins there."""
        for at in range(place, len(self.code)):
            if self.code[at] == ";":
                return self.code[place:at]
            if self.code[at] == "{":
                return self.code[place:self.ends.get(at, len(self.code))]
        return self.code[place:]

    def asserted(self, place, length, depth=0):
        """Does an assertion read what stands at `place`?"""
        before, after = self.code[:place].rstrip(), self.code[place + length:].lstrip()
        if before.endswith(("==", "!=")) or after.startswith(("==", "!=")):
            return True
        name = re.search(r"(\w+)\s*=\s*$", before)  # a constant
        if name and self.name_is_asserted(name.group(1), place, depth):
            return True
        for bracket in self.around(place):
            head = self.code[max(0, bracket - 120):bracket].rstrip()
            if self.code[bracket] == "(":
                if ASSERTION.search(re.sub(r".*?(\w+)$", r"\1", head, flags=re.S) + "("):
                    return True
                if head.endswith("INSTANTIATE_TEST_SUITE_P"):
                    return True
                if re.search(r"\bfor$", head):  # a table that a loop walks through
                    return bool(ASSERTION.search(self.statement_from(self.ends[bracket] + 1)))
            table = re.search(r"(\w+)\s*(\[\w*\])?\s*=?$", head)
            if self.code[bracket] == "{" and table and not head.endswith(")"):
                if self.name_is_asserted(table.group(1), place, depth):
                    return True
        return False

    def name_is_asserted(self, name, place, depth):
        if depth > 1 or not re.match(r"[a-z]", name) or name in ("return", "else", "const"):
            return False
        for use in re.finditer(rf"\b{name}\b", self.code):
            if use.start() != place and self.is_read(use) and \
                    self.asserted_use(use.start(), use.end() - use.start(), depth + 1):
                return True
        return False

    def is_read(self, use):
        return not re.match(r"\s*(\[\w*\])?\s*=[^=]", self.code[use.end():use.end() + 20])

    def asserted_use(self, place, length, depth):
        """The same for a name; one that a loop walks through counts when the loop asserts."""
        for bracket in self.around(place):
            if self.code[bracket] == "(" and re.search(r"\bfor$", self.code[:bracket].rstrip()[-4:]):
                return bool(ASSERTION.search(self.statement_from(self.ends[bracket] + 1)))
        return self.asserted(place, length, depth)


def asserted_in_cpp(text, wanted):
    """Those of the wanted `Enum::kValue` that a C++ test asserts on."""
    if not any(name in text for name in wanted):
        return set()
    source = Source(text)
    found = set()
    for match in re.finditer(r"\b\w+::k\w+\b", source.code):
        if match.group() in wanted and match.group() not in found and \
                source.asserted(match.start(), len(match.group())):
            found.add(match.group())
    return found


def asserted_in_python(text):
    """Everything that looks like `room.Value` in assertions and parameters of a Python test."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node, ast.Assert) or \
                (is_call and node.func.attr in ("raises", "parametrize")):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found |= set(re.findall(r"\b\w+\.\w+\b", part.value))
    return found


def produced(code, enum):
    """Values that a source hands on: not those it only compares with or injects by itself."""
    bare = re.search(rf"using enum (\w+::)*{enum}\b", code)
    prefix = rf"(?:\b{enum}::|(?<!::)\b)" if bare else rf"\b{enum}::"
    found = set()
    for match in re.finditer(prefix + r"(k\w+)\b", code):
        line = code[code.rfind("\n", 0, match.start()) + 1:code.find("\n", match.end())]
        before = code[max(0, match.start() - 80):match.start()].rstrip()
        compares = re.search(r"(\bis\(|==|!=|\bcase)(\s*\w+::)*$", before)
        if not compares and not before.endswith("X(") and "FaultPoint" not in line:
            found.add(match.group(1))
    return found


def check(root):
    """(values without an assertion, values without a producer), as sets of `Enum::kValue`."""
    sources = list(read(root, {".h", ".cpp", ".cu"}, "src")) + \
        list(read(root, {".h", ".cpp"}, "python"))
    enums = [entry for text in sources for entry in declared(text)]
    names = {f"{enum}::{value}" for enum, _, values in enums for value in values}
    asserted = set()
    for text in read(root, {".cpp", ".h"}, "tests"):
        asserted |= asserted_in_cpp(text, names)
    printed = set()
    for text in read(root, {".py"}, "tests"):
        printed |= asserted_in_python(text)
    untested, unproduced = set(), set()
    codes = [code_only(text) for text in sources]
    for enum, room, values in enums:
        made = set().union(*(produced(code, enum) for code in codes if enum in code))
        for value in values:
            if f"{enum}::{value}" not in asserted and \
                    f"{room}.{value.removeprefix('k')}" not in printed:
                untested.add(f"{enum}::{value}")
            if value not in made:
                unproduced.add(f"{enum}::{value}")
    return untested, unproduced


def problems(root, waiting=None):
    waiting = WAITING if waiting is None else waiting
    untested, unproduced = check(root)
    yield from (f"no test asserts on {name}" for name in sorted(untested - set(waiting)))
    yield from (f"no source produces {name}" for name in sorted(unproduced - set(waiting)))
    yield from (f"{name} no longer waits for {what}: take it off the list in "
                f"scripts/check_error_values.py" for name, what in sorted(waiting.items())
                if name not in untested | unproduced)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    found = list(problems(root))
    for line in found:
        print(line)
    if not found:
        waits = "; ".join(f"{name} (waits for {what})" for name, what in sorted(WAITING.items()))
        print("error values: each is asserted on by a test and produced by a source"
              + (f", but for {waits}" if waits else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
