#!/usr/bin/env python3
"""Checks that every relative link and anchor in our Markdown files leads somewhere."""

import re
import sys
from pathlib import Path

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


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    found = list(broken_links(root))
    for link in found:
        print(link)
    print(f"docs: {len(found)} broken links")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
