"""`esper.wrap` with nothing else set: a wider copy is raced early, kept where it helps, paid from an account."""

import copy
import importlib.util
import json

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

EPOCHS, BATCH = 16, 32


def spirals(n, seed):
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(n, generator=g) * 9 + 0.5
    label = torch.randint(0, 2, (n,), generator=g)
    side = 1 - 2 * label.float()
    x = torch.stack([side * t * t.cos(), side * t * t.sin()], 1) / 5
    return x + 0.05 * torch.randn(n, 2, generator=g), label


def noise(n, seed):
    x, _ = spirals(n, seed)
    return x, torch.randint(0, 2, (n,), generator=torch.Generator().manual_seed(seed + 1))


def mlp(seed=0, hidden=12):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                         nn.Linear(hidden, 2))


class Loop:
    """A training loop as most are: the rate falls to zero over the last 60 %."""

    def __init__(self, esper, data=spirals, model=None, probe=True, again=True, **options):
        self.x, self.y = data(1280, 1)
        self.model = model or mlp()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-3)
        held_out = [(x, y) for x, y in zip(*(t.split(256) for t in data(1500, 5)))]
        self.loss, self.again = nn.functional.cross_entropy, again
        self.steps, self.done = EPOCHS * len(self.x) // BATCH, 0
        self.growth = esper.wrap(
            self.model, self.x[:2], self.optimizer, epochs=EPOCHS, quiet=True,
            probe=esper.probe(self.model, held_out, self.loss) if probe else None, **options)
        self.decisions = []

    def step(self):
        at = self.done * BATCH % len(self.x)
        x, y = self.x[at:at + BATCH], self.y[at:at + BATCH]
        for group in self.optimizer.param_groups:
            group["lr"] = 5e-3 * min(1, (1 - self.done / self.steps) / 0.6)
        again = lambda: self.loss(self.model(x), y)
        loss = again()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        given = self.growth.asks_again if self.again == "asked" else self.again
        self.growth.step(loss, again=again) if given else self.growth.step(loss)
        self.done += 1
        if self.done * BATCH % len(self.x) == 0:
            self.decisions += self.growth.epoch(loss.item())

    def run(self, steps=None):
        for _ in range(steps or self.steps - self.done):
            self.step()
        return self


@pytest.fixture(scope="module")
def grown(esper):
    return Loop(esper).run()


def test_by_default_a_network_that_is_too_small_grows_while_the_rate_is_high(grown):
    assert grown.model[0].out_features == 18 and grown.model[2].weight.shape == (18, 18)
    widened = [d for d in grown.decisions if d["command"] == "widen"]
    assert len(widened) == 1 and widened[0]["step"] < 0.4 * grown.steps
    assert widened[0]["evidence"]["lower"] > widened[0]["evidence"]["rent"]
    assert "became wider" in grown.growth.summary() and "saved at least" in grown.growth.summary()


def test_growing_changes_no_object_and_adds_no_operation(grown):
    assert type(grown.model) is nn.Sequential and list(dict(grown.model.named_parameters())) == [
        "0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in grown.model.modules())
    assert len(grown.optimizer.param_groups) == 1
    for parameter in grown.model.parameters():
        state = grown.optimizer.state[parameter]
        assert state["exp_avg"].shape == state["exp_avg_sq"].shape == parameter.shape


def test_a_loop_that_gives_again_only_where_it_is_asked_for_grows_alike(esper, grown):
    asked = Loop(esper, again="asked").run()
    assert asked.decisions == grown.decisions and asked.growth._widening.kept
    ours, theirs = asked.model.state_dict(), grown.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not asked.growth.asks_again


def test_nothing_that_went_in_is_kept_once_the_trial_is_over(esper):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.Conv2d(2, 12, 1), nn.BatchNorm2d(12),
                          nn.ReLU(), nn.Conv2d(12, 12, 1), nn.Flatten(), nn.Linear(12, 2))
    loop = Loop(esper, noise, model, overrides=["growth.gate.rent=1e9"])
    inputs, most = loop.growth._statistics.inputs, 0
    while loop.growth._widening.waits:
        loop.step()
        most = max(most, len(inputs))
    assert loop.growth._widening.account.spent > 10 and most > 1, loop.growth.summary()
    assert not inputs and not loop.growth.asks_again


def test_what_measuring_costs_stays_within_its_share_and_is_told(grown):
    account = grown.growth._widening.account
    assert 0 < account.spent <= account.share * grown.steps
    assert f"{100 * account.spent / grown.steps:.1f} % of the training's passes" in \
        grown.growth.summary()


def test_where_nothing_is_gained_the_run_is_the_run_without_growth(esper):
    tried = Loop(esper, noise).run()
    never = Loop(esper, noise, overrides=["controller.policy=never"]).run()
    assert all(torch.equal(a, b) for a, b in zip(tried.model.parameters(),
                                                 never.model.parameters(), strict=True))
    said = tried.growth.summary()
    assert said.startswith("nothing grew: ") and "wider" in said and "rent" in said
    assert [d["command"] for d in tried.decisions] == ["leave"]


@pytest.mark.parametrize("given, why", [
    ({"again": False}, "again="),
    ({"probe": False}, "held-out examples"),
    ({"overrides": ["growth.measure_share=0.02"]}, "growth.measure_share"),
    ({"model": nn.Sequential(nn.Linear(2, 2))}, "no hidden layer"),
    ({"overrides": ["growth.enabled=false"]}, "growth.enabled"),
], ids=lambda x: next(iter(x)) if isinstance(x, dict) else "")
def test_why_nothing_grows_is_said_in_one_sentence(esper, given, why):
    loop = Loop(esper, **given).run()
    assert loop.model[0].out_features in (2, 12)
    assert why in loop.growth.summary() and why in loop.growth.waiting_for


def test_a_budget_is_a_time_that_becomes_epochs_after_the_first(esper):
    model = mlp()
    growth = esper.wrap(model, spirals(2, 0)[0], torch.optim.SGD(model.parameters(), lr=0.1),
                        budget="1m", steps_per_epoch=2, quiet=True)
    growth._started -= 3
    for _ in range(2):
        growth.step(1.0)
    growth.epoch()
    assert 18 <= growth.epochs <= 20 and growth.steps_per_epoch == 2
    for wrong in ({"budget": 3e12}, {"budget": "1m", "epochs": 3}, {"budget": "soon"}):
        with pytest.raises(ValueError, match="budget="):
            esper.wrap(model, spirals(2, 0)[0], quiet=True, **wrong)


def test_a_closed_window_is_not_blamed_on_a_schedule_that_nobody_knows(esper):
    loop = Loop(esper, overrides=["controller.policy=plateau", "growth.stop=0.2"]).run()
    assert "growth.stop" in loop.growth.waiting_for and "schedule" not in loop.growth.waiting_for


def test_an_interrupted_trial_goes_on_to_the_same_end(esper, grown):
    first = Loop(esper).run(60)
    assert first.growth._widening.trial is not None
    saved = copy.deepcopy({"growth": first.growth.state_dict(), "model": first.model.state_dict(),
                           "optimizer": first.optimizer.state_dict()})
    second = Loop(esper)
    second.growth.load_state_dict(saved["growth"])
    second.model.load_state_dict(saved["model"])
    second.optimizer.load_state_dict(saved["optimizer"])
    second.done = first.done
    second.run()
    assert all(torch.equal(a, b) for a, b in zip(second.model.parameters(),
                                                 grown.model.parameters(), strict=True))


def test_a_grown_model_is_rebuilt_without_esper_and_loaded_with_its_growth(esper, grown, tmp_path):
    x = spirals(5, 9)[0]
    fresh = Loop(esper)
    fresh.growth.load_state_dict(grown.growth.state_dict())
    fresh.model.load_state_dict(grown.model.state_dict())
    assert torch.equal(fresh.model(x), grown.model(x))
    model = fresh.growth.export(tmp_path)
    spec = importlib.util.spec_from_file_location("grown_wider", tmp_path / "grown.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from safetensors.torch import load_file
    rebuilt = module.grow(mlp(3))
    rebuilt.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert rebuilt[2].in_features == 18 and torch.equal(rebuilt(x), model(x))


def test_the_folder_of_a_run_tells_what_grew(esper, tmp_path):
    loop = Loop(esper, run=tmp_path / "run", overrides=["growth.measure_share=0.02"]).run()
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["wider"]["layers"] == [] and run["wider"]["why"] == loop.growth.waiting_for


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return x + self.down(self.drop(nn.functional.gelu(self.up(self.norm(x)))))


class Gated(nn.Module):
    """A gated hidden layer, and an activation that is written out."""

    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(8, 16), nn.Linear(8, 16), nn.Linear(16, 8)
        self.more, self.out = nn.Linear(8, 12), nn.Linear(12, 2)

    def forward(self, x):
        y = self.more(self.down(nn.functional.silu(self.gate(x)) * self.up(x)))
        return self.out(0.5 * y * (1.0 + torch.tanh(0.8 * (y + 0.04 * torch.pow(y, 3.0)))))


class Reused(nn.Module):
    """A hidden layer that two layers read, and one to which the input is added."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x):
        y = self.a(x).relu()
        return self.d(x + self.b(y)) + self.c(y)


@pytest.mark.parametrize("model, x, pairs", [
    (mlp(), torch.randn(4, 2), [(("0",), (), "2"), (("2",), (), "4")]),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(),
                   nn.Linear(96, 2)), torch.randn(4, 3, 8, 8), [(("0",), ("1",), "3")]),
    (nn.Sequential(nn.Linear(3, 8), Block(), Block()), torch.randn(2, 5, 3),
     [(("1.up",), (), "1.down"), (("2.up",), (), "2.down")]),
    (Gated(), torch.randn(4, 8), [(("gate", "up"), (), "down"), (("down",), (), "more"),
                                  (("more",), (), "out")]),
    (Reused(), torch.randn(4, 8), [(("b",), (), "d")]),
], ids=["mlp", "convolutions", "residual", "gated", "reused"])
def test_hidden_layers_that_nothing_else_reads_are_found(esper, model, x, pairs):
    from esper._pairs import find_pairs
    found = find_pairs(model, lambda: model(x).pow(2).mean())
    assert [(p.firsts, p.norms, p.second) for p in found.pairs] == pairs
    assert found.batch == len(x)
    assert all(not m._forward_hooks for m in model.modules())


def test_where_a_tensor_of_the_data_is_added_the_other_layers_grow(esper):
    class Adds(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain, self.same = mlp(), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))

        def forward(self, x):
            return self.plain(x) + self.same[1](x + self.same[0](x))

    loop = Loop(esper, model=Adds())
    loop.run(80)
    assert loop.growth._widening.trial["layers"] == ["plain.0", "plain.2"]


def test_a_wider_copy_computes_what_the_model_does_until_it_learns(esper):
    from esper._pairs import find_pairs
    from esper._wide import Wide, growths
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3))
    x = torch.randn(4, 3, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    again = lambda: model(x).pow(2).mean()
    wide = Wide(model, growths(find_pairs(model, again).pairs, 1.5), optimizer, seed=0)
    before, state = model(x), copy.deepcopy(model.state_dict())
    with wide.in_place():
        assert model[0].weight.shape[0] == 6
        torch.testing.assert_close(model(x), before)
    wide.step(again)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items()
               if "running" not in k and "tracked" not in k)
    wide.take_over()
    assert model[0].out_channels == model[1].num_features == model[3].in_channels == 6
    loss = again()
    loss.backward()
    optimizer.step()
    assert again() < loss
