"""An adapter as one safetensors file: tensors and a few words of JSON, nothing that runs.

What is read is held to one list of what may stand in it, before anything is made of it: known keys,
names, blueprints, layouts and sizes. The parts are then built from this library's own blueprints,
and the file's tensors have to be theirs, of the same names and shapes, finite, in float32."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import torch

from esper import _esper
from esper._adapt_parts import (AS_IS, BATCH, FREE, KINDS, LAYOUTS, NAME, WIDEST, Adapter, Part, adapters_of,
                                first_values, program_of)
from esper._adapt_readout import READOUT, inputs_of
from esper._anchors import Anchor
from esper._unwrap import shared_names

FORMAT = "esper.adapter.v1"
KEYS = {"format", "esper", "name", "host", "host_class", "host_structure", "host_tensors", "parts",
        "program", "purpose", "losses", "parameters"}
PART_KEYS = {"name", "anchor", "kind", "layout", "features", "blueprint", "width"}
MOST_METADATA, MOST_PARTS, MOST_TEXT, MOST_CLASSES = 1 << 20, 64, 1000, 65535


class AdapterError(ValueError):
    """A file that is no adapter, or not for this model; the message says what was expected, what
    came and what to do."""


AdapterError.__module__ = "esper.adapters"


def host_identity(model):
    """What names a model: its class, its tensors' names, types and shapes (`structure`), and their
    values: one digest of each tensor, in the order of the names, and one of all (`host`)."""
    tied = {n for names in shared_names(model) for n in names[1:]}
    tensors = {n: t for n, t in sorted(model.state_dict().items())
               if isinstance(t, torch.Tensor) and n not in tied}
    shapes = [f"{n} {t.dtype} {tuple(t.shape)}" for n, t in tensors.items()]
    each = []
    for tensor in tensors.values():
        # A tensor's bytes, whatever its type (NumPy knows no bfloat16).
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        each.append(hashlib.sha256(data.numpy().tobytes()).hexdigest())
    structure = hashlib.sha256("\n".join(shapes).encode()).hexdigest()
    whole = hashlib.sha256((structure + "".join(each)).encode()).hexdigest()
    return {"host_class": type(model).__name__, "host_structure": structure,
            "host_tensors": "".join(e[:8] for e in each), "host": whole}, list(tensors)


def write(adapter, file, purpose="", losses=None):
    """Writes an adapter's file; its name is the adapter's own."""
    from safetensors.torch import save_file

    if not adapter.parts:
        raise ValueError("nothing has been placed: there is nothing to save")
    if len(purpose) > MOST_TEXT:
        raise ValueError(f"purpose: at most {MOST_TEXT} characters, got {len(purpose)}")
    identity, _ = host_identity(adapter.model)
    parts = [{"name": p.name, "anchor": p.anchor.name, "kind": p.anchor.kind,
              "layout": p.anchor.layout, "features": p.features, "blueprint": p.blueprint,
              "width": p.width} for p in adapter.parts]
    metadata = {**identity, "format": FORMAT, "esper": _esper.__version__, "name": adapter.name,
                "parts": json.dumps(parts), "program": adapter.program.hash,
                "purpose": purpose or adapter.metadata.get("purpose", ""),
                "losses": json.dumps(losses or {}), "parameters": str(adapter.parameter_count)}
    tensors = {n: t.detach().float().cpu().contiguous() for n, t in adapter.state_dict().items()}
    file = Path(file)
    part = file.with_name(file.name + ".part")
    save_file(tensors, str(part), metadata)
    part.replace(file)


def _need(file, condition, what):
    if not condition:
        raise AdapterError(f"{file}: {what}")


def _json(file, key, text, kind):
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    _need(file, isinstance(value, kind), f"metadata '{key}' is not what an adapter has there")
    return value


def metadata_of(file):
    """The checked metadata of an adapter's file, its parts as `Part`s. Reads no tensor."""
    from safetensors import SafetensorError, safe_open

    file = Path(file)
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
        _need(file, length <= MOST_METADATA, f"its header has {length} bytes; an adapter's has at most "
              f"{MOST_METADATA}")
        with safe_open(str(file), "pt") as opened:
            metadata = opened.metadata() or {}
    except SafetensorError as error:
        raise AdapterError(f"{file} is no safetensors file ({error}); esper's adapters are made by "
                           "grown.save(file)") from None
    _need(file, metadata.get("format") == FORMAT,
          f"its format is {metadata.get('format', 'not given')!r:.40}; expected {FORMAT!r}, as "
          "grown.save(file) writes it")
    # What the outputs of a run's network stand for, where the adapter gives them other classes.
    classes = metadata.pop("classes", None)
    _need(file, metadata.keys() == KEYS, "its metadata has other keys than an adapter's: "
          f"{sorted(metadata.keys() ^ KEYS)[:3]}")
    if classes is not None:
        classes = _json(file, "classes", classes, list)
        _need(file, 1 <= len(classes) <= MOST_CLASSES and all(isinstance(c, str) for c in classes),
              "metadata 'classes' is no list of names")
    _need(file, NAME.fullmatch(metadata["name"]),
          "the adapter's name may hold letters, digits, - and _")
    _need(file, metadata["host_class"].isidentifier() and len(metadata["host_class"]) <= 200,
          "metadata 'host_class' is no name of a class")
    for key in ("esper", "parameters"):
        _need(file, metadata[key].isascii() and metadata[key].isprintable()
              and len(metadata[key]) <= 40, f"metadata {key!r} is no short text")
    _need(file, len(metadata["purpose"]) <= MOST_TEXT and metadata["purpose"].isprintable(),
          f"metadata 'purpose' is more than a printable line of {MOST_TEXT} characters")
    for key in ("host", "host_structure", "program"):
        _need(file, len(metadata[key]) == 64 and _hex(metadata[key]), f"metadata '{key}' is no SHA-256")
    _need(file, len(metadata["host_tensors"]) % 8 == 0 and _hex(metadata["host_tensors"]),
          "metadata 'host_tensors' is no list of digests")
    losses = _json(file, "losses", metadata["losses"], dict)
    _need(file, all(isinstance(v, (int, float)) and math.isfinite(v) and len(k) <= 40
                    and k.isprintable() for k, v in losses.items()),
          "metadata 'losses' is no list of numbers")
    parts = _json(file, "parts", metadata["parts"], list)
    _need(file, 1 <= len(parts) <= MOST_PARTS, f"it has {len(parts)} parts; 1 to {MOST_PARTS} may be")
    checked = [_part(file, p) for p in parts]
    _need(file, len({p.name for p in checked}) == len(checked), "two of its parts have one name")
    _need(file, any(p.blueprint != READOUT for p in checked), "none of its parts is a branch")
    return {**metadata, "losses": losses, "parts": checked,
            **({} if classes is None else {"classes": classes}),
            "parameters": sum(p.parameters for p in checked), "bytes": file.stat().st_size}


def _hex(text):
    return all(c in "0123456789abcdef" for c in text)


def _part(file, given):
    _need(file, isinstance(given, dict) and given.keys() == PART_KEYS,
          "a part has other keys than " + ", ".join(sorted(PART_KEYS)))
    texts = {k: given[k] for k in ("name", "anchor", "kind", "layout", "blueprint")}
    _need(file, all(isinstance(v, str) and len(v) <= 200 for v in texts.values()),
          "a part's name, anchor, kind, layout and blueprint have to be short texts")
    _need(file, NAME.fullmatch(given["name"]) and "-" not in given["name"],
          f"a part is called {given['name']!r:.40}")
    words = given["anchor"].split(".")
    _need(file, all(w.isidentifier() or w.isdigit() for w in words),
          f"anchor {given['anchor']!r:.60} is no name of a module")
    _need(file, given["kind"] in KINDS, f"kind {given['kind']!r:.40}; there are {', '.join(KINDS)}")
    _need(file, given["layout"] in LAYOUTS, f"layout {given['layout']!r:.40}; there are "
          + ", ".join(LAYOUTS))
    known = _esper.adapter_names(given["kind"])
    if given["kind"] != "image" and given["layout"] == AS_IS:
        known = [*known, READOUT]
    _need(file, given["blueprint"] in known,
          f"blueprint {given['blueprint']!r:.40}; for {given['kind']} there are {', '.join(known)}")
    for key in ("features", "width"):
        _need(file, type(given[key]) is int and 1 <= given[key] <= WIDEST,
              f"{key} has to be 1 to {WIDEST}")
    shape = {"image": (BATCH, given["features"], FREE, FREE), "vector": (BATCH, given["features"]),
             "tokens": (BATCH, FREE, given["features"])}[given["kind"]]
    anchor = Anchor(given["anchor"], given["kind"], shape, given["layout"])
    return Part(given["name"], anchor, given["blueprint"], given["width"])


def check_host(file, metadata, model):
    """Raises AdapterError where the file is for another model, naming the value that differs."""
    identity, names = host_identity(model)
    if identity["host"] == metadata["host"]:
        return
    if identity["host_structure"] != metadata["host_structure"]:
        raise AdapterError(
            f"{file} was made for a {metadata['host_class']!r:.60} with host_structure "
            f"{metadata['host_structure'][:12]}; this {identity['host_class']} has "
            f"{identity['host_structure'][:12]}: its tensors have other names or shapes. Load it into "
            "the model that it was made on")
    theirs = metadata["host_tensors"]
    different = [n for i, n in enumerate(names)
                 if theirs[8 * i:8 * i + 8] != identity["host_tensors"][8 * i:8 * i + 8]]
    raise AdapterError(
        f"{file} was made for host {metadata['host'][:12]}; this {identity['host_class']} is "
        f"{identity['host'][:12]}: {', '.join(different[:3]) or 'a tensor'} "
        f"{'and others have' if len(different) > 3 else 'has'} other values. Load the weights it was "
        "made with")


def read(file, model, name=None):
    """The adapter of a file on a model, switched off. Raises AdapterError."""
    from safetensors.torch import load_file

    metadata = metadata_of(file)
    check_host(file, metadata, model)
    parts = metadata["parts"]
    for part in parts:
        try:
            model.get_submodule(part.anchor.name)
        except AttributeError:
            raise AdapterError(f"{file}: the model has no module {part.anchor.name}") from None
        _need(file, part.blueprint != READOUT or inputs_of(model, part.anchor) == part.width,
              f"{part.anchor.name} is no linear layer of {part.width} inputs and {part.features} "
              "outputs, as its readout wants")
    program = program_of(parts)
    _need(file, program.hash == metadata["program"], "its parts make Program "
          f"{program.hash[:12]}; the file says {metadata['program'][:12]}")
    expected = first_values(parts, 0)
    tensors = load_file(str(file))
    _need(file, tensors.keys() == expected.keys(), "its tensors are not those of its parts: "
          f"{sorted(tensors.keys() ^ expected.keys())[:3]}")
    for key, tensor in tensors.items():
        _need(file, tensor.dtype == torch.float32 and tensor.shape == expected[key].shape,
              f"tensor {key} is {tensor.dtype} {tuple(tensor.shape)}; its part has float32 "
              f"{tuple(expected[key].shape)}")
        _need(file, bool(torch.isfinite(tensor).all()),
              f"tensor {key} holds numbers that are not finite")
    name = name or metadata["name"]
    if any(a.name == name for a in adapters_of(model)):
        raise ValueError(f"the model has an adapter {name!r} already: give another, "
                         "add(model, file, name=…), or remove it first")
    return Adapter(model, name, parts, tensors, metadata)
