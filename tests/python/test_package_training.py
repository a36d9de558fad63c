"""A user's own loop that grows: life cycle, optimizer, checkpoints, run folder."""

import copy
import json
import math

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from growing_models import blend, build, fossilize, germinate  # noqa: E402

# One seed after another, as fast as a life can go.
QUICK = ["growth.training=1ep", "growth.stabilization=1ba", "growth.fine_tune=1ep",
         "growth.graft_steps=4", "growth.cooldown=0ep", "growth.embargo=1ep", "growth.start=0",
         "growth.gate.min_examples=50", "growth.gate.lag=0ba", "growth.gate.budget=1ep",
         "controller.policy=periodic", "controller.period=1ep", "growth.stop=0.8"]


def bent(n, seed):
    """Points of a bent line that a network without hidden layers cannot follow."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return x, 2 * x.abs() - x


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(2))
        self.head = nn.Linear(6, 6)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def mean_square(output, target, reduction="mean"):
    return F.mse_loss(output, target, reduction=reduction)


def train(esper, epochs=10, run=None, overrides=(), scheduler=None, optimizer=torch.optim.Adam):
    torch.manual_seed(1)
    model = Straight()
    x, y = bent(256, 0)
    probe_x, probe_y = bent(400, 1)
    optimizer = optimizer(model.parameters(), lr=0.01)
    scheduler = scheduler(optimizer) if scheduler else None
    growth = esper.wrap(model, x[:4], optimizer, epochs=epochs, run=run, quiet=True,
                        overrides=[*QUICK, *overrides])
    probe = esper.probe(model, [(probe_x, probe_y)], mean_square)
    for _ in range(epochs):
        for at in range(0, 256, 32):
            loss = mean_square(model(x[at:at + 32]), y[at:at + 32])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            growth.step(loss)
        if scheduler:
            scheduler.step()
        growth.epoch(mean_square(model(x), y).item(), probe=probe)
    return model, optimizer, growth


def test_a_network_that_is_too_small_grows_and_gets_better(esper, tmp_path):
    model, optimizer, growth = train(esper, epochs=16, run=tmp_path / "run",
                                     overrides=["growth.blueprints=[bottleneck_mlp,gated_unit]"])
    counts = growth.counts
    assert counts["fossilized"] >= 1, [e.get("reason") for e in growth.events]
    states = {s["state"] for s in growth.seeds}
    assert not states & {"TRAINING", "GRAFTING", "EVALUATING", "FINE_TUNING"}
    assert growth.validation_losses[-1] < growth.validation_losses[2]
    kept = {p for p in growth.parameters() if p.requires_grad}
    assert kept <= {p for g in optimizer.param_groups for p in g["params"]}

    decisions = [e for e in growth.events if e["event"] == "decision"]
    assert all(d["reason"] for d in decisions)
    gates = [e for e in growth.events if e["event"] == "gate"]
    assert {g["stage"] for g in gates} >= {"before_graft", "after_graft"}
    journal = esper.Journal(tmp_path / "run")
    assert journal.replay().hash == growth.program.hash
    assert journal[0]["edit"] is None and "insert" in json.dumps(journal[1]["edit"])
    summary = json.loads((tmp_path / "run" / "run.json").read_text())
    assert summary["status"] == "done" and summary["program_sha256"] == growth.program.hash
    page = esper.report(tmp_path / "run")
    assert "<html" in page.read_text()


def test_a_sham_is_not_kept(esper):
    _, _, growth = train(esper, epochs=20, overrides=["growth.blueprints=[low_rank]",
                                                      "growth.sham=true",
                                                      "growth.limits.max_flops_ratio=9"])
    taken = [(e["command"], e["blueprint"]) for e in growth.events if e["event"] == "decision"]
    assert any(command == "germinate" and name.startswith("sham") for command, name in taken)
    assert not any(command == "fossilize" and name.startswith("sham") for command, name in taken)


def test_growing_leaves_the_optimizers_state_of_old_parameters_alone(esper):
    model, x = build("layers overwritten in place")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)
    growth = esper.wrap(model, x, optimizer, quiet=True)
    for _ in range(3):
        model(x).square().mean().backward()
        optimizer.step()
    old = {p: {k: v.clone() for k, v in s.items()} for p, s in optimizer.state.items()}
    germinate(growth, 0)
    assert len(optimizer.param_groups) == 2
    group = optimizer.param_groups[1]
    assert group["lr"] == pytest.approx(0.01 * growth.config.newborn[0])
    for p, state in old.items():
        assert all(torch.equal(optimizer.state[p][k], v) for k, v in state.items())
    blend(growth, 0, 0.5)
    assert group["weight_decay"] == 0.0
    newborn = group["params"]
    model(x).square().mean().backward()
    optimizer.step()
    assert all(int(optimizer.state[p]["step"]) == 1 for p in newborn)
    assert all(int(optimizer.state[p]["step"]) == 4 for p in old)
    growth.cull(0)
    assert len(optimizer.param_groups) == 1 and set(optimizer.state) == set(old)


def test_a_seed_that_learns_as_its_neighbours_do_is_in_their_group(esper):
    model, x = build("layers overwritten in place")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    growth = esper.wrap(model, x, optimizer, steps_per_epoch=10**6, quiet=True)
    settle(growth, optimizer, model, x, 0)
    assert len(optimizer.param_groups) == 1
    assert set(growth.parameters()) <= set(optimizer.param_groups[0]["params"])
    moments = {p: optimizer.state[p]["momentum_buffer"].clone() for p in growth.parameters()}
    assert moments and growth.seeds[0]["state"] == "FINE_TUNING"
    for p in growth.parameters():
        p.grad = torch.full_like(p, math.nan)
    optimizer.step()
    for _ in range(64):
        growth.step(1.0)
    assert growth.seeds[0]["state"] not in ("FINE_TUNING", "FOSSILIZED"), "no number, and not found"
    assert len(optimizer.param_groups[0]["params"]) == len(list(model.parameters()))
    assert not moments.keys() & optimizer.state.keys()


def test_a_loaded_optimizer_finds_each_parameters_state(esper):
    def grow():
        model, x = build("layers overwritten in place")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return model, x, optimizer, esper.wrap(model, x, optimizer, steps_per_epoch=10**6, quiet=True)

    model, x, optimizer, growth = grow()
    # The later place first, and joined; then the earlier one, still apart.
    settle(growth, optimizer, model, x, 1)
    growth.germinate(0, "low_rank")
    learn(growth, optimizer, model, x, 3)
    assert len(optimizer.param_groups) == 2
    saved = copy.deepcopy([growth.state_dict(), model.state_dict(), optimizer.state_dict()])
    again, _, second, other = grow()
    other.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    second.load_state_dict(saved[2])
    for seed in (0, 1):
        ours = growth._live.seeds[growth.seeds[seed]["seed"]].named_parameters()
        theirs = dict(other._live.seeds[other.seeds[seed]["seed"]].named_parameters())
        for name, p in ours:
            assert torch.equal(theirs[name], p)
            assert torch.equal(second.state[theirs[name]]["momentum_buffer"],
                               optimizer.state[p]["momentum_buffer"])
    # A newborn's rate ends when it would have.
    rate_steps = growth.config.newborn[1]
    assert second.param_groups[1]["lr"] == pytest.approx(0.1 * growth.config.newborn[0])
    for g in (growth, other):
        for _ in range(rate_steps):
            g.step(1.0)
    assert second.param_groups[1]["lr"] == optimizer.param_groups[1]["lr"] == 0.1


def learn(growth, optimizer, model, x, steps):
    for _ in range(steps):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        growth.step(loss)


def settle(growth, optimizer, model, x, slot):
    growth.germinate(slot, "low_rank")
    growth.graft(slot, "INSTANT")
    for state in ("STABILIZATION", "EVALUATING", "FINE_TUNING"):
        growth.advance(slot, state)
    learn(growth, optimizer, model, x, growth.config.newborn[1] + 2)


@pytest.mark.parametrize("scheduler", [
    lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10),
    lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda e: 0.9**e),
    lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.01, total_steps=20),
])
def test_schedulers_go_on_when_parameters_are_born(esper, scheduler):
    _, optimizer, growth = train(esper, epochs=5, scheduler=scheduler)
    assert growth.counts["germinated"] >= 1
    born = {p for p in growth.parameters() if p.requires_grad}
    assert born <= {p for g in optimizer.param_groups for p in g["params"]}


def test_a_frozen_seed_stands_still(esper):
    model, x = build("layers overwritten in place")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    growth = esper.wrap(model, x, optimizer, quiet=True)
    germinate(growth, 0)
    blend(growth, 0, 1.0)
    growth.advance(0, "STABILIZATION")
    before = [p.clone() for p in growth.parameters()]
    host = model.layers[0].weight.clone()
    model(x).square().mean().backward()
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(growth.parameters(), before))
    assert not torch.equal(model.layers[0].weight, host)


def test_a_loaded_checkpoint_goes_on_to_the_same_end(esper):
    def go(epochs, state=None):
        torch.manual_seed(1)
        model = Straight()
        x, y = bent(256, 0)
        probe = esper.probe(model, [bent(400, 1)], mean_square)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        growth = esper.wrap(model, x[:4], optimizer, epochs=8, quiet=True, overrides=QUICK)
        if state:
            growth.load_state_dict(state["growth"])
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        for _ in range(epochs):
            for at in range(0, 256, 32):
                loss = mean_square(model(x[at:at + 32]), y[at:at + 32])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                growth.step(loss)
            growth.epoch(mean_square(model(x), y).item(), probe=probe)
        return {"growth": copy.deepcopy(growth.state_dict()),
                "model": copy.deepcopy(model.state_dict()),
                "optimizer": copy.deepcopy(optimizer.state_dict())}, growth

    for split in (2, 3, 5):
        whole, straight = go(8)
        half, _ = go(split)
        resumed, growth = go(8 - split, half)
        assert growth.program.hash == straight.program.hash
        assert growth.train_losses == straight.train_losses
        assert resumed["model"].keys() == whole["model"].keys()
        assert all(torch.equal(resumed["model"][k], v) for k, v in whole["model"].items())


def test_a_growth_of_another_model_is_refused(esper):
    model, x = build("layers overwritten in place")
    growth = esper.wrap(model, x, quiet=True)
    germinate(growth, 0)
    other = esper.wrap(*build("control flow"), quiet=True)
    with pytest.raises(ValueError, match="another model"):
        other.load_state_dict(growth.state_dict())


def test_a_seed_that_must_be_measured_without_a_probe_says_so(esper):
    model, x = build("layers overwritten in place")
    growth = esper.wrap(model, x, epochs=30, steps_per_epoch=1, quiet=True, overrides=QUICK)
    with pytest.raises(ValueError, match="probe="):
        for _ in range(30):
            growth.step(model(x).square().mean())
            growth.epoch(1.0)


def test_a_probe_that_changes_is_refused(esper):
    model, x = build("layers overwritten in place")
    sizes = iter(range(1000, 2000))
    growth = esper.wrap(model, x, epochs=30, steps_per_epoch=1, quiet=True, overrides=QUICK)
    with pytest.raises(esper.EsperError, match="same ones") as caught:
        for _ in range(30):
            growth.step(1.0)
            growth.epoch(1.0, probe=lambda: torch.ones(next(sizes)))
    assert caught.value.room == "tolaria"


def test_a_reconstruction_is_refused(esper):
    model, x = build("layers overwritten in place")
    with pytest.raises(esper.EsperError, match="growth.isolation"):
        esper.wrap(model, x, quiet=True, overrides=[*QUICK, "growth.isolation=reconstruction"])


def test_configurations_are_checked(esper, tmp_path):
    with pytest.raises(esper.EsperError, match="growth.gate.delta") as caught:
        esper.load_config("", "growth.gate.delta=2")
    assert caught.value.exit_code == 2
    config = esper.load_config("", "run.epochs=3", "run.name=mine")
    assert (config.name, config.epochs) == ("mine", 3)
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    assert esper.load_config(tmp_path / "c.yaml", environment=False) == config


def test_trainer_trains_and_hands_back(esper):
    torch.manual_seed(0)
    model = Straight()
    batches = [tuple(t[at:at + 32] for t in bent(256, 0)) for at in range(0, 256, 32)]
    trainer = esper.Trainer(
        model, mean_square, torch.optim.Adam(model.parameters(), lr=0.01), train=batches,
        validation=[bent(200, 2)], probe=[bent(400, 1)], epochs=8, quiet=True, overrides=QUICK)
    grown = trainer.fit()
    assert grown is model and len(trainer.history) == 8
    assert trainer.history[-1]["val_loss"] < trainer.history[0]["val_loss"]
    assert trainer.growth.counts["germinated"] >= 1


@pytest.mark.parametrize("train, error", [((b for b in [1]), TypeError), ([], ValueError)])
def test_trainer_refuses_batches_that_it_cannot_go_through_again(esper, train, error):
    model = nn.Linear(8, 2)
    held = [(torch.randn(4, 8), torch.randint(0, 2, (4,)))]
    with pytest.raises(error, match="train"):
        esper.Trainer(model, nn.functional.cross_entropy, torch.optim.SGD(model.parameters(), 0.1),
                      train=train, validation=held, probe=held, epochs=2, quiet=True)


def test_a_folder_that_is_used_is_refused_before_an_epoch_is_lost(esper, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(esper.EsperError, match="name a new folder"):
        esper.wrap(Straight(), bent(4, 0)[0], run=tmp_path, quiet=True)


def test_a_state_that_is_none_is_refused(esper):
    growth = esper.wrap(Straight(), bent(4, 0)[0], quiet=True)
    with pytest.raises(ValueError, match="state_dict"):
        growth.load_state_dict({})


def test_fossilized_seeds_survive_a_state_dict(esper):
    model, x = build("control flow")
    growth = esper.wrap(model, x, quiet=True)
    germinate(growth, 1)
    blend(growth, 1, 1.0)
    fossilize(growth, 1)
    fresh, _ = build("control flow")
    other = esper.wrap(fresh, x, quiet=True)
    other.load_state_dict(growth.state_dict())
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(x), model(x))
