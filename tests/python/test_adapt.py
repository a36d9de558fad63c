"""esper.adapt: parts on a frozen host, placed, trained, measured, switched off, handed back."""

import copy
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from growing_models import ConvNet, Transformer  # noqa: E402


def trained_mlp():
    """A host that knows which of four products is largest."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32),
                          nn.ReLU(), nn.Linear(32, 4))
    x = torch.randn(1500, 8)
    y = (x[:, :4] * x[:, 4:]).argmax(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(6):
        for a, b in zip(x.split(50), y.split(50)):
            F.cross_entropy(model(a), b).backward()
            optimizer.step()
            optimizer.zero_grad()
    return model


@pytest.fixture(scope="module")
def host():
    return trained_mlp()


def new_task(seed=1, count=1000):
    """What the host is to learn now: which of the first four inputs is largest."""
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=draws)
    y = x[:, :4].argmax(1)
    return list(zip(x.split(50), y.split(50)))


def adapted(esper, host, **options):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), quiet=True, **{"epochs": 2, "lr": 2e-2, **options})
    return model, grown.fit(new_task(), F.cross_entropy, probe=new_task(2, 500), old=new_task(3, 50))


def test_a_frozen_host_learns_something_new_behind_the_gate(esper, host):
    before = {n: t.clone() for n, t in host.state_dict().items()}
    model, grown = adapted(esper, host)
    assert grown.kept and grown.enabled
    assert grown.losses["new"] < 0.5 * grown.losses["new, host"]
    assert grown.adapter.parameter_count <= 0.25 * sum(p.numel() for p in host.parameters())
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    said = grown.summary()
    for word in ("full fine-tuning", "LoRA", "gate: keep", "old loss", "floating-point"):
        assert word in said


def test_the_readout_begins_as_no_change(esper, host):
    model = copy.deepcopy(host)
    x = torch.randn(5, 8)
    grown = esper.adapt(model, x, epochs=1, lr=1e-2, quiet=True)
    grown.place(new_task()[:2], F.cross_entropy)
    assert grown.enabled and torch.equal(model(x), host(x))


MODELS = {
    "convolutions": (ConvNet, lambda: torch.randn(4, 3, 8, 8), 5),
    "transformer": (Transformer, lambda: torch.randint(0, 11, (4, 6)), 5),
    "encoder": (lambda: nn.Sequential(nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True), 2,
        enable_nested_tensor=False), nn.Flatten(), nn.Linear(48, 5)), lambda: torch.randn(4, 6, 8), 5),
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(inplace=True), nn.Linear(16, 16),
                                  nn.ReLU(inplace=True), nn.Linear(16, 5)),
            lambda: torch.randn(4, 6), 5),
}


@pytest.mark.parametrize("kind", MODELS)
def test_off_is_the_host_to_the_last_bit(esper, kind):
    make, inputs, classes = MODELS[kind]
    torch.manual_seed(3)
    model = make()
    with torch.no_grad():  # statistics that batch norms would otherwise change
        model.train()(inputs())
    untouched = copy.deepcopy(model).eval()
    x = inputs()
    grown = esper.adapt(model, x, epochs=4, lr=1e-2, parameters=0.5, quiet=True)
    batches = [(inputs(), torch.randint(0, classes, (4,))) for _ in range(4)]
    model.train()  # as a loop of one's own might
    grown.fit(batches, F.cross_entropy)
    assert grown.enabled and not torch.equal(model(x), untouched(x))
    with grown.off():
        assert torch.equal(model(x), untouched(x))
        assert not any(m._forward_hooks for m in model.modules())
    grown.enabled = False
    assert torch.equal(model(x), untouched(x))
    assert all(torch.equal(t, untouched.state_dict()[n]) for n, t in model.state_dict().items())


def test_nothing_is_computed_backwards_below_the_part(esper, host):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=1, lr=1e-2, anchors=["4"], quiet=True)
    grown.place(new_task()[:2], F.cross_entropy)
    seen = {}
    for name in ("2", "6"):
        model.get_submodule(name).register_forward_hook(
            lambda m, a, out, name=name: seen.__setitem__(name, out.requires_grad))
    F.cross_entropy(model(torch.randn(3, 8)), torch.tensor([0, 1, 2])).backward()
    assert seen == {"2": False, "6": True}


def test_a_step_costs_what_autograd_carries_out(esper):
    """Forward 2P everywhere; backward 2P in the host above the part and none below it; in the part
    2P in its first layer, whose input needs no gradient, and 4P in its last."""
    d, n = 16, 10
    model = nn.Sequential(*(nn.Linear(d, d, bias=False) for _ in range(4)))
    grown = esper.adapt(model, torch.randn(2, d), epochs=1, lr=1e-2, anchors=["1"], parameters=0.5,
                        readout=False, quiet=True)
    batch = (torch.randn(n, d), torch.randn(n, d))
    grown.place([batch, batch], F.mse_loss)
    part, = grown.adapter.parts
    matrix, own = d * d, part.width * d
    below, above = 2 * 2 * matrix, 2 * 4 * matrix
    assert grown.account.cost("train step", n) == n * (below + above + own * (2 + 2) + own * (2 + 4))


def test_the_part_goes_where_there_is_something_to_read(esper):
    """The second layer lets two numbers of sixteen through: nothing to the purpose is left after it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4))
    with torch.no_grad():
        model[1].weight[2:] = 0
        model[1].bias.zero_()
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=1, lr=1e-2, parameters=200, quiet=True)
    grown.place(new_task()[:2], F.cross_entropy)
    gains = {g["anchor"].name: g["gain"] for g in grown.gains}
    assert grown.adapter.parts[0].anchor.name == "0" == max(gains, key=gains.get)


def test_a_part_that_does_not_help_is_switched_off(esper, host):
    """What the labels of another task teach makes this one worse."""
    model = copy.deepcopy(host)
    right = [(x, (x[:, :4] * x[:, 4:]).argmax(1)) for x, _ in new_task(2, 500)]
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=2, lr=2e-2, quiet=True)
    grown.fit(new_task(), F.cross_entropy, probe=right)
    assert grown.verdict["verdict"] == "cull" and not grown.kept and not grown.enabled
    x = torch.randn(7, 8)
    assert torch.equal(model(x), copy.deepcopy(host).eval()(x))
    assert "switched off" in grown.summary()


def test_too_few_examples_are_no_proof(esper, host):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=1, lr=2e-2, quiet=True)
    grown.fit(new_task(), F.cross_entropy, probe=new_task(2, 50))
    assert grown.verdict["verdict"] == "hold" and not grown.enabled


def test_a_few_examples_that_save_much_do_not_delay_a_keep(esper):
    """Squared errors of a target with a long tail: the differences are too skewed for 150 examples."""
    torch.manual_seed(0)

    def numbers(count):
        x = torch.randn(count, 8)
        return list(zip(x.split(50), (2 * x[:, :1]).exp().split(50)))

    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=12, lr=1e-2, quiet=True)
    grown.fit(numbers(1000), F.mse_loss, probe=numbers(300))
    assert grown.losses["new"] < 0.5 * grown.losses["new, host"]
    assert grown.kept, grown.verdict


@pytest.mark.parametrize("take", ["adapt", "wrap"])
def test_a_module_of_an_exported_program_is_refused_with_advice(esper, host, take):
    x = torch.zeros(2, 8)
    module = torch.export.export(host, (x,)).module()
    options = {"epochs": 1} if take == "adapt" else {}
    with pytest.raises(esper.Unsupported, match="esper adapt FILE.pt2"):
        getattr(esper, take)(module, x, **options)


def test_a_loop_of_ones_own(esper, host):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=1, quiet=True,
                        optimizer=lambda p: torch.optim.AdamW(p, lr=2e-2))
    grown.budget.steps = 40
    grown.place(new_task()[:2], F.cross_entropy)
    for x, y in new_task() * 2:
        share = grown.step(F.cross_entropy(model(x), y))
    assert share == 1 and grown.steps == 40
    grown.finish(probe=new_task(2, 500))
    assert grown.kept and grown.losses["new"] < grown.losses["new, host"]


def test_a_rate_is_found_where_none_is_given(esper, host):
    _, grown = adapted(esper, host, lr=None)
    assert grown.rate in grown.tried_rates and len(grown.tried_rates) >= 3
    assert grown.rate == min(grown.tried_rates, key=grown.tried_rates.get)
    assert grown.kept


def unlearnt_classes():
    """A host whose last layer cannot tell apart two of its four classes, which it has never seen."""
    model = trained_mlp()
    with torch.no_grad():
        model[6].weight[3], model[6].bias[3] = model[6].weight[2], model[6].bias[2]
    return model


def test_what_the_last_layer_cannot_tell_apart_a_readout_can(esper):
    host = unlearnt_classes()
    enough = {"parameters": 2400, "epochs": 6}
    model, grown = adapted(esper, host, **enough)
    branch, readout = grown.adapter.parts
    assert (readout.blueprint, readout.anchor.name, readout.parameters) == ("readout", "6", 4 * 32)
    assert branch.parameters + readout.parameters <= 2400
    _, alone = adapted(esper, host, readout=False, **enough)
    assert len(alone.adapter.parts) == 1
    # A guess between two classes, for half of the examples: no branch below the layer does better.
    floor = 0.5 * torch.log(torch.tensor(2.0)).item()
    assert alone.losses["new"] > floor
    assert grown.losses["new"] < alone.losses["new"] - 0.5 * floor
    assert "readout of 32 features at 6" in grown.summary()
    x = torch.randn(5, 8)
    with grown.off():
        assert torch.equal(model(x), copy.deepcopy(host).eval()(x))
    on = model(x)
    plain = grown.unwrap()
    assert torch.equal(plain(x), on) and not plain[6]._forward_hooks


def test_what_a_readout_will_do_is_no_gain_of_a_place(esper):
    host = unlearnt_classes()
    gains = {}
    for readout in (True, False):
        grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1, lr=1e-2, parameters=2400,
                            readout=readout, quiet=True)
        grown.place(new_task()[:2], F.cross_entropy)
        gains[readout] = max(g["gain"] for g in grown.gains)
    assert 0 < gains[True] < 0.8 * gains[False]


def test_of_places_alike_the_cheapest_is_taken_or_the_lowest_that_hears_earlier_tokens(esper):
    from types import SimpleNamespace
    from esper._adapt_place import chosen
    anchors = [SimpleNamespace(name=n) for n in "abcd"]

    def choice(steps=None, kind="wide_mlp", **gains):
        listed = [{"anchor": a, "blueprint": kind, "gain": gains[a.name]} for a in anchors
                  if a.name in gains]
        listed.sort(key=lambda g: -g["gain"])
        return chosen(listed, anchors, steps)["anchor"].name

    assert choice(a=1.0, b=0.85, c=0.81, d=0.9) == "c"  # not the last of them, nor the first
    assert choice(a=1.0, b=0.85, c=0.7, d=0.9) == "b"
    assert choice(a=0.1, b=0.2, c=0.3, d=1.0) == "d"
    assert choice(b=-1.0) == "b"
    alike = {"a": 0.9, "b": 0.95, "c": 1.0, "d": 0.3}
    assert choice(kind="wide_mixer", steps=1000, **alike) == "a"
    assert choice(kind="wide_mixer", **alike) == "a"
    assert choice(kind="wide_mixer", steps=100, **alike) == "c"
    assert choice(kind="wide_mixer", a=0.7, b=0.95, c=1.0) == "b"
    assert choice(kind="wide_mlp", steps=1000, **alike) == "c"


def test_a_last_layer_of_shared_weights_or_too_large_is_left_alone(esper, host):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.inner, self.head = (nn.Embedding(12, 16), nn.Linear(16, 16),
                                                 nn.Linear(16, 12, bias=False))
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.inner(self.embed(tokens)))

    batch = torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3, dtype=torch.long)
    for model, data, parameters, branch in ((Tied(), batch, 0.9, "wide_mixer"),
                                            (copy.deepcopy(host), new_task()[0], 250, "wide_mlp")):
        grown = esper.adapt(model, data[0], epochs=1, lr=1e-2, parameters=parameters, quiet=True)
        grown.place([data], lambda out, y: F.cross_entropy(out.flatten(0, -2), y.flatten()))
        assert [p.blueprint for p in grown.adapter.parts] == [branch]


def test_a_budget_of_operations_holds_everything(esper, host):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), budget=3e7, lr=2e-2, quiet=True)
    grown.fit(new_task(count=5000), F.cross_entropy, probe=new_task(2, 500))
    assert grown.account.measuring > 0
    assert 0.9 * 3e7 < grown.account.total < 1.1 * 3e7


def test_a_budget_of_time_ends_training(esper, host):
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), budget="0.02m", quiet=True)
    grown.fit(new_task(), F.cross_entropy)
    assert grown.share == 1 and grown.steps > 0 and grown.rate in grown.tried_rates
    assert grown.kept is None and grown.enabled  # without a probe nothing was measured


def test_batches_that_come_once_are_an_epoch(esper, host):
    """A generator has no length, which is known when it has ended."""
    grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1, lr=2e-2, quiet=True)
    grown.fit((batch for batch in new_task()), F.cross_entropy)
    assert grown.steps == 20 and grown.share == 1


class ReturnsLoss(nn.Module):
    """As models of transformers: keyword arguments in, and with labels a loss among what comes out."""

    def __init__(self, host):
        super().__init__()
        self.host = host

    def forward(self, x, labels=None):
        logits = self.host(x)
        if labels is None:
            return {"logits": logits}
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def named(batches):
    return [{"x": x, "labels": y} for x, y in batches]


def test_a_model_that_returns_its_loss_needs_none(esper, host):
    grown = esper.adapt(ReturnsLoss(copy.deepcopy(host)), {"x": torch.zeros(2, 8)}, epochs=2, lr=2e-2,
                        quiet=True)
    grown.fit(named(new_task()), probe=named(new_task(2, 500)))
    assert grown.kept
    _, plain = adapted(esper, host)
    assert grown.losses["new, host"] == pytest.approx(plain.losses["new, host"], rel=1e-5)


def test_a_loss_may_read_the_whole_batch(esper, host):
    grown = esper.adapt(ReturnsLoss(copy.deepcopy(host)), {"x": torch.zeros(2, 8)}, epochs=2, lr=2e-2,
                        quiet=True)
    grown.fit(named(new_task()), lambda out, batch: F.cross_entropy(out["logits"], batch["labels"]),
              probe=named(new_task(2, 500)))
    assert grown.kept


@pytest.mark.parametrize("batch, message", [
    ({"x": torch.zeros(2, 8)}, "returned no `loss`"),
    ((torch.zeros(2, 8), 1, 2), "a batch has to be"), (None, "no batch")])
def test_batches_that_give_no_loss_are_refused(esper, host, batch, message):
    grown = esper.adapt(ReturnsLoss(copy.deepcopy(host)), {"x": torch.zeros(2, 8)}, epochs=1, lr=1e-2,
                        quiet=True)
    with pytest.raises((TypeError, ValueError), match=message):
        grown.fit([] if batch is None else [batch])


def test_training_stops_where_the_probe_gets_worse(esper, host, capsys):
    """Few examples are learnt by heart; the values of the best look come back."""
    model = copy.deepcopy(host)
    grown = esper.adapt(model, torch.zeros(2, 8), epochs=150, lr=5e-2)
    grown.fit([(torch.cat([x for x, _ in new_task(count=100)]),
                torch.cat([y for _, y in new_task(count=100)]))],
              F.cross_entropy, probe=new_task(2, 500))
    losses = [loss for _, loss in grown.looks]
    assert "stopped early" in capsys.readouterr().err
    assert grown.steps < 150 and min(losses) < losses[-1]
    assert grown.kept


def test_a_second_part_is_placed_on_the_way(esper, host):
    model, grown = adapted(esper, host, places=2, epochs=3, readout=False)
    assert len(grown.adapter.parts) == 2
    assert grown.adapter.parameter_count <= 0.25 * sum(p.numel() for p in host.parameters())
    x = torch.randn(4, 8)
    with grown.off():
        assert torch.equal(model(x), host(x))
    on = model(x)
    plain = grown.unwrap()
    assert torch.equal(plain(x), on) and len(list(plain.grown.children())) == 2


def test_handed_back_with_and_without(esper, host):
    model, grown = adapted(esper, host)
    x = torch.randn(4, 8)
    on = model(x)
    plain = grown.unwrap()
    assert plain is model and torch.equal(plain(x), on)
    assert all("esper" not in type(m).__module__ for m in plain.modules())
    assert all(p.requires_grad for p in plain.parameters()) and plain.training
    other, grown = adapted(esper, host)
    assert torch.equal(grown.unwrap(adapted=False)(x), host(x))
    assert not hasattr(other, "grown")


LOADS = """
import sys
import torch, safetensors.torch
from torch import nn
import grown
assert "esper" not in sys.modules
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32),
                      nn.ReLU(), nn.Linear(32, 4))
model = grown.grow(model)
model.load_state_dict(safetensors.torch.load_file("model.safetensors"))
torch.save(model(torch.arange(8.0).view(1, 8)), "out.pt")
"""


def test_what_is_exported_loads_without_esper(esper, host, tmp_path):
    model, grown = adapted(esper, host)
    expected = model(torch.arange(8.0).view(1, 8)).detach()
    grown.export(tmp_path)
    (tmp_path / "loads.py").write_text(LOADS)
    subprocess.run([sys.executable, "loads.py"], cwd=tmp_path, check=True)
    assert torch.equal(torch.load(tmp_path / "out.pt").detach(), expected)


@pytest.mark.parametrize("options, message", [
    ({}, "say how long"), ({"epochs": 1, "budget": 1e9}, "say how long"),
    ({"budget": "soon"}, "expected floating-point"), ({"budget": -1.0}, "more than zero"),
    ({"epochs": 1, "parameters": 0}, "expected a share"),
    ({"epochs": 1, "name": "../x"}, "letters, digits"),
    ({"epochs": 1, "lr": 1, "optimizer": torch.optim.SGD}, "not both")])
def test_what_cannot_be_meant_is_refused(esper, host, options, message):
    with pytest.raises(ValueError, match=message):
        esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), quiet=True, **options)


def test_steps_out_of_order_say_what_is_missing(esper, host):
    with pytest.raises(TypeError, match="expected a torch.nn.Module, got str"):
        esper.adapt("a model", torch.zeros(2, 8), epochs=1)
    grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1, quiet=True)
    x, y = new_task()[0]
    for too_early in (lambda: grown.step(F.cross_entropy(host(x), y)), grown.finish):
        with pytest.raises(RuntimeError, match="placed"):
            too_early()
    grown.place([(x, y)], F.cross_entropy)
    assert grown.parameters() and str(grown.adapter) in repr(grown)
    with pytest.raises(RuntimeError, match="needs lr= or optimizer="):
        grown.step(F.cross_entropy(grown.model(x), y))


def test_a_loss_without_a_gradient_is_refused(esper, host):
    grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1, lr=1e-2, quiet=True)
    with pytest.raises(ValueError, match="no gradient of the loss reaches"):
        grown.fit(new_task(), lambda output, target: (output * 0).sum())


def test_a_model_that_grows_is_refused(esper, host):
    model = copy.deepcopy(host)
    growth = esper.wrap(model, torch.zeros(2, 8), epochs=1, quiet=True)
    with pytest.raises(esper.Unsupported, match="unwrap"):
        esper.adapt(model, torch.zeros(2, 8), epochs=1)
    growth.unwrap()
    assert esper.adapt(model, torch.zeros(2, 8), epochs=1).anchors


def test_an_optimizer_that_is_there_already_is_refused(esper, host):
    with pytest.raises(TypeError, match="not there yet"):
        esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1,
                    optimizer=torch.optim.SGD(host.parameters(), lr=0.1))


def test_too_small_a_number_of_parameters_is_said(esper, host):
    grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 8), epochs=1, parameters=20, quiet=True)
    with pytest.raises(ValueError, match="too few"):
        grown.fit(new_task(), F.cross_entropy)


def test_where_a_model_generates_a_branch_hears_no_earlier_token(esper):
    class Speaking(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 16)
            self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
                                        for _ in range(3))
            self.head = nn.Linear(16, 11)

        def forward(self, tokens):
            x = self.embed(tokens)
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    class Generating(Speaking):
        def generate(self, tokens):
            return tokens

    tokens = torch.arange(24).view(2, 12) % 11
    batch = tokens, tokens
    kinds = {}
    for model, mixing in ((Speaking(), None), (Generating(), None), (Generating(), True),
                          (Speaking(), False)):
        grown = esper.adapt(model, tokens, epochs=1, lr=1e-2, parameters=0.5, mixing=mixing, quiet=True)
        grown.place([batch], lambda out, y: F.cross_entropy(out.flatten(0, -2), y.flatten()))
        kinds[type(model).__name__, mixing] = grown.adapter.parts[0].blueprint
    assert kinds == {("Speaking", None): "wide_mixer", ("Generating", None): "wide_mlp",
                     ("Generating", True): "wide_mixer", ("Speaking", False): "wide_mlp"}


def test_a_grouped_convolution_costs_what_it_computes():
    from esper._anchors import Flops

    x, taps = torch.randn(2, 8, 20, requires_grad=True), torch.randn(8, 1, 4, requires_grad=True)
    with Flops() as seen:
        y = F.conv1d(x, taps, groups=8)
    assert seen.total == 2 * y.numel() * 4
    with Flops() as seen:
        y.sum().backward()
    assert seen.total == 2 * 2 * y.numel() * 4


def test_products_of_matrices_cost_what_pytorch_says():
    from esper._anchors import Flops
    from torch.utils.flop_counter import FlopCounterMode

    def work(layer, plain, x, batches):
        y = layer(x) + plain(x)
        z = torch.bmm(batches, batches.transpose(1, 2)).sum() + torch.baddbmm(
            batches, batches, torch.ones(3, 6, 6)).sum()
        (y.sum() + z).backward()

    given = (torch.nn.Linear(5, 7), torch.nn.Linear(5, 7, bias=False), torch.ones(4, 5),
             torch.ones(3, 2, 6, requires_grad=True))
    with Flops() as seen:
        work(*given)
    with FlopCounterMode(display=False) as expected:
        work(*given)
    assert seen.total == expected.get_total_flops() > 0
