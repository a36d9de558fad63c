"""The two ways to run a growing module: hooks in it, or the library in its place."""

import copy

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from growing_models import blend, build, fossilize, germinate, loss_and_gradients  # noqa: E402
from test_package_shadow import SHADOW, same  # noqa: E402

CONVOLUTIONS = "convolutions with in-place activations"
TUPLES = "blocks that return tuples"
SHARED = "shared weights, views and several outputs"


def close(a, b):
    return torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def pair(esper, name, **options):
    """The same model on both paths."""
    grown = []
    for path in ("hook", "export"):
        model, x = build(name)
        grown.append((model, esper.wrap(model, x, quiet=True, path=path, **options)))
    (hooked, hooks), (inside, exported) = grown
    assert (hooks.path, exported.path) == ("hook", "export")
    return x, hooked, hooks, inside, exported


@pytest.mark.parametrize("name", [CONVOLUTIONS, TUPLES, SHARED])
def test_both_paths_compute_the_same_at_each_stage_of_a_seeds_life(esper, name):
    x, hooked, hooks, inside, exported = pair(esper, name)
    slot = [a.name for a in hooks.anchors].index(exported.anchors[0].name)
    if name == TUPLES:  # the other one is called twice
        assert [a.name for a in exported.anchors] == ["layers.0"]

    def compare():
        for mode in (True, False):
            hooked.train(mode), inside.train(mode)
            loss, gradients = loss_and_gradients(hooked, x)
            ours, found = loss_and_gradients(inside, x)
            assert close(ours, loss)
            assert found.keys() == gradients.keys()
            assert all(close(found[n], g) for n, g in gradients.items())
        assert inside.state_dict().keys() == hooked.state_dict().keys()
        assert all(close(inside.state_dict()[k], v) for k, v in hooked.state_dict().items())

    compare()
    for growth, at in ((hooks, slot), (exported, 0)):
        germinate(growth, at)
    compare()
    seeds = [list(g._live.seeds["s1"].parameters()) for g in (hooks, exported)]
    assert all(close(a.grad, b.grad) for a, b in zip(*seeds) if a.requires_grad)
    for growth, at in ((hooks, slot), (exported, 0)):
        blend(growth, at, 0.5)
    compare()
    for growth, at in ((hooks, slot), (exported, 0)):
        fossilize(growth, at)
    compare()
    assert all(not m._forward_hooks for m in inside.modules())


def test_a_model_that_grew_inside_is_handed_back_as_plain_pytorch(esper, tmp_path):
    model, x = build(CONVOLUTIONS)
    growth = esper.wrap(model, x, quiet=True, path="export")
    germinate(growth, 1)
    blend(growth, 1, 1.0)
    fossilize(growth, 1)
    model.eval()
    expected = model(x).detach()
    average = copy.deepcopy(model)
    assert torch.equal(average(x), expected)
    with pytest.raises(TypeError, match="unwrap"):
        torch.save(model, tmp_path / "model.pt")
    back = growth.export(tmp_path)
    assert back is model and "forward" not in vars(model)
    assert close(model(x), expected)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    assert torch.equal(average(x), expected)


def test_a_seed_learns_in_a_shadow_inside_as_it_does_behind_a_hook(esper):
    results = []
    for path in ("hook", "export"):
        model, x = build(CONVOLUTIONS)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        growth = esper.wrap(model, x, optimizer, quiet=True, path=path, overrides=SHADOW)
        germinate(growth, 0)
        blend(growth, 0, 0.5)
        seed = germinate(growth, 1)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        growth.step(1.0, again=lambda: model(x).square().mean())
        assert same(dict(model.state_dict()), before)
        results.append([p.detach().clone() for p in growth._live.seeds[seed].parameters()])
    assert all(map(close, *results))


def test_a_run_inside_grows_measures_and_keeps(esper):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(256, 6, generator=draw)
    held_out = torch.randn(400, 6, generator=draw)
    y = lambda x: 2 * x.abs() - x
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    growth = esper.wrap(
        model, x[:4], optimizer, epochs=16, quiet=True, path="export",
        probe=esper.probe(model, [(held_out, y(held_out))], F.mse_loss),
        overrides=["growth.training=1ep", "growth.stabilization=1ba", "growth.fine_tune=1ep",
                   "growth.graft_steps=4", "growth.cooldown=0ep", "growth.start=0",
                   "growth.gate.min_examples=50", "growth.gate.lag=0ba", "growth.gate.budget=1ep",
                   "growth.blueprints=[bottleneck_mlp,gated_unit]",
                   "controller.policy=periodic", "controller.period=1ep"])
    for _ in range(16):
        for part in x.split(30):  # the last batch is smaller
            loss = F.mse_loss(model(part), y(part))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            growth.step(loss)
        growth.epoch(loss.item())
    assert growth.counts["fossilized"] >= 1
    with torch.no_grad():
        expected = model(held_out)
        assert close(growth.unwrap()(held_out), expected)


def test_the_fastest_path_is_the_one_that_was(esper, capsys):
    model, x = build(CONVOLUTIONS)
    growth = esper.wrap(model, x, path="fastest")
    exported, module = (float(word) for word in growth.path_reason.split() if word[0].isdigit())
    assert growth.path == ("export" if exported <= module else "hook")
    assert f"{growth.path} path (a training pass of the example takes" in capsys.readouterr().err


class Frozen(nn.Module):
    """A norm that is never in training."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 6))

    def forward(self, x, scale=1.0):
        return scale * self.layers(x)


def test_what_the_exported_model_does_not_know_is_an_error(esper):
    torch.manual_seed(0)
    model, x = Frozen(), torch.randn(8, 6)
    esper.wrap(model, {"x": x, "scale": 2.0}, quiet=True, path="export", anchors=["layers.*"])
    assert model(x=torch.randn(5, 6), scale=2.0).shape == (5, 6)
    with pytest.raises(ValueError, match="3.0.*2.0.*part of the exported"):
        model(x=x, scale=3.0)
    with pytest.raises(ValueError, match="called otherwise"):
        model(x)
    with pytest.raises(ValueError, match=r"exported for torch.float32 \(\?, 6\)"):
        model(x=x.double(), scale=2.0)
    model.layers[1].eval()
    with pytest.raises(ValueError, match="another mode"):
        model(x=x, scale=2.0)


def test_a_refusal_says_why(esper):
    model, x = build("control flow")
    with pytest.raises(ValueError, match="not for this Branching: .*path=hook takes any"):
        esper.wrap(model, x, quiet=True, path="export")
    growth = esper.wrap(model, x, quiet=True, path="fastest")
    assert growth.path == "hook" and growth.path_reason.startswith("export was refused: ")
    assert "\n" not in growth.path_reason and "forward" not in vars(model)
    model, x = build(CONVOLUTIONS)
    handle = model.stem.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="forward hooks"):
        esper.wrap(model, x, quiet=True, path="export")
    handle.remove()
    with pytest.raises(ValueError, match="example"):
        esper.wrap(model, quiet=True, path="export")
    with pytest.raises(ValueError, match="auto, hook, export, fastest"):
        esper.wrap(model, x, quiet=True, path="quickest")
    for name in ("channels last", "layers overwritten in place"):
        model, x = build(name)
        with pytest.raises(ValueError, match="of the exported model, no module fits"):
            esper.wrap(model, x, quiet=True, path="export")
    inside, x = build(CONVOLUTIONS)
    esper.wrap(inside, x, quiet=True, path="export")
    with pytest.raises(ValueError, match="replaced already"):
        esper.wrap(inside, x, quiet=True, path="export")
