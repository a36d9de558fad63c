"""What people do with PyTorch models besides training them: it works, or is refused in time."""

import copy
import inspect
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.optim.swa_utils import AveragedModel  # noqa: E402

from growing_models import MODELS, blend, build, fossilize, germinate, main_output  # noqa: E402


def small():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                          nn.Linear(16, 1))
    return model, torch.randn(32, 8), torch.randn(32, 1)


def wrapped(esper, optimizer=torch.optim.Adam, rate=1e-2, **options):
    model, x, y = small()
    optimizer = optimizer(model.parameters(), lr=rate)
    growth = esper.wrap(model, x[:2], optimizer, epochs=20, quiet=True, **options)
    return model, x, y, optimizer, growth


def train(model, x, y, optimizer, growth, steps, run=None):
    run = run or model
    for _ in range(steps):
        loss = F.mse_loss(run(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        growth.step(loss, again=lambda: F.mse_loss(run(x), y))


def stir(growth, by=0.3):
    with torch.no_grad():
        for p in growth.parameters():
            p.add_(by)


# --- gradients ---

@pytest.mark.parametrize("path", ["hook", "export"])
@pytest.mark.parametrize("clear", ["model", "by hand", "optimizer"])
def test_an_isolated_seed_learns_from_one_steps_gradient_however_gradients_are_cleared(
        esper, clear, path):
    model, x, y, optimizer, growth = wrapped(esper, torch.optim.SGD, 0.0, path=path)
    growth.germinate(0, "low_rank")
    norms = []
    for _ in range(4):
        if clear == "by hand":
            for p in model.parameters():
                p.grad = None
        else:
            (model if clear == "model" else optimizer).zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        growth.step(loss)
        norms.append(max(p.grad.norm().item() for p in growth.parameters() if p.grad is not None))
    assert norms == pytest.approx([norms[0]] * 4)


def test_gradients_of_several_batches_add_up_within_a_step(esper):
    model, x, y, optimizer, growth = wrapped(esper, torch.optim.SGD, 0.0)
    growth.germinate(0, "low_rank")

    def gradients(batches):
        model.zero_grad()
        for a, b in batches:
            (F.mse_loss(model(a), b) / len(batches)).backward()
        optimizer.step()
        growth.step(1.0)
        return [p.grad.clone() for p in growth.parameters()]

    whole = gradients([(x, y)])
    twice = gradients([(x, y), (x, y)])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, twice, strict=True))


# --- torch.compile ---

@pytest.mark.parametrize("which", ["inner", "compiled"])
def test_a_model_compiled_before_the_loop_hears_its_seeds(esper, which):
    model, x, y = small()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    compiled = torch.compile(model, backend="eager")
    growth = esper.wrap(model if which == "inner" else compiled, x[:2], optimizer, epochs=20,
                        quiet=True)
    train(model, x, y, optimizer, growth, 3, compiled)
    growth.germinate(0, "low_rank")
    train(model, x, y, optimizer, growth, 3, compiled)
    assert all(p.grad is not None for p in growth.parameters() if p.requires_grad)
    blend(growth, 0, 1.0)
    stir(growth)
    silent = copy.deepcopy(model)
    assert torch.allclose(model(x), compiled(x), atol=1e-4)
    growth.cull(0)
    assert torch.allclose(model(x), compiled(x), atol=1e-4)
    assert not torch.allclose(silent(x), compiled(x), atol=1e-4)


def test_a_shadow_of_a_compiled_model_learns(esper):
    model, x, y, optimizer, growth = wrapped(esper, overrides=["growth.isolation=shadow"])
    compiled = torch.compile(model, backend="eager")
    train(model, x, y, optimizer, growth, 3, compiled)
    growth.germinate(0, "low_rank")
    before = [p.clone() for p in growth.parameters()]
    train(model, x, y, optimizer, growth, 3, compiled)
    assert any(not torch.equal(a, b) for a, b in zip(before, growth.parameters()))


class CompiledInside(nn.Module):
    """Calls a function that torch.compile has wrapped, as torchvision's detectors do."""

    def __init__(self, function):
        super().__init__()
        self.function, self.layers = function, nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))

    def forward(self, x):
        return self.layers(self.function(x))


def noting(compiled):
    """A backend of torch.compile that notes what it compiles."""
    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward
    return backend


def test_a_compiled_function_in_a_model_is_still_compiled_after_wrap(esper):
    compiled = []
    model = CompiledInside(torch.compile(lambda x: (2 * x).sin() + 1, backend=noting(compiled)))
    x = torch.randn(16, 8)
    esper.wrap(model, x, epochs=4, steps_per_epoch=1, quiet=True)
    assert not compiled, "looking for anchors compiles nothing"
    model(x).sum().backward()
    assert len(compiled) == 1


LAZY = """
import sys, torch, esper
from torch import nn

compiled = []
def backend(graph, inputs):
    compiled.append(graph)
    return graph.forward

class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.function = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), None

    def forward(self, x):
        self.function = self.function or torch.compile(lambda x: x.sin() + 1, backend=backend)
        return self.layers(self.function(x))

model, x = Lazy(), torch.randn(16, 8)
assert "torch._dynamo" not in sys.modules
esper.wrap(model, x, epochs=4, steps_per_epoch=1, quiet=True)
compiled.clear()
model(x).sum().backward()
print("compiled", len(compiled))
"""


def test_a_function_that_compiles_itself_at_its_first_call_is_compiled_after_wrap(esper):
    folder = str(Path(esper.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": folder})
    assert done.stdout == "compiled 1\n", done.stdout + done.stderr


# --- lists of images ---

class Listed(nn.Module):
    """Takes its batch as a list of images, as torchvision's detectors do."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3 if i == 0 else 8, 8, 3, padding=1),
                                                    nn.ReLU()) for i in range(3)))

    def forward(self, images):
        return self.blocks(torch.stack(images))


class TwoViews(Listed):
    """Takes a list of two batches."""

    def forward(self, views):
        return self.blocks(views[0]) + self.blocks(views[1])


@pytest.mark.parametrize("model, example", [
    (Listed(), [torch.randn(3, 8, 8) for _ in range(4)]),
    (TwoViews(), [torch.randn(5, 3, 8, 8) for _ in range(2)])], ids=["images", "batches"])
def test_a_list_is_the_batch_where_the_model_makes_one_of_it(esper, model, example):
    growth = esper.wrap(model, {next(iter(inspect.signature(model.forward).parameters)): example},
                        epochs=4, steps_per_epoch=1, quiet=True)
    assert [(a.name, a.kind) for a in growth.anchors] == [(f"blocks.{i}.0", "image")
                                                       for i in range(3)]
    seed = growth.germinate(1, "bottleneck_1x1")
    model(example).square().mean().backward()
    learned = growth._live.seeds[seed].parameters()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in learned)


# --- copies ---

def grown_beside(esper, make_average, update):
    model, x, y, optimizer, growth = wrapped(esper)
    average = make_average(model)
    growth.germinate(0, "low_rank")
    growth.graft(0, "LINEAR", 2)
    for _ in range(8):
        train(model, x, y, optimizer, growth, 1)
        update(average, model)


def test_an_average_that_lacks_what_has_grown_is_refused(esper):
    with pytest.raises(esper.Unsupported, match="average"):
        grown_beside(esper, lambda m: AveragedModel(m), lambda a, m: a.update_parameters(m))


def test_an_average_made_of_the_grown_model_is_the_models(esper):
    model, x, y, optimizer, growth = wrapped(esper)
    growth.germinate(0, "low_rank")
    blend(growth, 0, 1.0)
    average = AveragedModel(model, avg_fn=lambda mean, new, n: new)
    growth.set_alpha(0, 0.0)  # it is made while the seed is hardly heard, and goes on with it
    for _ in range(8):
        train(model, x, y, optimizer, growth, 1)
        average.update_parameters(model)
    assert 0 < growth.seeds[0]["alpha"] < 1
    assert torch.equal(average(x), model(x))


def test_a_second_model_that_is_trained_or_loaded_is_no_average(esper):
    model, x, y, optimizer, growth = wrapped(esper)
    other, second = copy.deepcopy(model), copy.deepcopy(model)
    others = torch.optim.SGD(other.parameters(), lr=0.1)
    state = copy.deepcopy(second.state_dict())
    growth.germinate(0, "low_rank")
    blend(growth, 0, 1.0)
    for step in range(8):
        train(model, x, y, optimizer, growth, 1)
        F.mse_loss(other(x), y).backward()
        others.step()
        others.zero_grad()
        if step == 4:
            second.load_state_dict(state)


@pytest.mark.parametrize("path", ["hook", "export"])
def test_a_copy_of_a_growing_model_is_handed_back_as_plain_pytorch(esper, path):
    model, x, y, optimizer, growth = wrapped(esper, path=path)
    germinate(growth, 1)
    growth.germinate(0, "low_rank")
    blend(growth, 0, 0.5)
    stir(growth)
    best = copy.deepcopy(model)
    twice = copy.deepcopy(best)
    expected = model(x).detach()
    train(model, x, y, optimizer, growth, 3)
    growth.unwrap()
    with pytest.raises(TypeError, match="copy"):
        torch.save(best, io.BytesIO())
    for copied in (best, twice):
        plain = esper.unwrap(copied)
        assert torch.allclose(plain(x), expected, atol=1e-6)
        assert all("esper" not in type(h).__module__ for m in plain.modules()
                   for h in m._forward_hooks.values())
        torch.save(plain, io.BytesIO())
        assert "grown.s2.down.weight" in plain.state_dict() or len(plain.state_dict()) > 6


# --- shapes and types ---

class Sequences(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.batch_first = batch_first
        self.inp = nn.Linear(4, 16)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=batch_first) for _ in range(2))
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.inp(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class TimeFirstInside(Sequences):
    """Called batch first, and works time first."""

    def forward(self, x):
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize("make, shape, batch", [
    (lambda: Sequences(True), (4, 10, 4), 0), (lambda: Sequences(False), (10, 4, 4), 1),
    (lambda: Sequences(False), (4, 4, 4), 1), (lambda: Sequences(False), (10, 1, 4), 1),
    (lambda: TimeFirstInside(False), (4, 8, 4), 0), (lambda: TimeFirstInside(False), (4, 4, 4), 0),
    (lambda: TimeFirstInside(False), (1, 8, 4), 0)])
def test_a_seed_never_mixes_the_examples_of_a_batch(esper, make, shape, batch):
    torch.manual_seed(0)
    model, x = make(), torch.randn(*shape)
    growth = esper.wrap(model, x, epochs=20, quiet=True)
    growth.germinate(0, "transformer_block")
    blend(growth, 0, 1.0)
    with torch.no_grad():
        for p in growth.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    model.eval()
    more = torch.cat([torch.randn_like(x), x], batch)
    alone, beside = model(x), model(more).narrow(batch, x.shape[batch], x.shape[batch])
    assert (alone - beside).abs().max() < 1e-4


def test_without_an_example_a_place_that_was_misread_is_refused(esper):
    model, x = TimeFirstInside(False), torch.randn(4, 8, 4)
    growth = esper.wrap(model, epochs=20, quiet=True)
    model(x)
    with pytest.raises(esper.Unsupported, match="example"):
        growth.germinate(0, "low_rank")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64, torch.float16])
def test_a_model_may_be_cast_while_a_seed_is_awake_and_afterwards(esper, kind):
    model, x, *_, growth = wrapped(esper)
    growth.germinate(0, "low_rank")
    blend(growth, 0, 1.0)
    stir(growth)
    expected = model(x).detach()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.to(kind)
        assert (model(x.to(kind)).float() - expected).abs().max() < 0.15
    fossilize(growth, 0)
    plain = growth.unwrap()
    assert (plain(x.to(kind)).float() - expected).abs().max() < 0.15
    assert (plain.float()(x) - expected).abs().max() < 0.15
    assert (plain.to(kind)(x.to(kind)).float() - expected).abs().max() < 0.15


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.weight_norm,
                                  nn.utils.parametrizations.spectral_norm])
def test_a_weight_matrix_is_no_place_for_a_seed(esper, norm):
    model = nn.Sequential(norm(nn.Linear(8, 16)), nn.ReLU(), norm(nn.Linear(16, 16)))
    growth = esper.wrap(model, torch.randn(2, 8), anchors=["**"], quiet=True)
    assert {a.name for a in growth.anchors} == {"0", "1", "2"}


def test_epochs_may_end_under_inference_mode(esper):
    model, x, y, optimizer, growth = wrapped(
        esper, overrides=["controller.policy=periodic", "controller.period=1ep", "growth.start=0",
                          "growth.training=2ep", "growth.graft_steps=4",
                          "growth.stabilization=1ba", "growth.fine_tune=1ep"])

    @torch.inference_mode()
    def validate():
        return growth.epoch(F.mse_loss(model(x), y).item(), probe=lambda: torch.zeros(600))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            train(model, x, y, optimizer, growth, 4)
            validate()
    assert growth.counts["germinated"] and not growth.counts["culled"]
    assert not any(p.is_inference() for p in growth.parameters())


# --- optimizers and schedulers ---

def refused_with(esper, optimizer, match):
    model, x, _ = small()
    with pytest.raises(esper.Unsupported, match=match):
        esper.wrap(model, x[:2], optimizer(model), epochs=20, quiet=True)


def test_optimizers_that_take_no_newborn_parameters_are_refused_when_wrapping(esper):
    refused_with(esper, lambda m: torch.optim.LBFGS(m.parameters()), "LBFGS")
    refused_with(esper, lambda m: torch.optim.SparseAdam(list(m.parameters())), "SparseAdam")
    if hasattr(torch.optim, "Muon"):
        matrices = lambda m: [p for p in m.parameters() if p.dim() == 2]
        refused_with(esper, lambda m: torch.optim.Muon(matrices(m)), "Muon")


def test_of_two_optimizers_the_one_that_trains_the_places_is_taken(esper):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = small()[0], nn.Linear(1, 1)

        def forward(self, x):
            return self.b(self.a(x))

    model = Two()
    first = torch.optim.SGD(model.b.parameters(), lr=0.1)
    second = torch.optim.Adam(model.a.parameters(), lr=0.1)
    growth = esper.wrap(model, torch.randn(2, 8), [first, second], anchors=["a.*"], quiet=True)
    growth.germinate(0, "low_rank")
    assert (len(first.param_groups), len(second.param_groups)) == (1, 2)
    esper.unwrap(model)
    halves = [torch.optim.SGD(ps, lr=0.1) for ps in (list(model.a[0].parameters()),
                                                     list(model.a[2].parameters()))]
    with pytest.raises(esper.Unsupported, match="2 optimizers"):
        esper.wrap(model, torch.randn(2, 8), halves, anchors=["a.*"], quiet=True)


def test_a_plateau_scheduler_with_a_rate_for_each_group_goes_on(esper):
    model, x, y = small()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[1e-5])
    growth = esper.wrap(model, x[:2], optimizer, epochs=20, quiet=True)
    growth.germinate(0, "low_rank")
    blend(growth, 0, 1.0)
    for _ in range(4):
        train(model, x, y, optimizer, growth, 1)
        scheduler.step(1.0)
    assert len(optimizer.param_groups) == 1 and optimizer.param_groups[0]["lr"] < 1e-2


# --- saving, and going on ---

def test_a_state_from_before_the_first_seed_takes_seeds_out_again(esper):
    model, x, y, optimizer, growth = wrapped(esper)
    train(model, x, y, optimizer, growth, 3)
    best = copy.deepcopy([growth.state_dict(), model.state_dict(), optimizer.state_dict()])
    growth.germinate(0, "low_rank")
    blend(growth, 0, 1.0)
    train(model, x, y, optimizer, growth, 3)
    growth.load_state_dict(best[0])
    model.load_state_dict(best[1])
    optimizer.load_state_dict(best[2])
    assert not list(growth.parameters()) and len(optimizer.param_groups) == 1
    assert growth._native.steps == 3
    growth.germinate(0, "low_rank")
    train(model, x, y, optimizer, growth, 2)


def test_a_second_phase_grows_as_the_first_did(esper, tmp_path):
    model, x, y = small()

    def phase(folder):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        growth = esper.wrap(model, x[:2], optimizer, epochs=20, quiet=True)
        growth.germinate(0, "low_rank")
        blend(growth, 0, 1.0)
        train(model, x, y, optimizer, growth, 4)
        fossilize(growth, 0)
        assert not any("grown" in a.name for a in growth.anchors)
        return growth.export(folder)

    phase(tmp_path / "first")
    names = [n for n, _ in model.named_parameters()]
    phase(tmp_path / "second")
    expected = model(x).detach()
    assert [n for n, _ in model.named_parameters()][:len(names)] == names
    assert any(n.startswith("grown2.") for n, _ in model.named_parameters())
    again, _, _ = small()
    for folder in ("first", "second"):
        scope = {"__name__": f"{folder}_phase"}
        exec(compile((tmp_path / folder / "grown.py").read_text(), folder, "exec"), scope)
        again = scope["grow"](again)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), expected)


def test_a_name_of_the_models_own_is_left_alone(esper):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.grown = nn.Linear(8, 8)
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))

        def forward(self, x):
            x = self.grown(x)
            for layer in self.layers:
                x = layer(x)
            return x

    model = Named()
    growth = esper.wrap(model, torch.randn(2, 8), quiet=True)
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    assert "grown2.s1" in dict(model.named_modules())
    growth.unwrap()
    assert isinstance(model.grown, nn.Linear)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.GELU()) for _ in range(2))
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_tied_weights_are_loaded_as_the_page_says(esper, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    model, ids = Tied(), torch.randint(0, 11, (4, 7))
    growth = esper.wrap(model, ids, quiet=True)
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    fossilize(growth, 0)
    expected = growth.export(tmp_path)(ids)
    scope = {"__name__": "tied_grown"}
    exec(compile((tmp_path / "grown.py").read_text(), "grown.py", "exec"), scope)
    model = scope["grow"](Tied())
    model.load_state_dict(safetensors.load_file(tmp_path / "model.safetensors"))
    assert torch.equal(model(ids), expected) and model.head.weight is model.embed.weight
    with pytest.raises(RuntimeError, match="Missing"):
        model.load_state_dict({"blocks.0.0.weight": torch.zeros(8, 8)})


@pytest.mark.parametrize("kind", sorted({"image", "tokens", "vector"}))
def test_every_blueprint_can_be_scripted(esper, kind):
    name = {"image": "convolutions with in-place activations", "tokens": "channels last",
            "vector": "layers overwritten in place"}[kind]
    for blueprint in esper.blueprints(kind):
        model, x = build(name)
        growth = esper.wrap(model, x, quiet=True, kinds=[kind])
        growth.germinate(0, blueprint)
        blend(growth, 0, 0.5)
        with torch.no_grad():
            for p in growth.parameters():
                p.add_(torch.randn_like(p) * 0.1)
        plain = growth.unwrap().eval()
        scripted = torch.jit.script(plain)
        assert (main_output(scripted, x) - main_output(plain, x)).abs().max() <= 1e-6, blueprint
        assert plain.get_submodule(growth.anchors[0].name)._forward_hooks  # it stays as it was
        restored = io.BytesIO()
        torch.jit.save(scripted, restored)
        restored.seek(0)
        assert torch.allclose(torch.jit.load(restored)(x), plain(x), atol=1e-6)


# --- what is refused ---

DDP = """
import os, sys
import torch, torch.distributed as dist
from torch import nn
import esper
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
store = dist.TCPStore("127.0.0.1", 0, 1, True)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
growth = esper.wrap(model, torch.randn(2, 4), quiet=True)  # one process alone may grow
growth.unwrap()
try:
    esper.wrap(nn.parallel.DistributedDataParallel(model), torch.randn(2, 4))
except esper.Unsupported as refused:
    print(refused)
dist.get_world_size = lambda: 2
try:
    esper.wrap(model, torch.randn(2, 4))
except esper.Unsupported as refused:
    print(refused)
"""


def test_replicas_of_a_model_are_refused(esper):
    from pathlib import Path

    done = subprocess.run([sys.executable, "-c", DDP], capture_output=True, text=True,
                          env={"PYTHONPATH": str(Path(esper.__file__).parent.parent)})
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "DistributedDataParallel" in first and "2 processes" in second


def test_a_readout_that_needs_training_data_is_refused_and_zero_is_zero(esper, tmp_path):
    model, x, _ = small()
    asked = ["growth.readout=closed_form"]
    with pytest.raises(esper.Unsupported, match="growth.readout"):
        esper.wrap(model, x[:2], quiet=True, overrides=asked)
    (tmp_path / "c.yaml").write_text("growth:\n  readout: closed_form\n")
    with pytest.raises(esper.Unsupported, match="growth.readout"):
        esper.wrap(model, x[:2], quiet=True, config=tmp_path / "c.yaml")
    growth = esper.wrap(model, x[:2], quiet=True)
    assert growth.config.readout == "random"  # what a run's config.yaml says
    for readout in ("random", "zero"):
        model, x, *_, growth = wrapped(esper, overrides=[f"growth.readout={readout}"])
        before = model(x).detach()
        growth.germinate(0, "low_rank")
        blend(growth, 0, 1.0)
        assert torch.equal(model(x), before) == (readout == "zero")


def test_a_torch_of_another_release_is_named_at_import(esper, tmp_path):
    from pathlib import Path

    package = Path(esper.__file__).parent
    (tmp_path / "esper").mkdir()
    for path in package.iterdir():
        if path.name not in ("torch_version.txt", "__pycache__"):
            (tmp_path / "esper" / path.name).symlink_to(path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import esper"

    def importing(version):
        (tmp_path / "esper" / "torch_version.txt").write_text(version + "\n")
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert esper._esper.torch_version == torch.__version__.split("+")[0]
    assert importing(torch.__version__).returncode == 0
    done = importing("2.10.1")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError") and "2.10.1" in last and torch.__version__ in last
    assert "pip install" in last


def test_the_summary_says_why_nothing_grew(esper):
    model, x, y, optimizer, growth = wrapped(esper, overrides=["controller.policy=never"])
    assert "growth.epoch() was not called" in growth.summary()
    train(model, x, y, optimizer, growth, 2)
    growth.epoch(1.0)
    assert growth.waiting_for and growth.waiting_for in growth.summary()


def test_every_refusal_is_a_value_error(esper):
    assert issubclass(esper.Unsupported, ValueError) and esper.Unsupported.__module__ == "esper"
    assert MODELS
