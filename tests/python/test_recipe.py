"""What moves the weights, step for step against PyTorch and NumPy, through the command: the first
network of a run is exported, trained on in PyTorch, and compared with the run's every checkpoint."""

import importlib.util
import json
import math
import os
import subprocess

import pytest
from conftest import ESPER, needs_esper

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
pytestmark = needs_esper

STEPS = 6
# Four kinds of row, a class each, in equal numbers: whichever rows a part gets, it has as many of
# each, so that the batch, which is the whole training part, is known.
ROWS = [(0.0, 1.0), (1.0, 0.0), (3.0, 2.0), (-1.0, 4.0)]
PLAIN = ["run.threads=1", "run.precision=fp32", "run.steps_per_epoch=1", f"run.epochs={STEPS}",
         "growth.enabled=false", "checkpoint.every=1ba", "checkpoint.keep=100",
         "data.batch_size=320", "data.workers=0", "data.split.train=0.8", "data.split.probe=0.1",
         "data.split.validation=0.05", "data.split.test=0.05", "checkpoint.rollback.enabled=false",
         "model.width=8", "model.depth=2",
         "optimization.schedule=constant", "optimization.warmup=0ba", "optimization.clip_norm=0",
         "optimization.label_smoothing=0", "optimization.learning_rate=0.01",
         "optimization.weight_decay=0.1"]


def esper(*words, cwd):
    return subprocess.run([ESPER, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=240, env=dict(os.environ))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    lines = ["a,b,kind"] + [f"{a},{b},k{k}" for _ in range(100) for k, (a, b) in enumerate(ROWS)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder


def train(folder, name, *settings):
    done = esper("train", "rows.csv", *PLAIN, *settings, "--run", name, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / name


def network_at(run, step):
    out = run.parent / f"{run.name}-at-{step}"
    if not out.exists():
        done = esper("export", run, "--checkpoint", step, "-o", out, cwd=run.parent)
        assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location("model", out / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Model.load().train()


def batch():
    x = torch.tensor(ROWS, dtype=torch.float64)
    x = ((x - x.mean(0)) / x.std(0, unbiased=False)).float()
    return x.repeat(80, 1), torch.arange(4).repeat(80)


def gradients(model):
    x, y = batch()
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()


def parts(model):
    """Inner matrices, the last layer's, and the vectors, by name."""
    named = dict(model.named_parameters())
    matrices = [n for n, p in named.items() if p.dim() == 2]
    last = next(n for n in matrices if named[n].shape[0] == 4)
    return named, [n for n in matrices if n != last], last


def assert_follows(run, step_of, atol=2e-6, gradients=gradients):
    """step_of(model) makes one reference step on the gradients that gradients(model) leaves."""
    model = network_at(run, 0)
    step = step_of(model)
    for n in range(1, STEPS + 1):
        gradients(model)
        step()
        theirs = dict(model.named_parameters())
        for name, ours in network_at(run, n).named_parameters():
            torch.testing.assert_close(ours, theirs[name], rtol=0, atol=atol,
                                       msg=lambda m: f"step {n}, {name}: {m}")
    first = dict(network_at(run, 0).named_parameters())
    assert any((first[n] - p).abs().max() > 0.01 for n, p in model.named_parameters())


def adamw(decayed, plain, **more):
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1},
                              {"params": plain, "weight_decay": 0}], lr=0.01, betas=(0.9, 0.99),
                             **more)


def test_adamw_decays_every_parameter(folder):
    run = train(folder, "adamw")
    assert_follows(run, lambda m: adamw(list(m.parameters()), []).step)


def test_adamw_decays_matrices_alone_where_it_is_asked_to(folder):
    run = train(folder, "matrices", "optimization.weight_decay_on=matrices")
    assert_follows(run, lambda m: adamw([p for p in m.parameters() if p.dim() > 1],
                                        [p for p in m.parameters() if p.dim() == 1]).step)


def test_lion_steps_by_the_sign(folder):
    run = train(folder, "lion", "optimization.optimizer=lion")

    def lion(model):
        momentum = {n: numpy.zeros(p.shape, "f") for n, p in model.named_parameters()}

        def step():
            for name, p in model.named_parameters():
                g, m = p.grad.numpy(), momentum[name]
                direction = numpy.sign(0.9 * m + 0.1 * g)
                value = p.detach().numpy() * (1 - 0.01 * 0.1) - 0.01 * direction
                momentum[name] = 0.99 * m + 0.01 * g
                with torch.no_grad():
                    p.copy_(torch.from_numpy(value.astype("f")))
        return step

    assert_follows(run, lion)


def orthogonal(matrix):
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / max(numpy.linalg.norm(x), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def test_muon_makes_the_inner_matrices_steps_orthogonal(folder):
    run = train(folder, "muon", "optimization.optimizer=muon", "optimization.momentum=0.95")

    def muon(model):
        named, inner, _ = parts(model)
        assert len(inner) >= 2
        rest = adamw([p for n, p in named.items() if n not in inner], [])
        momentum = {n: numpy.zeros(named[n].shape) for n in inner}

        def step():
            rest.step()
            for name in inner:
                g = named[name].grad.numpy().astype("f8")
                momentum[name] = 0.95 * momentum[name] + 0.05 * g
                update = orthogonal(g + 0.95 * (momentum[name] - g))
                value = named[name].detach().numpy() * (1 - 0.01 * 0.1)
                value = value - 0.01 * 0.2 * math.sqrt(max(g.shape)) * update
                with torch.no_grad():
                    named[name].copy_(torch.from_numpy(value.astype("f")))
        return step

    # Five iterations spread a rounding of the gradient by more than a step of AdamW does.
    assert_follows(run, muon, atol=2e-5)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_is_that_of_torch_in_float32(folder, monkeypatch):
    # Its iteration is in bfloat16, whose rounding it amplifies where a gradient lacks full rank.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    run = train(folder, "muon_of_torch", "optimization.optimizer=muon",
                "optimization.momentum=0.95")

    def muon(model):
        named, inner, _ = parts(model)
        rest = adamw([p for n, p in named.items() if n not in inner], [])
        theirs = torch.optim.Muon([named[n] for n in inner], lr=0.01, weight_decay=0.1,
                                  momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw")
        return lambda: (rest.step(), theirs.step())

    assert_follows(run, muon, atol=2e-5)


def test_a_batch_in_pieces_makes_the_same_steps(folder):
    run = train(folder, "pieces", "optimization.accumulate=4")
    assert_follows(run, lambda m: adamw(list(m.parameters()), []).step)
    done = esper("train", "rows.csv", *PLAIN, "optimization.accumulate=3", "--run", "odd",
                 cwd=folder)
    assert done.returncode == 2 and "does not divide into 3 pieces" in done.stderr


def test_the_mean_of_the_weights_is_what_is_exported_and_measured(folder):
    run = train(folder, "ema", "optimization.ema=0.8")
    model = network_at(run, 0)
    optimizer = adamw(list(model.parameters()), [])
    mean = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8), use_buffers=True)
    x, y = batch()
    losses = []
    for n in range(1, STEPS + 1):
        gradients(model)
        optimizer.step()
        mean.update_parameters(model)
        for name, ours in network_at(run, n).named_parameters():
            torch.testing.assert_close(ours, dict(mean.module.named_parameters())[name], rtol=0,
                                       atol=2e-6)
        with torch.no_grad():
            losses.append(torch.nn.functional.cross_entropy(mean.module(x), y).item())
    # Every part of these data has the same rows, so the validation loss is that of the mean.
    rows = (run / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("val_loss")
    assert [float(r.split(",")[column]) for r in rows[1:]] == pytest.approx(losses, abs=1e-5)
    done = esper("eval", run, "--checkpoint", "last", "--json", cwd=folder)
    assert json.loads(done.stdout)["test_loss"] == pytest.approx(losses[-1], abs=1e-5)


@pytest.mark.parametrize("settings", [
    ["optimization.optimizer=lion"], ["optimization.optimizer=muon"], ["optimization.ema=0.9"],
    ["optimization.accumulate=4", "optimization.weight_decay_on=matrices"],
    ["optimization.schedule=one_cycle", "optimization.warmup=2ba"],
], ids=lambda s: s[0].split("=", 1)[1])
def test_a_stop_and_a_resume_change_nothing(folder, settings, tmp_path):
    (tmp_path / "rows.csv").write_bytes((folder / "rows.csv").read_bytes())
    whole = train(tmp_path, "whole", *settings)
    stopped = train(tmp_path, "stopped", *settings, "run.max_duration=1h")
    # As a kill after the third step leaves it.
    for path in (stopped / "checkpoints").iterdir():
        number = path.stem.removeprefix("step-")
        if number.isdigit() and int(number) > 3:
            path.unlink()
    (stopped / "checkpoints" / "last").unlink(missing_ok=True)
    record = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps({**record, "status": "running"}))
    done = esper("resume", stopped, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    theirs = network_at(whole, STEPS).state_dict()
    for name, tensor in network_at(stopped, STEPS).state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


def test_one_cycle_is_that_of_pytorch(folder):
    run = train(folder, "cycle", "optimization.schedule=one_cycle", "run.epochs=20",
                "optimization.warmup=6ba")
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=20, pct_start=0.3,
                                                   cycle_momentum=False)
    theirs = []
    for _ in range(20):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(theirs) < 20:
            schedule.step()
    rows = (run / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("learning_rate")
    assert [float(r.split(",")[column]) for r in rows[1:]] == pytest.approx(theirs, rel=1e-6)


def test_a_run_that_learns_no_more_ends_early_and_can_go_on(folder):
    run = train(folder, "early", "run.epochs=30", "optimization.early_stopping.patience=3ep",
                "optimization.early_stopping.min_delta=10")
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["steps"]) == ("done", 4)
    assert "has not fallen by 10 for 3 epochs" in record["ended_early"]
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [e["step"] for e in events if e["event"] == "ended_early"] == [4]
    again = esper("resume", run, cwd=folder)
    assert again.returncode == 2 and "more patience" in again.stderr
    on = esper("resume", run, "optimization.early_stopping.patience=0ep", cwd=folder)
    assert on.returncode == 0, on.stderr
    record = json.loads((run / "run.json").read_text())
    assert record["steps"] == 30 and record["ended_early"] == ""


def test_a_run_without_a_fall_that_small_goes_to_its_end(folder):
    run = train(folder, "patient", "run.epochs=12", "optimization.early_stopping.patience=3ep")
    assert json.loads((run / "run.json").read_text())["steps"] == 12


def test_a_run_stops_when_its_time_is_over_and_goes_on_as_long_again(folder):
    done = esper("train", "rows.csv", *PLAIN, "run.epochs=1000000", "checkpoint.every=1000ba",
                 "run.max_duration=1s", "--run", "timed", cwd=folder)
    assert done.returncode == 130, done.stderr
    assert "because run.max_duration is over" in done.stderr
    first = json.loads((folder / "timed" / "run.json").read_text())
    assert first["status"] == "stopped" and first["steps"] > 0
    again = esper("resume", "timed", cwd=folder)
    assert again.returncode == 130
    second = json.loads((folder / "timed" / "run.json").read_text())
    assert second["steps"] > first["steps"]


# What is not the same for every parameter or every class

@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Half of the rows are of the first kind; the batch is the whole training part, as in PLAIN."""
    folder = tmp_path_factory.mktemp("uneven")
    kinds = [0, 0, 0, 1, 2, 3]
    lines = ["a,b,kind"] + [f"{ROWS[k][0]},{ROWS[k][1]},k{k}" for _ in range(100) for k in kinds]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder


def uneven_batch():
    kinds = torch.tensor([0, 0, 0, 1, 2, 3]).repeat(80)
    x = torch.tensor(ROWS, dtype=torch.float64)[kinds]
    return ((x - x.mean(0)) / x.std(0, unbiased=False)).float(), kinds


@pytest.mark.parametrize("smoothing", [0, 0.2])
def test_class_weights_are_those_of_torch(uneven, smoothing):
    run = train(uneven, f"weighted-{smoothing}", "data.batch_size=480",
                "optimization.class_weights=balanced",
                f"optimization.label_smoothing={smoothing}")
    # scikit-learn's "balanced": n / (classes · n of the class).
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.5, 1.5, 1.5]),
                                     label_smoothing=smoothing)

    def weighted(model):
        x, y = uneven_batch()
        model.zero_grad()
        loss(model(x), y).backward()

    assert_follows(run, lambda m: adamw(list(m.parameters()), []).step, gradients=weighted)


# What holds of the four kinds of row, each another combination.
HOLDS = [(0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 0, 1)]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    lines = ["a,b,la,lb,lc"] + [",".join(map(str, (*ROWS[k], *HOLDS[k])))
                                for _ in range(100) for k in (0, 0, 0, 1, 2, 3)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("weights, positive, smoothing", [
    ("balanced", [1, 5, 0.5], 0.2), ("[0.25, 3, 1]", [0.25, 3, 1], 0)])
def test_weights_of_labels_are_torchs_positive_weights(labelled, weights, positive, smoothing):
    run = train(labelled, f"labels-{smoothing}", "data.batch_size=480", "data.target=la,lb,lc",
                f"optimization.class_weights={weights}",
                f"optimization.label_smoothing={smoothing}")
    positive = torch.tensor(positive)

    def weighted(model):
        x, kinds = uneven_batch()
        holds = torch.tensor(HOLDS).float()[kinds] * (1 - smoothing) + smoothing / 2
        model.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(
            model(x), holds, pos_weight=positive).backward()

    assert_follows(run, lambda m: adamw(list(m.parameters()), []).step, gradients=weighted)


def test_listed_weights_of_classes_are_those_of_torch(uneven):
    run = train(uneven, "listed", "data.batch_size=480", "optimization.class_weights=0.5,2,1,4")
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5, 2, 1, 4]))

    def weighted(model):
        x, y = uneven_batch()
        model.zero_grad()
        loss(model(x), y).backward()

    assert_follows(run, lambda m: adamw(list(m.parameters()), []).step, gradients=weighted)


def test_layers_move_at_rates_of_their_own(folder):
    run = train(folder, "layers", "optimization.layer_decay=0.5")

    def by_layer(model):
        # layers.0, layers.1 and the last one, counted from the output.
        rates = {"layers.0": 0.25, "layers.1": 0.5, "head": 1}
        return torch.optim.AdamW(
            [{"params": [p], "lr": 0.01 * rates[n.rsplit(".", 1)[0]], "weight_decay": 0.1}
             for n, p in model.named_parameters()], betas=(0.9, 0.99)).step

    assert_follows(run, by_layer)


def test_groups_have_rates_and_decays_of_their_own(folder):
    run = train(folder, "groups", "optimization.groups=[layers.0.** rate=0, **.bias weight_decay=0 "
                "rate=0.5, head.weight weight_decay=0.3]")

    def grouped(model):
        def group(name):
            if name.startswith("layers.0."):
                return {"lr": 0.0, "weight_decay": 0.1}
            if name.endswith("bias"):
                return {"lr": 0.005, "weight_decay": 0.0}
            return {"lr": 0.01, "weight_decay": 0.3 if name == "head.weight" else 0.1}
        return torch.optim.AdamW([{"params": [p], **group(n)}
                                  for n, p in model.named_parameters()], betas=(0.9, 0.99)).step

    assert_follows(run, grouped)


def test_a_pattern_that_fits_no_parameter_is_refused_with_the_names(folder):
    for words in (("train", "rows.csv", "--run", "no"), ("lr-find", "rows.csv")):
        done = esper(*words, "optimization.groups=layer.0.** rate=0", cwd=folder)
        assert done.returncode == 2 and "layers.0.weight" in done.stderr, done.stderr
    assert not (folder / "no").exists()
    # A seed's parameters come later.
    train(folder, "waits", "optimization.groups=seed.** rate=0.5", "run.epochs=1")


@pytest.mark.parametrize("group", ["layers.0", "rate=1", "head.* speed=2", "head.* rate=-1"])
def test_a_group_that_is_none_is_refused(folder, group):
    done = esper("train", "rows.csv", f"optimization.groups={group}", "--run", "no", cwd=folder)
    assert done.returncode == 2 and "blocks.0.** rate=0.1" in done.stderr


def test_a_learning_rate_is_found_as_lightning_finds_it(folder):
    done = esper("lr-find", "rows.csv", "run.threads=1", "run.precision=fp32", "--to", "10",
                 "--steps", "120", "--json", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    rates, losses = numpy.array(found["rates"]), numpy.array(found["losses"])
    numpy.testing.assert_allclose(rates, 1e-6 * 1e7 ** (numpy.arange(len(rates)) / 119), rtol=1e-9)
    assert found["suggestion"] == rates[10:-1][numpy.gradient(losses[10:-1]).argmin()]
    assert 1e-4 < found["suggestion"] < 10
    assert not list(folder.glob("runs*"))
    plain = esper("lr-find", "rows.csv", "run.threads=1", "run.precision=fp32", cwd=folder)
    assert plain.stdout.splitlines()[-1].startswith("optimization.learning_rate=")
    for words in (("--from", "1", "--to", "0.1"), ("--steps", "3")):
        assert esper("lr-find", "rows.csv", *words, cwd=folder).returncode == 2
