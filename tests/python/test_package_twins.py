"""growth.split: a block of a PyTorch model becomes two."""

import copy
import importlib.util

import pytest
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, scale=1.0):
        return x + scale * self.down(torch.relu(self.up(self.norm(x))))


class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.stem = nn.Linear(4, d)
        self.blocks = nn.ModuleList([Block(d), Block(d)])
        self.head = nn.Linear(d, 3)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, scale=1.0)
        return self.head(x)


@pytest.fixture
def trained(esper):
    """A model after ten steps, its optimizer, its growth, a step, and a batch."""
    torch.manual_seed(0)
    model = Net()
    x, y = torch.randn(64, 4), torch.randint(3, (64,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def step():
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    growth = esper.wrap(model, x[:2], optimizer, epochs=4, quiet=True)
    for _ in range(10):
        step()
    return model, optimizer, growth, step, x


def test_the_forward_moves_by_little_and_both_learn(trained):
    model, optimizer, growth, step, x = trained
    before, inside = model(x).detach(), sum(p.numel() for p in model.parameters())
    name = growth.split("blocks.1")
    block, twin = model.get_submodule("blocks.1"), model.get_submodule(name)
    assert sum(p.numel() for p in model.parameters()) == inside + sum(
        p.numel() for p in block.parameters())
    assert 0 < (model(x) - before).abs().max() < 0.1 * before.abs().max()
    for p, q in zip(block.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q) and p is not q
        assert optimizer.state[p].keys() == optimizer.state[q].keys()
        assert optimizer.state[q]["step"] == 10
        for key, value in optimizer.state[p].items():
            assert torch.equal(value, optimizer.state[q][key]) and value is not optimizer.state[q][key]
    first = step()
    for p in (*block.parameters(), *twin.parameters()):
        assert p.grad.abs().sum() > 0
    for _ in range(20):
        last = step()
    assert last < first
    assert all(optimizer.state[q]["step"] == 31 for q in twin.parameters())


def test_it_is_exactly_half_of_what_the_block_adds(trained):
    model, _, growth, _, x = trained
    with torch.no_grad():
        h = model.blocks[0](model.stem(x))
        add = lambda block, z: block(z) - z
        block = copy.deepcopy(model.blocks[1])
        half = h + 0.5 * add(block, h)
        growth.split("blocks.1")
        assert torch.allclose(model.blocks[1](h), half + 0.5 * add(block, half), atol=1e-6)
        growth.split("blocks.1")
        quarter = half + 0.25 * add(block, half)
        assert torch.allclose(model.blocks[1](h), quarter + 0.25 * add(block, quarter), atol=1e-6)


def test_the_model_stays_plain_and_can_be_copied_unwrapped_and_rebuilt(trained, tmp_path):
    model, _, growth, step, x = trained
    growth.split("blocks.0")
    step()
    expected = model(x)
    assert torch.equal(copy.deepcopy(model)(x), expected)
    growth.export(tmp_path)
    assert torch.equal(model(x), expected)
    spec = importlib.util.spec_from_file_location("grown_twins", tmp_path / "grown.py")
    grown = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(grown)
    from safetensors.torch import load_file
    fresh = grown.grow(Net())
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(fresh(x), expected)
    assert "esper" not in (tmp_path / "grown.py").read_text()


def wide_to_narrow(esper, block):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), block, nn.Flatten())
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    return model, optimizer, esper.wrap(model, torch.randn(4, 8), optimizer, quiet=True)


def test_a_layer_that_says_it_changes_the_shape_is_refused_at_once(esper):
    model, _, growth = wide_to_narrow(esper, nn.Linear(8, 16))
    with pytest.raises(ValueError, match="does not keep its input's shape"):
        growth.split("1")
    assert model(torch.randn(4, 8)).shape == (4, 16)


def test_a_block_that_turns_out_to_change_the_shape_is_one_again(esper):
    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 3)

        def forward(self, x):
            return self.layer(x)

    model, optimizer, growth = wide_to_narrow(esper, Narrow())
    before = [len(group["params"]) for group in optimizer.param_groups]
    growth.split("1")
    with pytest.raises(ValueError, match="is one again"):
        model(torch.randn(4, 8))
    assert model(torch.randn(4, 8)).shape == (4, 3)
    assert [len(group["params"]) for group in optimizer.param_groups] == before
    assert set(optimizer.state) == set(model.parameters())
    assert growth.unwrap()(torch.randn(4, 8)).shape == (4, 3)


def test_a_block_that_changes_the_shape_is_refused(trained):
    model, _, growth, _, x = trained
    with pytest.raises(ValueError, match="keep its input's shape"):
        growth.split("stem")
        model(x)
