"""Adapters as files: for their host alone, several on one, nothing of a stranger's carried out."""

import copy
import json
import pickle

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402

WORDS = 12


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.up, self.down = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))


class NextToken(nn.Module):
    """Foretells the next token from the ones so far: a running mean of embeddings through blocks."""

    def __init__(self, size=16):
        super().__init__()
        self.embed = nn.Embedding(WORDS, size)
        self.blocks = nn.ModuleList(Block(size) for _ in range(3))
        self.head = nn.Linear(size, WORDS)

    def forward(self, tokens):
        x = self.embed(tokens)
        past = x.cumsum(1) / torch.arange(1, x.shape[1] + 1).view(1, -1, 1)
        x = x + past
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def language(step, count, length=12, seed=0):
    """Sequences in which each token is the last one plus `step`."""
    first = torch.randint(0, WORDS, (count, 1), generator=torch.Generator().manual_seed(seed))
    return (first + step * torch.arange(length + 1)) % WORDS


def batches(step, count, seed=0):
    text = language(step, count, seed=seed)
    return [(t[:, :-1], t[:, 1:]) for t in text.split(50)]


def loss(output, target):
    return F.cross_entropy(output.flatten(0, -2), target.flatten())


@pytest.fixture(scope="module")
def host():
    torch.manual_seed(0)
    model = NextToken()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for x, y in batches(1, 50) * 60:
        loss(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.fixture(scope="module")
def files(esper, host, tmp_path_factory):
    """An adapter a language, each trained on a copy of the host."""
    folder = tmp_path_factory.mktemp("adapters")
    for name, step, anchor in (("threes", 3, "blocks.1"), ("fives", 5, "blocks.0")):
        grown = esper.adapt(copy.deepcopy(host), torch.zeros(2, 12, dtype=torch.long), name=name,
                            epochs=60, lr=2e-2, anchors=[anchor], quiet=True)
        grown.fit(batches(step, 100), loss, probe=batches(step, 400, seed=1))
        assert grown.kept
        grown.save(folder / f"{name}.esper", f"counting in {name}")
    return folder


def loss_of(model, step):
    with torch.no_grad():
        return sum(loss(model(x), y).item() for x, y in batches(step, 50, seed=2))


def test_a_file_is_small_and_says_what_it_is(esper, host, files):
    said = {s["name"]: s for s in esper.adapters.ls(files)}
    assert said.keys() == {"threes", "fives"}
    one = said["threes"]
    assert one["purpose"] == "counting in threes" and one["losses"]["new"] < one["losses"]["new, host"]
    assert one["parts"][0].anchor.name == "blocks.1" and one["parts"][0].blueprint == "wide_mixer"
    assert one["bytes"] < 4 * one["parameters"] + 4096


def test_files_are_listed_by_a_command(esper, files, tmp_path, capsys):
    assert esper.adapters.main([str(files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "counting in threes" in lines[1] and "at blocks.1" in lines[1]
    (tmp_path / "x.esper").write_bytes(b"\0" * 64)
    assert esper.adapters.main([str(tmp_path), str(tmp_path / "none.esper")]) == 3
    said = capsys.readouterr()
    assert not said.out and "no safetensors file" in said.err and "none.esper" in said.err


def test_several_on_one_host(esper, host, files):
    model, tokens = copy.deepcopy(host), language(3, 4)[:, :-1]
    esper.adapters.add(model, files / "threes.esper")
    threes = model(tokens)
    esper.adapters.add(model, files / "fives.esper")
    assert [a.name for a in esper.adapters.ls(model)] == ["threes", "fives"]
    assert [a.enabled for a in esper.adapters.ls(model)] == [False, True]
    assert loss_of(model, 5) < 0.3 * loss_of(host, 5)
    esper.adapters.use(model, "threes")
    assert torch.equal(model(tokens), threes)
    esper.adapters.use(model, None)
    assert torch.equal(model(tokens), host(tokens))
    esper.adapters.use(model, "fives")
    esper.adapters.remove(model, "fives")
    assert torch.equal(model(tokens), host(tokens))
    with pytest.raises(ValueError, match="no adapter 'fives'; the model has: threes"):
        esper.adapters.use(model, "fives")


def test_a_name_that_is_none_is_refused(esper, host, files):
    with pytest.raises(ValueError, match="letters, digits"):
        esper.adapters.add(copy.deepcopy(host), files / "threes.esper", name="../threes")


def test_the_same_name_twice_is_refused_or_the_files(esper, host, files, tmp_path):
    model = copy.deepcopy(host)
    esper.adapters.add(model, files / "threes.esper")
    with pytest.raises(ValueError, match="already"):
        esper.adapters.add(model, files / "threes.esper", name="threes")
    (tmp_path / "again.esper").write_bytes((files / "threes.esper").read_bytes())
    assert esper.adapters.add(model, tmp_path / "again.esper").name == "again"


def test_a_gate_serves_them_without_being_told_which(esper, host, files):
    model = copy.deepcopy(host)
    for name in ("threes", "fives"):
        esper.adapters.add(model, files / f"{name}.esper")
    for step, which in ((1, 0), (3, 1), (5, 2)):
        x, y = batches(step, 50, seed=3)[0]
        mixed, weights = esper.adapters.mix(model, x)
        assert torch.allclose(mixed.exp().sum(-1), torch.ones(mixed.shape[:2]), atol=1e-4)
        assert (weights[:, -1].argmax(-1) == which).all()
        mixture = F.nll_loss(mixed.flatten(0, 1), y.flatten()).item()
        assert mixture < 0.5  # the log of three choices, once in twelve tokens, is 0.09
    assert [a.enabled for a in esper.adapters.ls(model)] == [False, True]


def test_the_gate_is_causal(esper, host, files):
    model = copy.deepcopy(host)
    esper.adapters.add(model, files / "threes.esper")
    tokens = language(3, 4)[:, :-1]
    other = tokens.clone()
    other[:, 7:] = (other[:, 7:] + 4) % WORDS
    a, b = (esper.adapters.mix(model, t)[0] for t in (tokens, other))
    assert torch.allclose(a[:, :7], b[:, :7], atol=1e-6) and not torch.allclose(a[:, 8:], b[:, 8:])


def test_one_pass_with_a_shared_prefix_gives_what_many_give(esper, host, files):
    model = copy.deepcopy(host)
    for name in ("threes", "fives"):
        esper.adapters.add(model, files / f"{name}.esper")
    tokens, calls = language(5, 4)[:, :-1], []
    model.embed.register_forward_hook(lambda *_: calls.append(1))
    shared, weights = esper.adapters.mix(model, tokens)
    assert len(calls) == 1
    apart, same = esper.adapters.mix(model, tokens, shared=False)
    assert len(calls) == 4
    assert torch.allclose(shared, apart, atol=1e-5) and torch.allclose(weights, same, atol=1e-5)


def test_a_shared_pass_takes_adapters_of_two_parts(esper, host, files):
    model = copy.deepcopy(host)
    esper.adapters.add(model, files / "fives.esper")
    grown = esper.adapt(model, torch.zeros(2, 12, dtype=torch.long), epochs=2, lr=2e-2, places=2,
                        anchors=["blocks.*"], quiet=True)
    grown.fit(batches(3, 100), loss)
    assert [p.blueprint for p in grown.adapter.parts] == ["wide_mixer", "readout", "wide_mixer"]
    tokens, calls = language(3, 4)[:, :-1], []
    model.embed.register_forward_hook(lambda *_: calls.append(1))
    shared, _ = esper.adapters.mix(model, tokens)
    assert len(calls) == 1
    assert torch.allclose(shared, esper.adapters.mix(model, tokens, shared=False)[0], atol=1e-5)


class Branches(NextToken):
    """Adds the blocks' outputs to what came before them: a wider batch does not pass."""

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def test_where_a_wider_batch_does_not_pass_each_gets_its_own_pass(esper, host):
    torch.manual_seed(1)
    model = Branches().eval()
    grown = esper.adapt(model, torch.zeros(2, 12, dtype=torch.long), epochs=2, lr=2e-2, quiet=True)
    grown.fit(batches(3, 100), loss)
    tokens = language(3, 4)[:, :-1]
    mixed, weights = esper.adapters.mix(model, tokens)
    again, same = esper.adapters.mix(model, tokens, shared=False)
    assert torch.equal(mixed, again) and torch.equal(weights, same)
    assert grown.enabled


class Wordy(NextToken):
    """Returns more than logits, as models of transformers do."""

    def forward(self, tokens):
        from types import SimpleNamespace

        return SimpleNamespace(logits=super().forward(tokens))


class Pair(NextToken):
    def forward(self, tokens):
        return tokens, super().forward(tokens)


@pytest.mark.parametrize("kind, pick", [(Wordy, lambda out: out.logits), (Pair, lambda out: out[1])])
def test_logits_are_found_in_what_a_model_returns(esper, host, kind, pick):
    model = kind().eval()
    model.load_state_dict(host.state_dict())
    grown = esper.adapt(model, torch.zeros(2, 12, dtype=torch.long), epochs=2, lr=2e-2, quiet=True)
    grown.fit(batches(3, 100), lambda output, target: loss(pick(output), target))
    tokens = language(3, 4)[:, :-1]
    mixed, _ = esper.adapters.mix(model, tokens, adapters=[])
    assert torch.allclose(mixed, host(tokens).log_softmax(-1), atol=1e-6)
    together, _ = esper.adapters.mix(model, tokens)
    assert torch.isfinite(together).all() and not torch.allclose(together, mixed)


def test_a_stream_goes_on_where_it_stopped(esper, host, files):
    model = copy.deepcopy(host)
    esper.adapters.add(model, files / "threes.esper")
    tokens = language(3, 2)[:, :-1]
    _, weights = esper.adapters.mix(model, tokens)
    _, later = esper.adapters.mix(model, tokens, prior=weights[:, -1].log())
    assert (later[:, 0, 1] > 0.99).all()


def test_one_model_is_adapted_twice(esper, host):
    """The second adaptation begins at the host, not at the first."""
    model = copy.deepcopy(host)
    tokens = torch.zeros(2, 12, dtype=torch.long)
    for step in (3, 5):
        grown = esper.adapt(model, tokens, epochs=30, lr=2e-2, quiet=True)
        grown.fit(batches(step, 100), loss, probe=batches(step, 400, seed=1))
        assert grown.kept
    assert [(a.name, a.enabled) for a in esper.adapters.ls(model)] == [("adapter", False),
                                                                       ("adapter2", True)]
    mixture = lambda step: esper.adapters.mix(model, language(step, 20)[:, :-1])[1][:, -1].argmax(-1)
    assert (mixture(1) == 0).all() and (mixture(3) == 1).all() and (mixture(5) == 2).all()
    assert all(torch.equal(t, host.state_dict()[n]) for n, t in model.state_dict().items())


def test_another_host_is_refused_with_the_value_that_names_it(esper, host, files):
    other = copy.deepcopy(host)
    with torch.no_grad():
        other.blocks[0].up.weight[0, 0] += 1e-3
    with pytest.raises(esper.adapters.AdapterError, match=r"host [0-9a-f]{12}.*blocks\.0\.up\.weight"):
        esper.adapters.add(other, files / "threes.esper")
    with pytest.raises(esper.adapters.AdapterError, match="host_structure"):
        esper.adapters.add(NextToken(20), files / "threes.esper")
    assert not esper.adapters.ls(other)


def changed(file, target, tensors=lambda t: t, **metadata):
    with safe_open(str(file), "pt") as opened:
        meta = opened.metadata()
    for key, value in metadata.items():
        if value is None:
            del meta[key]
        else:
            meta[key] = value(meta[key]) if callable(value) else value
    save_file(tensors(load_file(str(file))), str(target), meta)
    return target


def with_part(**values):
    def change(text):
        parts = json.loads(text)
        parts[0].update(values)
        return json.dumps(parts)
    return change


def with_readout(**values):
    def change(text):
        parts = json.loads(text)
        next(p for p in parts if p["blueprint"] == "readout").update(values)
        return json.dumps(parts)
    return change


def readout_alone(text):
    return json.dumps([p for p in json.loads(text) if p["blueprint"] == "readout"])


def scaled(name, value):
    def change(tensors):
        tensors[name] = value(tensors[name]).contiguous()
        return tensors
    return change


HOSTILE = {
    "another format": ({"format": "evil.v1"}, {}, "its format"),
    "a key more": ({"code": "import os"}, {}, "other keys"),
    "a key less": ({"host": None}, {}, "other keys"),
    "a name that is a path": ({"name": "../../x"}, {}, "name"),
    "a purpose that moves the cursor": ({"purpose": "\x1b[2J"}, {}, "purpose"),
    "a class that moves the cursor": ({"host_class": "\x1b[2J"}, {}, "host_class"),
    "a version that does": ({"esper": "\x1b[2J"}, {}, "esper"),
    "no hash": ({"program": "x" * 64}, {}, "SHA-256"),
    "parts that are no list": ({"parts": "{}"}, {}, "parts"),
    "parts nested deeply": ({"parts": "[" * 100000}, {}, "parts"),
    "no part": ({"parts": "[]"}, {}, "0 parts"),
    "a part's key more": ({"parts": with_part(init="__import__('os')")}, {}, "other keys"),
    "an anchor that is code": ({"parts": with_part(anchor="x'); import os; ('")}, {}, "no name of a"),
    "an anchor that is not there": ({"parts": with_part(anchor="blocks.9")}, {}, "no module blocks.9"),
    "a layout that is code": ({"parts": with_part(layout="'+exit()+'")}, {}, "layout"),
    "an unknown blueprint": ({"parts": with_part(blueprint="transformer_block")}, {}, "blueprint"),
    "a kind that does not fit": ({"parts": with_part(blueprint="wide_conv")}, {}, "blueprint"),
    "too wide": ({"parts": with_part(width=1 << 40)}, {}, "width"),
    "a width that is a text": ({"parts": with_part(width="8")}, {}, "width"),
    "another width": ({"parts": with_part(width=9)}, {}, "Program"),
    "a readout of another size": ({"parts": with_readout(width=1 << 20)}, {}, "no linear layer"),
    "a readout elsewhere": ({"parts": with_readout(anchor="blocks.1")}, {}, "no linear layer"),
    "a readout of images": ({"parts": with_readout(kind="image")}, {}, "blueprint"),
    "a readout alone": ({"parts": readout_alone}, {}, "branch"),
    "losses that are texts": ({"losses": '{"new": "x"}'}, {}, "losses"),
    "a tensor more": ({}, {"tensors": lambda t: {**t, "part1.more": torch.zeros(2)}}, "tensors"),
    "another type": ({}, {"tensors": scaled("part1.up.weight", lambda t: t.double())}, "float64"),
    "another shape": ({}, {"tensors": scaled("part1.up.weight", lambda t: t[:2])}, "its part has"),
    "not finite": ({}, {"tensors": scaled("part1.up.weight", lambda t: t / 0)}, "not finite"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_adapter_is_refused(esper, host, files, tmp_path, case):
    metadata, tensors, message = HOSTILE[case]
    file = changed(files / "threes.esper", tmp_path / "x.esper", **tensors, **metadata)
    model = copy.deepcopy(host)
    with pytest.raises(esper.adapters.AdapterError, match=message):
        esper.adapters.add(model, file)
    assert not esper.adapters.ls(model)


def test_no_pickle_is_opened(esper, host, tmp_path):
    class Runs:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name, content in (("a", pickle.dumps(Runs())), ("b", b""), ("c", b"\xff" * 64)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(esper.adapters.AdapterError):
            esper.adapters.add(copy.deepcopy(host), tmp_path / name)
    assert not (tmp_path / "ran").exists()
