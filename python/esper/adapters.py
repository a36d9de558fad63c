"""Adapters of a model: files that `Adaptation.save` wrote, several on one frozen model.

    esper.adapters.add(model, "shakespeare.esper")       # on, from now
    esper.adapters.add(model, "law.esper")               # on instead of the first
    esper.adapters.use(model, "shakespeare")             # a fixed choice; None: the model alone
    log_probabilities, weights = esper.adapters.mix(model, tokens)   # or none: a causal Bayes gate
    esper.adapters.remove(model, "law")

At most one is on at a time, since each was trained alone. Off, none of it is in the model.
`python -m esper.adapters FILE|FOLDER …` prints what files say of themselves.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from esper._adapt_files import AdapterError, metadata_of, read
from esper._adapt_mixture import mix
from esper._adapt_parts import NAME, adapters_of

__all__ = ["AdapterError", "add", "ls", "mix", "remove", "use"]


def add(model, file, name=None, on=True):
    """Puts the adapter of a file beside the model and switches it on (and others off); returns it.
    name: by default the one that the file gives, or where the model has that already, the file's.
    Raises `AdapterError` where the file is no adapter or for another model."""
    if name is None and any(a.name == metadata_of(file)["name"] for a in adapters_of(model)):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", Path(file).stem)
    if name is not None and not NAME.fullmatch(name):
        raise ValueError(f"name={name!r}: letters, digits, - and _, at most 64, a letter first")
    adapter = read(file, model, name)
    if on:
        use(model, adapter.name)
    return adapter


def use(model, name):
    """Switches one adapter on and all others off; None leaves the model alone."""
    chosen = None if name is None else _named(model, name)
    for adapter in adapters_of(model):
        if adapter is not chosen:
            adapter.enabled = False
    if chosen is not None:
        chosen.enabled = True


def remove(model, name):
    """Takes an adapter out; the model is what it was without it."""
    _named(model, name).forget()


def ls(where):
    """Of a model: its adapters. Of a file, a folder or a list of files: what they say, checked, as
    dicts (name, purpose, parameters, parts, losses, host, …). Nothing in them is run."""
    if hasattr(where, "modules"):
        return list(adapters_of(where))
    files = where if isinstance(where, (list, tuple)) else [where]
    files = [f for p in files for f in (sorted(Path(p).glob("*.esper")) if Path(p).is_dir() else [p])]
    return [{"file": str(f), **metadata_of(f)} for f in files]


def _named(model, name):
    known = {a.name: a for a in adapters_of(model)}
    if name not in known:
        raise ValueError(f"no adapter {name!r}; the model has: {', '.join(known) or 'none'}")
    return known[name]


def main(paths):
    """A line a file; returns the exit code: 3 where one is no adapter."""
    code = 0
    for path in paths or ["."]:
        try:
            found = ls(path)
        except (AdapterError, OSError) as error:
            print(f"esper: {error}", file=sys.stderr)
            code = 3
            continue
        for one in found:
            places = ", ".join(f"{p.blueprint} {p.width} at {p.anchor.name}" for p in one["parts"])
            losses = ", ".join(f"{k} {v:.4f}" for k, v in sorted(one["losses"].items()))
            print(f"{one['file']}: {one['name']} for {one['host_class']} {one['host'][:12]}; {places}; "
                  f"{one['parameters']:,} parameters, {one['bytes']:,} bytes; {losses or 'no losses'}; "
                  f"{one['purpose'] or 'no purpose given'}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
