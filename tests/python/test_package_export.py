"""The export path: the same module, run by the C++ interpreter."""

import copy

import pytest

torch = pytest.importorskip("torch")

from growing_models import build, loss_and_gradients  # noqa: E402

EXPORTABLE = ["convolutions with in-place activations", "layers overwritten in place",
              "blocks that return tuples", "channels last", "one-dimensional convolutions"]


@pytest.mark.parametrize("name", EXPORTABLE)
def test_an_exported_model_has_the_loss_and_gradients_of_the_module(esper, name):
    model, x = build(name)
    expected, wanted = loss_and_gradients(copy.deepcopy(model), x)
    ours = esper.ExportedModel(model, x)
    loss, gradients = loss_and_gradients(ours, x)
    assert torch.allclose(loss, expected, rtol=1e-6)
    for parameter, gradient in wanted.items():
        assert torch.allclose(gradients["model." + parameter], gradient, atol=1e-6), parameter


def test_it_trains_the_very_parameters_and_running_statistics_of_the_module(esper):
    model, x = build("convolutions with in-place activations")
    other = copy.deepcopy(model)
    ours = esper.ExportedModel(model, x)
    for m in (ours, other):
        optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            m(x).square().mean().backward()
            optimizer.step()
    for key, value in other.state_dict().items():
        assert torch.allclose(model.state_dict()[key], value, atol=1e-6), key
    assert torch.allclose(ours.eval()(x), other.eval()(x), atol=1e-6)


def test_a_batch_of_another_size_goes_through(esper):
    model, x = build("channels last")
    ours = esper.ExportedModel(model, x, batch=True)
    larger = torch.randn(9, *x.shape[1:])
    assert torch.allclose(ours(larger), model(larger), atol=1e-6)


def test_control_flow_that_depends_on_data_is_refused_with_a_reason(esper):
    model, x = build("control flow")
    with pytest.raises(Exception, match="(?i)data-depend"):
        esper.ExportedModel(model, x)


def test_the_file_is_one_that_the_program_trains(esper, tmp_path):
    model, x = build("convolutions with in-place activations")
    esper.export(model, x, tmp_path / "model.pt2")
    from esper import _esper

    imported = _esper.Imported(str(tmp_path / "model.pt2"))
    assert "blocks.0" in _esper.declared(imported.program)["anchors"]


class SometimesDropped(torch.nn.Module):
    """What the forward pass is depends on the mode, in Python."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(6, 6), torch.nn.Linear(6, 5)

    def forward(self, x):
        y = self.first(x)
        if self.training:
            y = y * torch.floor(0.5 + torch.rand(len(x), 1))
        return self.second(x + y)


def test_evaluation_is_the_modules_own_where_training_does_something_else(esper):
    torch.manual_seed(0)
    model, x = SometimesDropped(), torch.randn(64, 6)
    ours = esper.ExportedModel(model, x)
    assert not torch.allclose(ours(x), ours(x))
    ours.eval()
    assert torch.allclose(ours(x), model(x), atol=1e-6)
    ours.train()
    torch.manual_seed(3)
    first = ours(x)
    assert not torch.allclose(ours(x), first)
    torch.manual_seed(3)
    assert torch.equal(ours(x), first)


class TellsItsSizes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 5)

    def forward(self, x):
        y = self.layer(x)
        return {"y": y, "sizes": (y.shape[1], 3), "nothing": None}


def test_outputs_that_are_no_tensors_are_what_they_were(esper):
    model, x = TellsItsSizes(), torch.randn(4, 6)
    got = esper.ExportedModel(model, x)(x)
    assert got["sizes"] == (5, 3) and got["nothing"] is None
    assert torch.allclose(got["y"], model(x)["y"], atol=1e-6)
