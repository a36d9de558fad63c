#!/usr/bin/env python3
"""Finds what is declared and used by nothing: configuration keys without a reader, headers that
nobody includes, error values that nothing returns, published types and topics that nobody makes.

    check_readers.py [ROOT]     prints each; exit status 1 when there is one

Tests, benchmarks and fuzz targets are no users. What is there for something that is still to be
built stands in WAITING (keys: in src/esper/configs/waiting.cpp), with what brings it. An entry
there that has found a user is reported as well, so that the list shrinks.
"""

import fnmatch
import re
import sys
from collections import defaultdict
from pathlib import Path

import check_rooms
import repository

CPP = {".h", ".cpp", ".cu", ".cuh"}
USERS = ("src", "python", "include")
CONFIGS = "src/esper/configs/"
CONTRACTS = "src/esper/contracts/"

# What waits → what brings it. Names may be patterns; a pattern must match something.
WAITING = {
    "header": {
        "the bus between the roles": (
            "contracts/registry.h",),
        "a store of health signals": ("contracts/telemetry_record.h",),
        "training on a GPU": ("execution/cuda/*",),
    },
    "error": {},
    "type": {
        "the bus between the roles": (
            "OonaMessage", "BlueprintSubmitted", "KernelReady", "KernelCharacterized",
            "EpochEvent", "RollbackNotice", "KernelFailure", "CacheTelemetry"),
        "the controller as a process of its own": (
            "HealthSignal", "SeedStatus", "SystemStatePacket", "AdaptationDecision",
            "KasminaControlCommand"),
        "learned policies": ("ReplayTrajectory",),
    },
    "enum": {},
    "topic": {
        "the bus between the roles": (
            "kSeedHealth", "kKasminaCommands", "kFieldReports", "kBlueprintSubmitted",
            "kKernelReady", "kKernelCharacterized", "kEpochEvents", "kCompilationEvents",
            "kCacheTelemetry", "kKernelTelemetry", "kRecoveryTelemetry"),
    },
    # Keys whose reader cannot act yet: what would make it act, as a pattern of code.
    "inert key": {
        "controller.price": r"candidate\.(memory_mb|latency_ms|risk)\s*=[^=]",
        "run.device": r"DeviceType::kCuda",
    },
}

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


class Tree:
    """The C++ files of a checkout that count as users, without their comments."""

    def __init__(self, root):
        self.texts = {}
        for path in repository.files(root):
            if path.parts[0] in USERS and path.suffix in CPP:
                text = (Path(root) / path).read_text(encoding="utf-8", errors="replace")
                self.texts[path.as_posix()] = COMMENT.sub("", text)

    def outside(self, folder):
        return {p: t for p, t in self.texts.items() if not p.startswith(folder)}


# --- configuration keys ---

# The loader itself acts on these.
READ_BY_LOADER = ("run.profile",)
LIST = re.compile(r"#define\s+(\w+)\(X\)((?:[^\n]*\\\n)*[^\n]*)")
SECTION = re.compile(r"^ESPER_CONFIG_SECTION\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
ENTRY = re.compile(r"\bX\(\s*([\w:]+)\s*,\s*(\w+)\s*,")


def declared_keys(tree, root="EsperConfig"):
    """[(dotted path, struct that holds it, name of that struct's place)] of every key."""
    structs = {}
    for path, text in tree.texts.items():
        if path.startswith(CONFIGS):
            lists = dict(LIST.findall(text))
            for struct, name in SECTION.findall(text):
                structs[struct] = ENTRY.findall(lists.get(name, ""))

    def walk(struct, above):
        for kind, name in structs.get(struct, []):
            path = above + [name]
            if kind in structs:
                yield from walk(kind, path)
            else:
                yield ".".join(path), struct, above[-1] if above else ""

    return list(walk(root, []))


def section_names(tree):
    """struct → the names under which it stands in others."""
    names = defaultdict(set)
    for path, text in tree.texts.items():
        if path.startswith(CONFIGS):
            for _, body in LIST.findall(text):
                for kind, name in ENTRY.findall(body):
                    names[kind].add(name)
    return names


def names_for(struct, sections, texts):
    """How the code of one folder calls a section: its own name, members, parameters, aliases."""
    names = set(sections[struct])
    declared = re.compile(rf"\b{struct}\s*(?:const)?\s*[&*]?\s+(\w+)\b")
    for text in texts:
        names.update(declared.findall(text))
    for section in sections[struct]:
        alias = re.compile(rf"\bauto\s*[&*]?\s*(\w+)\s*=\s*[\w.>()\-]*\b{section}\s*;")
        member = re.compile(rf"\b(\w+)[({{]\s*[\w.>()\-]*\b{section}\s*[)}}]")
        for text in texts:
            names.update(alias.findall(text))
            names.update(n for n in member.findall(text) if n.endswith("_"))
    return names


def may_read_keys(path):
    """Whether a file may include configs/ at all; others have names of their own."""
    room = check_rooms.room_of(Path(path).parent.as_posix().removeprefix("src/esper/"))
    return room is None or "configs" in check_rooms.usable(room)


def unread_keys(tree):
    """Keys that no line outside of configs/ reads, by name of the section or of an alias."""
    sections = section_names(tree)
    folders = defaultdict(list)
    for path, text in tree.outside(CONFIGS).items():
        if may_read_keys(path):
            folders[Path(path).parent].append(text)
    keys = declared_keys(tree)
    read = set()
    for texts in folders.values():
        whole = "\n".join(texts)
        names = {struct: names_for(struct, sections, [whole]) for struct in {k[1] for k in keys}}
        for path, struct, _ in keys:
            name = path.rsplit(".", 1)[-1]
            before = "|".join(map(re.escape, sorted(names[struct])))
            if before and re.search(rf"\b(?:{before})(?:\(\))?(?:\.|->){name}\b", whole):
                read.add(path)
    return [path for path, _, _ in keys if path not in read and path not in READ_BY_LOADER]


WAITING_KEY = re.compile(r'\{\s*"([\w.]+)"\s*,\s*"(\w*)"\s*,\s*"')


def waiting_keys(tree):
    """Keys and sections that the loader refuses whole, from its table."""
    table = tree.texts.get(CONFIGS + "waiting.cpp", "")
    return [path for path, value in WAITING_KEY.findall(table) if not value]


def check_keys(tree, inert):
    unread = unread_keys(tree)
    waiting = waiting_keys(tree)

    def waits(path):
        return any(path == w or path.startswith(w + ".") for w in waiting)

    for path in unread:
        if not waits(path):
            yield (f"key {path}: nothing outside of configs/ reads it; read it, remove it, or let "
                   "the loader refuse it (configs/waiting.cpp)")
    outside = "\n".join(tree.outside(CONFIGS).values())
    for path, _, _ in declared_keys(tree):
        if not waits(path) or path in unread:
            continue
        line = next((i for i in inert if path == i or path.startswith(i + ".")), None)
        if line is None:
            yield f"key {path}: is read now; take it out of configs/waiting.cpp"
        elif re.search(inert[line], outside):
            yield (f"key {path}: its reader can act now; take it out of configs/waiting.cpp and of "
                   "'inert key' in scripts/check_readers.py")


# --- headers ---

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"](esper/[^">]+)[">]', re.M)


# Where programs begin; the engine's schemas are linked in by name. `esper soak` is a test of what it
# touches, not a use of it.
PROGRAMS = ("src/esper/cli/*.cpp", "src/esper/api/*.cpp", "python/*", "include/*",
            "src/esper/*nissa_main.cpp",
            "src/esper/engine/shapes/infer_types.cpp")
NO_PROGRAM = ("src/esper/cli/soak*",)


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, p) for p in patterns)


def unused_headers(tree):
    """Headers that no program reaches: by includes, and from a header to its sources.

    A source belongs to the header of its name; where there is none, to every one of its folder.
    """
    headers = {p for p in tree.texts if Path(p).suffix in (".h", ".cuh")}
    includes, sources = {}, defaultdict(set)
    for path, text in tree.texts.items():
        includes[path] = [t for t in ("src/" + i for i in INCLUDE.findall(text)) if t in headers]
        own = str(Path(path).with_suffix(".h"))
        if path not in headers:
            folder = str(Path(path).parent)
            owners = [own] if own in headers else [h for h in headers
                                                   if str(Path(h).parent) == folder]
            for owner in owners:
                sources[owner].add(path)
    todo = [p for p in tree.texts if matches(p, PROGRAMS) and not matches(p, NO_PROGRAM)]
    reached = set(todo)
    while todo:
        path = todo.pop()
        more = set(includes[path]) | sources.get(path, set())
        todo.extend(more - reached)
        reached |= more
    for path in sorted(headers - reached):
        if path.startswith("src/") and not matches(path, NO_PROGRAM):
            yield path.removeprefix("src/esper/")


# --- error values ---

ERRORS = re.compile(r"^\s*ESPER_DEFINE_ERRORS\(\s*(\w+)\s*,\s*\"[^\"]*\"\s*,\s*(\w+)\s*\)", re.M)
VALUE = re.compile(r"\bX\(\s*(k\w+)")


def idle_errors(tree):
    """Values of error enums that are compared with or listed, but never returned."""
    everything = "\n".join(tree.texts.values())
    produced = set()
    for compared, enum, value in re.findall(r"(\bis\(\s*)?\b(?:\w+::)*(\w+Error)::(k\w+)",
                                            everything):
        if not compared:
            produced.add((enum, value))
    for text in tree.texts.values():
        for enum in re.findall(r"\busing enum (?:\w+::)*(\w+Error)\b", text):
            produced.update((enum, value) for value in re.findall(r"\b(k\w+)\b", text))
        lists = {name: VALUE.findall(body) for name, body in LIST.findall(text)}
        for enum, name in ERRORS.findall(text):
            aliases = set(re.findall(rf"\busing (\w+) = (?:\w+::)*{enum};", everything))
            for value in lists.get(name, []):
                if not any((e, value) in produced for e in aliases | {enum}):
                    yield f"{enum}::{value}"


# --- contracts ---

TYPE = re.compile(r"\bESPER_CONTRACT\(\s*(\w+)\s*,\s*\d+")


def idle_types(tree):
    """Published types that nothing outside of contracts/ names, and no type that is named holds."""
    outside = "\n".join(tree.outside(CONTRACTS).values())
    bodies = {}  # type → its declaration
    for path, text in sorted(tree.texts.items()):
        if path.startswith(CONTRACTS):
            for match in TYPE.finditer(text):
                bodies[match.group(1)] = text[match.end():text.find("\n};", match.end())]
    used = {name for name in bodies if re.search(rf"\bcontracts::{name}\b", outside)}
    todo = list(used)
    while todo:
        body = bodies[todo.pop()]
        held = {name for name in bodies if re.search(rf"\b{name}\b", body)} - used
        used |= held
        todo.extend(held)
    yield from (name for name in bodies if name not in used)


def idle_topics(tree):
    outside = "\n".join(tree.outside(CONTRACTS).values())
    text = tree.texts.get(CONTRACTS + "enums.h", "")
    for name, body in LIST.findall(text):
        if name == "ESPER_TOPICS":
            for value in VALUE.findall(body):
                if not re.search(rf"\bTopic::{value}\b", outside):
                    yield value


ENUM = re.compile(r"^ESPER_CONTRACT_ENUM\(\s*(\w+)\s*,", re.M)


def idle_enums(tree):
    """Published enums that no other file names."""
    declared = CONTRACTS + "enums.h"
    elsewhere = "\n".join(tree.outside(declared).values())
    for name in ENUM.findall(tree.texts.get(declared, "")):
        if not re.search(rf"\b{name}\b", elsewhere):
            yield name


CHECKS = {
    "header": (unused_headers, "no program reaches it; use it or remove it"),
    "error": (idle_errors, "nothing returns it; return it or remove it"),
    "type": (idle_types, "published, and nothing makes one; make it or take it out"),
    "enum": (idle_enums, "published, and nothing holds one; use it or take it out"),
    "topic": (idle_topics, "published, and nothing sends on it; send or take it out"),
}


def problems(root=repository.ROOT, waiting=WAITING):
    tree = Tree(root)
    yield from check_keys(tree, waiting["inert key"])
    for kind, (find, advice) in CHECKS.items():
        found = list(find(tree))
        patterns = [p for names in waiting[kind].values() for p in names]
        for name in found:
            if not any(fnmatch.fnmatchcase(name, p) for p in patterns):
                yield f"{kind} {name}: {advice}"
        for bringer, names in waiting[kind].items():
            for pattern in names:
                if not fnmatch.filter(found, pattern):
                    yield (f"{kind} {pattern}: no longer waits for {bringer}; take it out of "
                           "WAITING in scripts/check_readers.py")


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else repository.ROOT
    found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
