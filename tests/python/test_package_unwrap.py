"""What comes back is plain PyTorch: a process without Esper runs it."""

import copy
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from growing_models import MODELS, blend, build, fossilize, germinate, main_output  # noqa: E402

RELOAD = """
import sys
import torch
assert "esper" not in sys.modules
sys.path[:0] = [{tests!r}, {folder!r}]
import growing_models, grown
case = torch.load({folder!r} + "/case.pt", weights_only=True)
model, _ = growing_models.build({name!r})
model = grown.grow(model)
model.load_state_dict(case["state"])
whole = torch.load({folder!r} + "/whole.pt", weights_only=False)
for m in (model, whole):
    error = (m.eval()(case["x"]) - case["y"]).abs().max().item()
    assert error <= 1e-5, error
assert "esper" not in sys.modules
"""


def grow_two(esper, name):
    model, x = build(name)
    keys = list(model.state_dict())
    growth = esper.wrap(model, x, quiet=True)
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    fossilize(growth, 0)
    germinate(growth, 1)
    blend(growth, 1, 0.25)
    model.eval()
    return model, x, growth, keys


@pytest.mark.parametrize("name", MODELS)
def test_the_unwrapped_model_computes_the_same_and_keeps_its_names(esper, name):
    model, x, growth, keys = grow_two(esper, name)
    parameters = {id(p) for p in model.parameters()}
    expected = main_output(model, x).detach()
    plain = growth.unwrap()
    assert plain is model
    assert (main_output(plain, x) - expected).abs().max() <= 1e-6
    assert [k for k in plain.state_dict() if not k.startswith("grown.")] == keys
    assert {id(p) for p in plain.parameters()} == parameters
    assert all("esper" not in type(m).__module__ for m in plain.modules())
    assert all("esper" not in type(h).__module__ for m in plain.modules()
               for h in m._forward_hooks.values())
    assert torch.equal(main_output(copy.deepcopy(plain), x), main_output(plain, x))


@pytest.mark.parametrize("name", ["convolutions with in-place activations",
                                  "blocks that return tuples", "time before batch"])
def test_a_process_without_esper_runs_it(esper, name, tmp_path):
    from pathlib import Path

    model, x, growth, _ = grow_two(esper, name)
    expected = model(x).detach()
    plain = growth.export(tmp_path)
    torch.save({"state": plain.state_dict(), "x": x, "y": expected}, tmp_path / "case.pt")
    torch.save(plain, tmp_path / "whole.pt")
    code = RELOAD.format(tests=str(Path(__file__).parent), folder=str(tmp_path), name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "grown.py").read_text()
    assert "import esper" not in text and "class SeedS1" in text
    safetensors = pytest.importorskip("safetensors.torch")
    tensors = safetensors.load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(plain.state_dict()[k], v) for k, v in tensors.items())


@pytest.mark.parametrize("name", ["convolutions with in-place activations", "channels last"])
def test_torch_export_takes_it(esper, name):
    model, x, growth, _ = grow_two(esper, name)
    plain = growth.unwrap()
    program = torch.export.export(plain, (x,), strict=False)
    assert (program.module()(x) - plain(x)).abs().max() <= 1e-6


def test_a_model_that_has_not_grown_comes_back_untouched(esper):
    model, x = build("control flow")
    before = copy.deepcopy(model.__dict__)
    growth = esper.wrap(model, x, quiet=True)
    germinate(growth, 0)
    plain = growth.unwrap()
    assert plain is model and not hasattr(plain, "grown")
    assert plain.__dict__.keys() == before.keys()
    assert all(not m._forward_hooks for m in plain.modules())


def test_training_goes_on_after_unwrapping(esper):
    model, x = build("control flow")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    growth = esper.wrap(model, x, optimizer, quiet=True)
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    fossilize(growth, 0)
    plain = growth.unwrap()
    before = [p.clone() for p in plain.grown.parameters()]
    plain(x).square().mean().backward()
    optimizer.step()
    assert any(not torch.equal(p, q) for p, q in zip(plain.grown.parameters(), before))
