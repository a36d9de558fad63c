"""Seeds in a user's module: what sleeping, isolated and blended ones do to it."""

import copy

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from growing_models import (  # noqa: E402
    MODELS, ConvNet, InPlaceAfter, blend, build, fossilize, germinate, loss_and_gradients,
    main_output)

EVERY_MODEL = pytest.mark.parametrize("name", MODELS)


class Calls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


def calls_of(model, x):
    with Calls() as calls:
        loss_and_gradients(model, x)
    return calls.names


def wrapped(esper, name, **options):
    model, x = build(name)
    return model, x, esper.wrap(model, x, quiet=True, **options)


@EVERY_MODEL
def test_a_model_with_sleeping_seeds_is_the_module_it_was(esper, name):
    model, x = build(name)
    before = loss_and_gradients(copy.deepcopy(model), x)
    calls = calls_of(copy.deepcopy(model), x)
    keys, forward = list(model.state_dict()), type(model).forward
    random = torch.random.get_rng_state()
    growth = esper.wrap(model, x, quiet=True)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert growth.model is model and type(model).forward is forward
    assert list(model.state_dict()) == keys
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert calls_of(model, x) == calls
    model, x = build(name)
    esper.wrap(model, x, quiet=True)
    after = loss_and_gradients(model, x)
    assert torch.equal(after[0], before[0])
    assert all(torch.equal(after[1][n], g) for n, g in before[1].items())


@EVERY_MODEL
def test_an_isolated_seed_learns_and_the_model_cannot_notice(esper, name):
    model, x, growth = wrapped(esper, name)
    reference = copy.deepcopy(model)
    for slot in range(min(2, len(growth.anchors))):
        seed = germinate(growth, slot)
        loss, gradients = loss_and_gradients(model, x)
        expected, wanted = loss_and_gradients(reference, x)
        assert torch.equal(loss, expected)
        assert gradients.keys() == wanted.keys()
        assert all(torch.equal(gradients[n], g) for n, g in wanted.items())
        learned = [p.grad for p in growth._live.seeds[seed].parameters() if p.requires_grad]
        assert learned and all(g is not None for g in learned)
        assert any(g.abs().max() > 0 for g in learned)
        assert list(model.state_dict()) == list(reference.state_dict())


def test_every_blueprint_learns_in_isolation_where_images_are_stored_channels_last(esper):
    for blueprint in esper.blueprints("image"):
        model, x, growth = wrapped(esper, "images stored channels last")
        model.to(memory_format=torch.channels_last)
        reference = copy.deepcopy(model)
        germinate(growth, 1, blueprint)
        loss, gradients = loss_and_gradients(model, x)
        expected, wanted = loss_and_gradients(reference, x)
        assert torch.equal(loss, expected), blueprint
        assert all(torch.equal(gradients[n], g) for n, g in wanted.items()), blueprint


def test_every_blueprint_learns_in_isolation_where_images_are_one_pixel_large(esper):
    """They are contiguous in both layouts at once, and libtorch then takes them for channels-last."""
    for blueprint in esper.blueprints("image"):
        model = nn.Sequential(nn.Conv2d(3, 16, 8), nn.ReLU(), nn.Conv2d(16, 16, 1))
        model.to(memory_format=torch.channels_last)
        x = torch.randn(4, 3, 8, 8)
        growth = esper.wrap(model, x, quiet=True, anchors=["1"])
        assert growth.anchors[0].shape == (-1, 16, 1, 1)
        seed = germinate(growth, 0, blueprint)
        loss_and_gradients(model, x)
        learned = [p.grad for p in growth._live.seeds[seed].parameters() if p.requires_grad]
        assert any(g.abs().max() > 0 for g in learned), blueprint


@EVERY_MODEL
def test_a_blended_seed_is_silent_at_alpha_0_and_heard_above(esper, name):
    model, x, growth = wrapped(esper, name)
    germinate(growth, 0)
    model.eval()
    baseline = main_output(model, x).detach()
    blend(growth, 0, 0.0)
    assert torch.equal(main_output(model, x), baseline)
    growth.set_alpha(0, 0.5)
    changed = main_output(model, x)
    assert not torch.equal(changed, baseline)
    changed.sum().backward()
    assert all(p.grad is not None for p in model.grown.parameters() if p.requires_grad)


class Recorded(nn.Module):
    """Uses what a hook of its own recorded at `a`, beside what `a` returned, as feature extractors
    and backbones do."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(16, 16) for _ in range(4))
        self.a.register_forward_hook(self.record)

    def record(self, module, args, output):
        self.recorded = output

    def forward(self, x):
        h = self.a(x)
        return self.c(torch.relu(self.b(torch.tanh(h)) + h)) + self.d(self.recorded)


def test_hooks_of_others_see_what_the_seed_made_whoever_came_first(esper):
    torch.manual_seed(0)
    model, x = Recorded(), torch.randn(32, 16)
    expected, wanted = loss_and_gradients(copy.deepcopy(model), x)
    growth = esper.wrap(model, x, quiet=True, anchors=["a"])
    germinate(growth, 0)
    loss, gradients = loss_and_gradients(model, x)
    assert torch.equal(loss, expected)
    # Gradients of three users of one value are added in the same order.
    assert all(torch.equal(gradients[n], g) for n, g in wanted.items())
    blend(growth, 0, 1.0)
    handed_on = []
    model.b.register_forward_pre_hook(lambda module, args: handed_on.append(args[0]))
    model.eval()
    model(x)
    assert torch.equal(torch.tanh(model.recorded), handed_on[0])
    fossilize(growth, 0)
    grown = model(x)
    plain = esper.unwrap(model)
    assert torch.allclose(plain(x), grown, atol=1e-6)
    assert torch.equal(torch.tanh(model.recorded), handed_on[-1])


def test_a_culled_seed_leaves_nothing_behind(esper):
    model, x, growth = wrapped(esper, "convolutions with in-place activations")
    keys = list(model.state_dict())
    model.eval()
    before = model(x)
    germinate(growth, 1)
    blend(growth, 1, 1.0)
    assert any(k.startswith("grown.s1.") for k in model.state_dict())
    growth.cull(1)
    assert list(model.state_dict()) == keys
    assert not hasattr(model, "grown")
    assert all(not m._forward_hooks for m in model.modules())
    assert torch.equal(model(x), before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_isolation_holds_in_every_floating_type(esper, dtype):
    torch.manual_seed(0)
    model, x = InPlaceAfter().to(dtype), torch.randn(4, 6, dtype=dtype)
    reference = copy.deepcopy(model)
    growth = esper.wrap(model, x, quiet=True)
    germinate(growth, 0)
    loss, gradients = loss_and_gradients(model, x)
    expected, wanted = loss_and_gradients(reference, x)
    assert torch.equal(loss, expected)
    assert all(torch.equal(gradients[n], g) for n, g in wanted.items())
    blend(growth, 0, 1.0)
    assert model(x).dtype == dtype


def test_isolation_holds_under_autocast(esper):
    torch.manual_seed(0)
    model, x = ConvNet(), torch.randn(4, 3, 8, 8)
    reference = copy.deepcopy(model)
    growth = esper.wrap(model, x, quiet=True)
    seed = germinate(growth, 0)
    with torch.autocast("cpu", torch.bfloat16):
        loss, gradients = loss_and_gradients(model, x)
        expected, wanted = loss_and_gradients(reference, x)
    assert torch.equal(loss, expected)
    assert all(torch.equal(gradients[n], g) for n, g in wanted.items())
    assert all(p.grad.dtype == torch.float32 for p in growth._live.seeds[seed].parameters())


def test_a_copy_of_a_growing_model_computes_the_same_and_is_its_own(esper):
    model, x, growth = wrapped(esper, "convolutions with in-place activations")
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    average = copy.deepcopy(model).eval()
    model.eval()
    expected = model(x)
    assert torch.equal(average(x), expected)
    with torch.no_grad():
        for p in model.grown.parameters():
            p.add_(1.0)
    assert torch.equal(average(x), expected)
    with pytest.raises(TypeError, match="unwrap"):
        torch.save(model, "/dev/null")


def test_a_seed_that_fails_is_taken_out_and_training_goes_on(esper):
    model, x, growth = wrapped(esper, "layers overwritten in place")
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    baseline = copy.deepcopy(model.layers)(x)
    scope = growth._live.seeds["s1"]
    name, parameter = next(iter(scope.named_parameters()))
    parameter.data = torch.zeros(parameter.numel() + 1)
    with pytest.warns(RuntimeWarning, match="taken out"):
        output = model(x)
    assert torch.isfinite(output).all()
    growth.step(output.sum())
    assert growth.seeds[0]["state"] == "CULLED"
    assert not hasattr(model, "grown")
    del baseline


def test_a_seed_that_is_no_number_any_more_is_taken_out(esper):
    model, x, growth = wrapped(esper, "layers overwritten in place")
    germinate(growth, 0)
    with torch.no_grad():
        next(growth._live.seeds["s1"].parameters()).fill_(float("nan"))
    assert torch.isfinite(model(x)).all()
    for _ in range(16):
        growth.step(1.0)
    assert growth.seeds[0]["state"] == "CULLED"


def test_anchors_are_chosen_by_glob_and_by_default_are_the_blocks(esper):
    model, x = build("convolutions with in-place activations")
    names = lambda **options: [a.name for a in esper.wrap(model, x, quiet=True, **options).anchors]
    assert names() == ["blocks.0", "blocks.1", "blocks.2"]
    assert names(anchors=["blocks.*.conv", "!blocks.1.*"]) == ["blocks.0.conv", "blocks.2.conv"]
    assert names(anchors=["**"], kinds=["vector"]) == ["head"]
    with pytest.raises(ValueError, match="blocks.0"):
        names(anchors=["block.0"])
    assert [a.layout for a in esper.wrap(*build("time before batch"), quiet=True).anchors] == [
        "time first", "time first"]


def test_wrap_says_what_it_did(esper, capsys):
    model, x = build("convolutions with in-place activations")
    esper.wrap(model, x)
    assert "3 anchors, 2,045 parameters, hook path" in capsys.readouterr().err
    with pytest.raises(TypeError, match="torch.nn.Module"):
        esper.wrap(3, x)


def test_fossilized_seeds_stack_and_stay(esper):
    model, x, growth = wrapped(esper, "blocks that return tuples")
    model.eval()
    before = model(x)
    for slot in (0, 1):
        germinate(growth, slot, "low_rank")
        blend(growth, slot, 1.0)
        fossilize(growth, slot)
    assert [s["state"] for s in growth.seeds] == ["FOSSILIZED", "FOSSILIZED"]
    assert not torch.equal(model(x), before)
    assert growth.program.hash != esper.wrap(*build("blocks that return tuples"),
                                             quiet=True).program.hash


def test_a_seed_heard_in_full_needs_no_multiplication_and_has_the_same_bits(esper):
    model, x, growth = wrapped(esper, "layers overwritten in place")
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    (_, hook, _), = growth._live._hooks.values()
    y = torch.randn(7, 8, requires_grad=True)
    tensors = [items[key] for items, key in hook.places]
    at = hook.chain.names.index("alpha.s1")
    with torch.no_grad():
        for p in tensors[:at]:
            p.normal_()

    def run(alpha):
        z = hook.chain.run(y, tensors[:at] + [alpha] + tensors[at + 1:], True)
        return z, torch.autograd.grad(z.square().sum(), [y, *(t for t in tensors if t.requires_grad)])

    full, gradients = run(torch.ones(()))
    assert "Addcmul" not in type(full.grad_fn).__name__
    # A number of another type is multiplied with.
    multiplied, others = run(torch.ones((), dtype=torch.float64))
    assert "Addcmul" in type(multiplied.grad_fn).__name__
    assert torch.equal(full, multiplied)
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))
    assert not torch.equal(run(torch.full((), 0.5))[0], full)
