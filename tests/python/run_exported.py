#!/usr/bin/env python3
"""Runs exported models and compares them with what the interpreter gave.

    run_exported.py FOLDER CASES

Each folder below FOLDER has model.py, model.safetensors and expected.safetensors.
"""

import importlib.util
import sys
from pathlib import Path

import torch

try:
    import safetensors.torch
except ImportError:
    safetensors = None


def check(folder):
    spec = importlib.util.spec_from_file_location(f"model_{folder.name}", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model.load()
    expected = module.read_safetensors(folder / "expected.safetensors")
    with torch.no_grad():
        output = model(expected["input"])
    error = (output - expected["output"]).abs().max().item()
    assert error <= 1e-5, f"{folder.name}: off by {error}"

    state = model.state_dict()
    if safetensors is not None:
        reference = safetensors.torch.load_file(folder / "model.safetensors")
        assert reference.keys() == state.keys()
        assert all(torch.equal(reference[name], state[name]) for name in state)

    # It can be trained: every parameter that is meant to learn receives a gradient.
    model.train()
    model(expected["input"]).square().sum().backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing, f"{folder.name}: no gradient for {missing}"
    print(f"{folder.name}: off by {error:.1e}, {len(state)} tensors")


def main():
    root, cases = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    folders = sorted(path.parent for path in root.glob("*/model.py"))
    assert len(folders) == cases, f"expected {cases} models, found {len(folders)}"
    for folder in folders:
        check(folder)
    if safetensors is not None:
        safetensors.torch.save_file(
            {"whole": torch.arange(6).reshape(2, 3), "half": torch.tensor(1.5, dtype=torch.float16),
             "none": torch.zeros(0, 4)}, root / "theirs.safetensors", {"from": "python"})


if __name__ == "__main__":
    main()
