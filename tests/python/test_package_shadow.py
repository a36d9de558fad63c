"""Seeds that learn in a shadow: from a second pass that the model cannot notice."""

import copy
import random

import pytest

torch = pytest.importorskip("torch")
import numpy  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from growing_models import MODELS, Block, blend, build, germinate, tensors_of  # noqa: E402

SHADOW = ["growth.isolation=shadow"]
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)


def loss_of(model, x):
    return sum(t.square().mean() for t in tensors_of(model(x)))


class Noisy(nn.Module):
    """Everything that a pass may change: running statistics, random numbers, gradients."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(8), nn.Dropout(0.3), Block(8))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x) * (0.9 + 0.1 * random.random() + 0.1 * numpy.random.rand())
        return self.head(self.blocks(x).mean((2, 3)))


def state_of(model, optimizer):
    return ({k: v.clone() for k, v in model.state_dict().items()},
            {n: p.grad.clone() for n, p in model.named_parameters()},
            copy.deepcopy(optimizer.state_dict()), torch.random.get_rng_state(),
            random.getstate(), numpy.random.get_state()[1].tolist())


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("scheduled", [False, True])
def test_the_host_cannot_notice_seeds_in_a_shadow(esper, scheduled):
    def run(slots):
        torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
        model, x, y = Noisy(), torch.randn(16, 3, 8, 8), torch.randint(0, 5, (16,))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=20)
        growth = esper.wrap(model, x, optimizer, quiet=True, overrides=SHADOW)
        steps = []
        optimizer.register_step_post_hook(lambda *_: steps.append(1))
        seeds = [germinate(growth, slot, "conv_block_3x3") for slot in slots]
        assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
        before = [[p.clone() for p in growth._live.seeds[s].parameters()] for s in seeds]
        for _ in range(5):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            growth.step(loss, again=lambda: F.cross_entropy(model(x), y))
            if scheduled:
                scheduler.step()
        for seed, old in zip(seeds, before):
            moved = [not torch.equal(p, q)
                     for p, q in zip(growth._live.seeds[seed].parameters(), old)]
            assert all(moved)
        return *state_of(model, optimizer), len(steps)

    alone = run([])
    assert same(run([0]), alone)
    assert same(run([0, 1]), alone)


@EVERY_MODEL
def test_every_model_has_shadows(esper, name):
    model, x = build(name)
    reference = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    growth = esper.wrap(model, x, optimizer, quiet=True, overrides=SHADOW)
    seed = germinate(growth, len(growth.anchors) - 1)
    before = [p.clone() for p in growth._live.seeds[seed].parameters()]
    optimizer.param_groups[0]["lr"] = 0.1
    torch.manual_seed(3)
    loss = loss_of(model, x)
    torch.manual_seed(3)
    assert torch.equal(loss, loss_of(reference, x))
    growth.step(loss, again=lambda: loss_of(model, x))
    assert same(model.state_dict(), reference.state_dict())
    assert all(p.grad is None for p in model.parameters())
    learned = zip(growth._live.seeds[seed].parameters(), before)
    assert any(not torch.equal(p, q) for p, q in learned)


def test_a_shadows_gradient_is_that_of_the_network_with_the_seed(esper):
    from esper._shadow import gradients

    model, x = build("convolutions with in-place activations")
    growth = esper.wrap(model, x, torch.optim.SGD(model.parameters(), lr=0.1), quiet=True,
                        overrides=SHADOW)
    germinate(growth, 0)
    blend(growth, 0, 0.5)
    seed = germinate(growth, 1)
    found = gradients(growth._live, growth._statistics, seed, lambda: loss_of(model, x))
    blend(growth, 1, 1.0)
    loss = loss_of(model, x)
    wanted = torch.autograd.grad(loss, list(growth._live.seeds[seed].parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_seed_in_a_shadow_learns_what_the_loss_wants(esper):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    x = torch.randn(256, 6)
    y = 2 * x.abs() - x
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    growth = esper.wrap(model, x[:4], optimizer, quiet=True, overrides=SHADOW)
    seed = germinate(growth, 1, "gated_unit")
    with_seed = []

    def again():
        with_seed.append(F.mse_loss(model(x), y))
        return with_seed[-1]

    for _ in range(200):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        growth.step(loss, again=again)
    assert with_seed[-1] < 0.8 * F.mse_loss(model(x), y)
    moments = [growth._apart.twin.state[p] for p in growth._live.seeds[seed].parameters()]
    assert all(int(m["step"]) == 200 for m in moments)
    growth.graft(1, "LINEAR", 10)
    assert all(optimizer.state[p] is m
               for p, m in zip(growth._live.seeds[seed].parameters(), moments))


class Wrapper(torch.optim.Optimizer):
    """As Accelerate's: an optimizer in name, which passes everything on."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups):
        self.optimizer.param_groups = groups

    @property
    def state(self):
        return self.optimizer.state

    @state.setter
    def state(self, state):
        self.optimizer.state = state


@pytest.mark.parametrize("isolation", ["shadow", "straight_through"])
def test_an_optimizer_in_a_wrapper_keeps_its_groups(esper, isolation):
    model, x = build("convolutions with in-place activations")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    groups = optimizer.param_groups
    growth = esper.wrap(model, x, Wrapper(optimizer), quiet=True,
                        overrides=[f"growth.isolation={isolation}"])
    assert optimizer.param_groups is groups and len(groups) == 1
    germinate(growth, 0)
    growth.step(1.0, again=lambda: loss_of(model, x))
    blend(growth, 0, 0.5)
    assert len(optimizer.param_groups) == 2 and optimizer.param_groups is groups


def test_a_step_without_the_second_loss_says_what_is_missing(esper):
    model, x = build("layers overwritten in place")
    growth = esper.wrap(model, x, quiet=True, overrides=SHADOW)
    growth.step(1.0)  # nothing to learn yet
    germinate(growth, 0)
    with pytest.raises(ValueError, match="again=lambda.*straight_through"):
        growth.step(1.0)
    with pytest.raises(ValueError, match="growth.attach"):
        growth.step(1.0, again=lambda: loss_of(model, x))
    growth.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    loss = loss_of(model, x)
    with pytest.raises(ValueError, match="did not run the model"):
        growth.step(loss, again=lambda: loss)
    with pytest.raises(TypeError, match="a tensor of one number; got 1.0"):
        growth.step(loss, again=lambda: loss_of(model, x).item() * 0 + 1.0)
    with pytest.raises(ValueError, match="no gradient"):
        growth.step(loss, again=lambda: loss_of(model, x).detach())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


def test_a_run_with_shadows_goes_on_from_a_checkpoint_to_the_same_end(esper):
    def go(epochs, state=None):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Linear(6, 6))
        x = torch.randn(128, 6, generator=torch.Generator().manual_seed(0))
        probe = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        growth = esper.wrap(
            model, x[:4], optimizer, epochs=8, quiet=True,
            probe=esper.probe(model, [(probe, probe.abs())], F.mse_loss),
            overrides=[*SHADOW, "growth.training=2ep", "growth.graft_steps=4", "growth.start=0",
                       "growth.stabilization=1ba", "growth.fine_tune=1ep", "growth.cooldown=0ep",
                       "growth.gate.min_examples=50", "growth.gate.lag=0ba",
                       "controller.policy=periodic", "controller.period=1ep"])
        if state:
            growth.load_state_dict(state["growth"])
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        for _ in range(epochs):
            for batch in x.split(32):
                loss = F.mse_loss(model(batch), batch.abs())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                growth.step(loss, again=lambda: F.mse_loss(model(batch), batch.abs()))
            growth.epoch(loss.item())
        return growth, copy.deepcopy({"growth": growth.state_dict(), "model": model.state_dict(),
                                      "optimizer": optimizer.state_dict()})

    straight, whole = go(8)
    for split in (1, 2, 4):
        _, half = go(split)
        growth, resumed = go(8 - split, half)
        assert growth.train_losses == straight.train_losses
        assert growth.program.hash == straight.program.hash
        assert same(resumed["model"], whole["model"])


def test_batch_norms_fit_the_network_that_is_measured(esper):
    """A seed that shifts what flows is judged in evaluation mode as it did in training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    x = torch.randn(320, 6)
    seen = []  # what the norm puts out at each measurement

    def probe():
        seen.append(model[:3](x))
        return model(x).square().mean(1)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    growth = esper.wrap(model, x[:4], optimizer, epochs=9, quiet=True, probe=probe,
                        anchors=["1"], overrides=[
                            *SHADOW, "growth.training=1ep", "growth.start=0",
                            "growth.graft_steps=4", "growth.fine_tune=1ep",
                            "growth.blueprints=[low_rank]", "growth.gate.min_examples=50",
                            "growth.gate.lag=0ba", "controller.policy=periodic"])
    for epoch in range(2):
        if epoch == 1:
            with torch.no_grad():  # a seed whose outputs are far off
                for p in growth.parameters():
                    p.add_(1.0)
        for batch in x.split(32):
            loss = model(batch).square().mean()
            growth.step(loss, again=lambda: model(batch).square().mean())
        statistics = model[2].running_mean.clone()
        growth.epoch(1.0)
        assert torch.equal(model[2].running_mean, statistics)
    without, with_seed = seen[:2]
    assert not torch.equal(without, with_seed)
    for normed in (without, with_seed):
        assert torch.allclose(normed.mean(0), torch.zeros(8), atol=0.05)
        assert torch.allclose(normed.var(0), torch.ones(8), atol=0.1)


def test_the_trainer_gives_seeds_their_second_pass_and_a_convolutional_network_keeps_one(esper):
    torch.manual_seed(0)
    model = Noisy()

    def pictures(n, seed):
        """Whether two marks in the picture are alike, which one block sees too little of."""
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(n, 3, 8, 8, generator=draw) * 0.5
        a, b = (torch.randint(0, 2, (n,), generator=draw) for _ in range(2))
        x[:, 0, :4] += (2.0 * a - 1)[:, None, None]
        x[:, 1, 4:] += (2.0 * b - 1)[:, None, None]
        return x, (a ^ b) + 2 * a

    train = list(zip(*(t.split(32) for t in pictures(512, 0))))
    trainer = esper.Trainer(
        model, F.cross_entropy, torch.optim.AdamW(model.parameters(), lr=3e-3), train=train,
        validation=[pictures(200, 2)], probe=[pictures(600, 1)], epochs=10, quiet=True,
        overrides=[*SHADOW, "growth.training=2ep", "growth.graft_steps=16", "growth.start=0",
                   "growth.stabilization=4ba", "growth.fine_tune=1ep", "growth.cooldown=0ep",
                   "growth.gate.min_examples=200", "growth.gate.rent=0.001",
                   "growth.blueprints=[conv_block_3x3]",
                   "controller.policy=periodic", "controller.period=1ep"])
    trainer.fit()
    assert trainer.growth.counts["fossilized"] >= 1, [
        e["reason"] for e in trainer.growth.events if "reason" in e]
