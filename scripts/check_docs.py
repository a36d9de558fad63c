#!/usr/bin/env python3
"""Checks that what our Markdown files name is there: every relative link and anchor, every command of
the Makefile, every benchmark and every file of the tree that stands in backticks."""

import re
import sys
from pathlib import Path

import bench
import repository

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def anchor(heading):
    """The name GitHub gives a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text):
    return {anchor(h) for h in re.findall(r"^#+\s+(.*)$", FENCE.sub("", text), re.M)}


def broken_links(root):
    for path in repository.files(root):
        if path.suffix != ".md":
            continue
        here = Path(root) / path
        text = here.read_text(encoding="utf-8")
        for match in LINK.finditer(FENCE.sub("", text)):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            file = (here.parent / name) if name else here
            if not file.exists():
                yield f"{path}: {target}: no such file"
            elif fragment and file.suffix == ".md":
                if fragment not in anchors(file.read_text(encoding="utf-8")):
                    yield f"{path}: {target}: no such heading"


CODE = re.compile(r"`([^`\n]+)`")
MAKE = re.compile(r"(?:^|[ =])make ([a-z][\w-]*)((?: [A-Z]+=(?:\"[^\"]*\"|\S+))*)")
FILE = re.compile(r"(?:src|tests|bench|scripts|fuzz|python|examples|configs|cmake|docs)/"
                  r"[\w./*{},-]+(?:\.\w+|/|\*)$")
# What a reader is told to write.
TO_BE_WRITTEN = {"src/esper/blueprints/squared_relu.cpp"}


def targets(root):
    makefile = Path(root) / "Makefile"
    text = makefile.read_text() if makefile.exists() else ""
    return set(re.findall(r"^([\w-]+):", text, re.M))


def alternatives(name):
    """`a/{b,c}.py` -> `a/b.py`, `a/c.py`."""
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    return [name[:match.start()] + part.strip() + name[match.end():]
            for part in match.group(1).split(",")]


def unknown_names(root):
    known = targets(root)
    benches = set(bench.benchmarks(Path(root)))
    for path in repository.files(root):
        if path.suffix != ".md":
            continue
        text = (Path(root) / path).read_text(encoding="utf-8")
        spans = CODE.findall(FENCE.sub("", text))
        spans += [line for block in FENCE.finditer(text) for line in block.group().split("\n")]
        for span in spans:
            for target, variables in MAKE.findall(span):
                if target not in known:
                    yield f"{path}: `make {target}`: no such command"
                for name in re.findall(r"\bNAME=(\w+)", variables) if target == "bench" else ():
                    if name not in benches:
                        yield f"{path}: `make bench NAME={name}`: no such benchmark"
        for span in CODE.findall(FENCE.sub("", text)):
            for name in alternatives(span) if FILE.match(span) else ():
                if name not in TO_BE_WRITTEN and not any(Path(root).glob(name.rstrip("/"))):
                    yield f"{path}: `{name}`: no such file"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    links, names = list(broken_links(root)), list(unknown_names(root))
    for line in links + names:
        print(line)
    found = links + names
    print(f"docs: {len(links)} broken links, {len(names)} names of what is not there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
