"""Growth in other people's training loops, one case each: in_loops.py CASE …. Each case runs in a
process of its own, forked from one that has the libraries loaded; prints `--- CASE`, what the case
says, and `right` where all that is seen is right. Run by test_package_zoo.py in .venv-compat."""

import logging
import math
import os
import sys
import tempfile
import traceback
import warnings
import weakref

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import esper

QUICK = ["growth.training=1ep", "growth.graft_steps=4", "growth.stabilization=1ba",
         "growth.fine_tune=1ep", "controller.policy=periodic", "controller.period=1ep",
         "growth.start=0", "growth.gate.rent=0", "growth.gate.delta=0.9",
         "growth.gate.min_examples=50", "growth.cooldown=0ep", "growth.gate.lag=0ba"]


TRIED = ["growth.measure_share=1", "growth.gate.rent=1e9"]  # and never kept


class Held:
    """How many earlier batches there still are when one goes in, and whether it is asked for."""

    def __init__(self):
        self.batches, self.counts, self.asked = [], [], []

    def __call__(self, tensor, growing):
        self.counts.append(sum(batch() is not None for batch in self.batches))
        self.batches.append(weakref.ref(tensor))
        self.asked.append(growing is not None and growing.growth.asks_again)


def assert_no_batch_is_held(fit):
    """fit(overrides) trains with growth, or without where they are None; returns what was held and
    growth."""
    plain, _ = fit(None)
    never, _ = fit(["controller.policy=never"])
    assert never.counts == plain.counts and not any(never.asked), (never.counts, plain.counts)
    tried, growth = fit(TRIED)
    assert growth._widening.account.spent > 30 and not growth._widening.waits, growth.summary()
    pairs = zip(tried.asked, tried.counts, plain.counts, strict=True)
    assert any(tried.asked) and not tried.asked[-1]
    assert all(ours == theirs for asked, ours, theirs in pairs if not asked), (tried.counts, tried.asked)


# --- the Hugging Face Trainer ---

def sentences(n, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 30, (n, 10), generator=generator)
    return [{"input_ids": row, "labels": (row[1:] == row[0]).any().long()} for row in ids]


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(
        vocab_size=30, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=16, num_labels=2))


def probe_of(model):
    rows = sentences(400, 1)
    ids, labels = (torch.stack([r[k] for r in rows]) for k in ("input_ids", "labels"))
    return lambda: F.cross_entropy(model(input_ids=ids).logits, labels, reduction="none")


def hf_trainer(model, folder, callbacks, rows=128, **options):
    from transformers import Trainer, TrainingArguments

    base = dict(num_train_epochs=4, learning_rate=3e-3, per_device_train_batch_size=32,
                eval_strategy="epoch", save_strategy="no", report_to=[], disable_tqdm=True,
                use_cpu=True)
    return Trainer(model, TrainingArguments(folder, **{**base, **options}),
                   train_dataset=sentences(rows, 0), eval_dataset=sentences(100, 2),
                   callbacks=callbacks)


def hf_callback(overrides=QUICK):
    from esper.integrations import transformers_callback

    return transformers_callback({"input_ids": torch.randint(3, 30, (2, 10))}, probe_of, quiet=True,
                                 overrides=overrides)


def hf_loss():
    """The loss that growth sees is the step's, whatever is logged when; accumulated batches too."""
    for accumulation in (1, 2):
        growing = hf_callback(["controller.policy=never"])
        with tempfile.TemporaryDirectory() as folder:
            trainer = hf_trainer(bert(), folder, [growing], num_train_epochs=2,
                                 gradient_accumulation_steps=accumulation, logging_steps=10**6)
            plain, seen = trainer.compute_loss, []

            def compute_loss(*args, **kwargs):
                loss = plain(*args, **kwargs)
                if trainer.model.training:
                    seen.append((loss[0] if isinstance(loss, tuple) else loss).item())
                return loss

            trainer.compute_loss = compute_loss
            trainer.train()
        growth = growing.growth
        assert growth.steps_per_epoch == 4 // accumulation and growth._native.steps * 4 == \
            growth.steps_per_epoch * 8
        # Where the Trainer knows how many items a step has, its losses are parts of a mean.
        means = [sum(seen[:4]) / 4, sum(seen[4:]) / 4]
        found = growth.train_losses
        assert all(math.isclose(a, b, rel_tol=1e-3) or math.isclose(a, b * accumulation, rel_tol=1e-3)
                   for a, b in zip(found, means, strict=True)), (found, means)
        assert 0.3 < found[0] < 1.5


def hf_frees():
    from esper.integrations import transformers_callback
    from transformers import Trainer, TrainingArguments

    held = spirals(600, 5)
    x, labels = (torch.stack([r[k] for r in held]) for k in ("x", "labels"))

    def fit(overrides):
        growing = None if overrides is None else transformers_callback(
            {"x": torch.zeros(2, 2)}, lambda model: lambda: F.cross_entropy(
                model(x)["logits"], labels, reduction="none"), quiet=True, overrides=overrides)
        seen = Held()

        class Loud(Trainer):
            def training_step(self, model, inputs, *args, **kwargs):
                seen(inputs["x"], growing)
                return super().training_step(model, inputs, *args, **kwargs)

        with tempfile.TemporaryDirectory() as folder:
            Loud(Classifier(), TrainingArguments(
                folder, num_train_epochs=20, per_device_train_batch_size=32, eval_strategy="epoch",
                save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
                logging_steps=10**6, gradient_accumulation_steps=2),
                train_dataset=spirals(640, 1), eval_dataset=held[:100],
                callbacks=[growing] if growing else []).train()
        return seen, growing and growing.growth

    assert_no_batch_is_held(fit)


def hf_max_steps():
    growing = hf_callback()
    with tempfile.TemporaryDirectory() as folder:
        hf_trainer(bert(), folder, [growing], num_train_epochs=3, max_steps=22).train()
    assert (growing.growth.epochs, growing.growth.steps_per_epoch) == (6, 4)


def hf_no_length():
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(sentences(64, 0))

    growing = hf_callback()
    with tempfile.TemporaryDirectory() as folder:
        trainer = hf_trainer(bert(), folder, [growing], max_steps=4)
        trainer.train_dataset = Endless()
        try:
            trainer.train()
        except esper.Unsupported as refused:
            assert "length" in str(refused)
        else:
            raise AssertionError("a run of unknown length was not refused")


def hf_resume():
    """A run that is stopped and resumed ends as the one that was not."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.epoch >= 5

    def go(folder, stop=False, resume=None):
        growing = hf_callback()
        trainer = hf_trainer(bert(), folder, [growing], num_train_epochs=8, save_strategy="epoch")
        if stop:
            trainer.add_callback(Stop())
        trainer.train(resume_from_checkpoint=resume)
        return growing.growth, trainer

    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
        straight, first = go(whole)
        stopped, _ = go(parts, stop=True)
        resumed, second = go(parts, resume=True)
    assert straight.counts["germinated"] >= stopped.counts["germinated"] >= 1
    assert resumed.program.hash == straight.program.hash
    assert resumed.validation_losses == straight.validation_losses
    ours, theirs = second.model.state_dict(), first.model.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def hf_best():
    """load_best_model_at_end goes back to what the model was then, with what it had grown."""
    growing = hf_callback([*QUICK, "growth.start=0.3"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = hf_trainer(bert(), folder, [growing], num_train_epochs=8, save_strategy="epoch",
                             load_best_model_at_end=True, metric_for_best_model="epoch_of_best",
                             greater_is_better=True)
        evaluate, count = trainer.evaluate, []

        def first_is_best(*args, **kwargs):
            metrics = evaluate(*args, **kwargs)
            count.append(metrics["eval_loss"])
            metrics["eval_epoch_of_best"] = -len(count)
            trainer.state.log_history[-1]["eval_epoch_of_best"] = -len(count)
            return metrics

        trainer.evaluate = first_is_best
        trainer.train()
        assert growing.growth.counts["germinated"] == 0, "the best was before anything grew"
        assert not hasattr(trainer.model, "grown")
        assert math.isclose(evaluate()["eval_loss"], count[0], rel_tol=1e-5)


EASILY = ["growth.measure_share=1", "growth.gate.rent=0", "growth.gate.delta=0.9",
          "growth.gate.min_examples=50"]


def spirals(n, seed):
    """Two spirals, as rows of a dataset; a narrow network gains much from being wider."""
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(n, generator=g) * 9 + 0.5
    labels = torch.randint(0, 2, (n,), generator=g)
    side = 1 - 2 * labels.float()
    x = torch.stack([side * t * t.cos(), side * t * t.sin()], 1) / 5
    x = x + 0.05 * torch.randn(n, 2, generator=g)
    return [{"x": row, "labels": label} for row, label in zip(x, labels)]


class Classifier(nn.Module):
    """What the Trainer takes of models that are not of its own library."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(),
                                    nn.Linear(12, 2))

    def forward(self, x, labels=None):
        logits = self.layers(x)
        found = {"logits": logits}
        return found if labels is None else {"loss": F.cross_entropy(logits, labels), **found}


def hf_wider():
    """With nothing set hidden layers become wider; a run that is stopped and resumed ends as the one
    that was not, and the best network comes back, narrow."""
    from esper.integrations import transformers_callback
    from transformers import Trainer, TrainerCallback, TrainingArguments

    held = spirals(1500, 5)
    x, labels = (torch.stack([r[k] for r in held]) for k in ("x", "labels"))

    class Stop(TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.epoch >= 12

    def go(folder, stop=False, resume=None, best=False, size=32, **options):
        growing = transformers_callback({"x": torch.zeros(2, 2)}, lambda model: lambda: F.cross_entropy(
            model(x)["logits"], labels, reduction="none"), quiet=True)
        trainer = Trainer(
            Classifier(), TrainingArguments(
                folder, num_train_epochs=16, learning_rate=5e-3, per_device_train_batch_size=size,
                eval_strategy="epoch", save_strategy="epoch", report_to=[], disable_tqdm=True,
                use_cpu=True, logging_steps=10**6, load_best_model_at_end=best, **options),
            train_dataset=spirals(1280, 1), eval_dataset=held[:200],
            callbacks=[growing, Stop()] if stop else [growing])
        if best:
            evaluate, count = trainer.evaluate, []

            def first_is_best(*args, **kwargs):
                metrics = evaluate(*args, **kwargs)
                count.append(metrics["eval_loss"])
                metrics["eval_loss"] = float(len(count))
                return metrics

            trainer.evaluate = first_is_best
        trainer.train(resume_from_checkpoint=resume)
        if best:
            assert math.isclose(evaluate()["eval_loss"], count[0], rel_tol=1e-5)
        return growing.growth, trainer.model

    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
        straight, first = go(whole)
        go(parts, stop=True)
        _, second = go(parts, resume=True)
    assert first.layers[0].out_features == 18, straight.summary()
    ours, theirs = second.state_dict(), first.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    with tempfile.TemporaryDirectory() as folder:
        growth, model = go(folder, best=True)
        assert growth.counts and model.layers[0].out_features == 12
    with tempfile.TemporaryDirectory() as folder:
        growth, model = go(folder, size=16, gradient_accumulation_steps=2)
        assert model.layers[0].out_features == 18, growth.summary()


def hf_hidden():
    """The hidden layers of GPT-2, whose weights have the outputs last, and of Llama, which are gated."""
    from esper._pairs import find_pairs
    from esper._wide import Wide, growths
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    small = dict(vocab_size=30, pad_token_id=0)
    gpt2 = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=16, **small))
    llama = LlamaForCausalLM(LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=16, **small))
    ids = torch.randint(0, 30, (2, 10))
    for model, firsts, second in ((gpt2, ["transformer.h.{}.mlp.c_fc"], "transformer.h.{}.mlp.c_proj"),
                                  (llama, ["model.layers.{}.mlp.gate_proj", "model.layers.{}.mlp.up_proj"],
                                   "model.layers.{}.mlp.down_proj")):
        model.eval()
        again = lambda: model(input_ids=ids, labels=ids).loss
        pairs = find_pairs(model, again).pairs
        assert [(sorted(p.firsts), p.second) for p in pairs] == [
            ([f.format(i) for f in firsts], second.format(i)) for i in range(2)], pairs
        wide = Wide(model, growths(pairs, 1.5), torch.optim.AdamW(model.parameters()), seed=0)
        before = again()
        with wide.in_place():
            torch.testing.assert_close(again(), before)
        wide.step(again)
        wide.take_over()
        last = model.get_submodule(pairs[0].second)
        assert last.weight.numel() == 1.5 * 32 * (128 if model is gpt2 else 64)
        again().backward()


# --- Lightning ---

def points(n, seed):
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return x, 2 * x.abs() - x


def lightning_net(between=()):
    from lightning.pytorch import LightningModule

    class Net(LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(6, 6), *between, nn.Linear(6, 6), *between,
                                        nn.Linear(6, 6))
            self.seen = []

        def forward(self, x):
            return self.layers(x)

        def training_step(self, batch, index):
            loss = F.mse_loss(self(batch[0]), batch[1])
            self.seen.append(loss.item())
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    torch.manual_seed(0)
    return Net()


def lightning_fit(net, growing, checkpoint=None, folder=None, **options):
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    saves = [ModelCheckpoint(dirpath=folder, save_last=True, save_top_k=0)] if folder else []
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
                      enable_model_summary=False, enable_checkpointing=bool(folder),
                      callbacks=[c for c in (growing, *saves) if c is not None], **options)
    trainer.fit(net, DataLoader(TensorDataset(*points(256, 0)), batch_size=32),
                DataLoader(TensorDataset(*points(200, 2)), batch_size=100), ckpt_path=checkpoint)
    return growing and growing.growth


def lightning_callback(overrides=QUICK):
    from esper.integrations import lightning_callback

    return lightning_callback(
        torch.zeros(2, 6), lambda net: esper.probe(net, [points(400, 1)], F.mse_loss), quiet=True,
        again=lambda net, batch: F.mse_loss(net(batch[0]), batch[1]), overrides=overrides)


def lightning_resume():
    for overrides in (QUICK, [*QUICK, "growth.isolation=shadow"]):
        with tempfile.TemporaryDirectory() as folder:
            whole, first, second = lightning_net(), lightning_net(), lightning_net()
            straight = lightning_fit(whole, lightning_callback(overrides), max_epochs=8)
            # A run of the same length that ends early.
            part = lightning_fit(first, Stopped(lightning_callback(overrides), 5), folder=folder,
                                 max_epochs=8)
            resumed = lightning_fit(second, lightning_callback(overrides), f"{folder}/last.ckpt",
                                    max_epochs=8)
        assert straight.counts["germinated"] >= part.counts["germinated"] >= 1
        assert resumed.program.hash == straight.program.hash
        assert len(resumed.validation_losses) == 8
        ours, theirs = second.state_dict(), whole.state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def lightning_wider():
    """A network whose layers had become wider when its checkpoint was written."""
    with tempfile.TemporaryDirectory() as folder:
        whole, first, second = (lightning_net([nn.ReLU()]) for _ in range(3))
        lightning_fit(whole, lightning_callback(EASILY), max_epochs=24)
        growing = lightning_fit(first, Stopped(lightning_callback(EASILY), 18), folder=folder,
                                max_epochs=24)
        assert first.layers[0].out_features == 9, growing.summary()
        lightning_fit(second, lightning_callback(EASILY), f"{folder}/last.ckpt", max_epochs=24)
    ours, theirs = second.state_dict(), whole.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def lightning_again():
    """Without `again` the module's own training step is run once more, and leaves no trace."""
    from esper.integrations import lightning_callback
    from lightning.pytorch import LightningModule
    from torchmetrics import MeanSquaredError

    class Net(LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
            self.error, self.losses, self.steps, self.epochs = MeanSquaredError(), [], 0, []

        def forward(self, x):
            return self.layers(x)

        def training_step(self, batch, batch_idx):
            out = self(batch[0])
            loss = F.mse_loss(out, batch[1])
            self.error(out, batch[1])
            self.losses.append(loss.item())
            self.steps += 1
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def on_train_epoch_end(self):
            self.epochs.append((self.error.compute().item(), sum(self.losses), self.steps))
            self.error.reset()
            self.losses.clear()

        def validation_step(self, batch, index):
            self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    def fit(overrides):
        net = Net()
        growing = lightning_callback(
            torch.zeros(2, 6), lambda n: esper.probe(n, [points(400, 1)], F.mse_loss), quiet=True,
            overrides=overrides)
        return lightning_fit(net, growing, max_epochs=24), net

    growth, net = fit(EASILY)
    assert net.layers[0].out_features == 9, growth.summary()
    # A copy that is tried and not kept changes nothing that the module counts.
    tried, net = fit(["growth.measure_share=1", "growth.gate.rent=1e9"])
    never, plain = fit(["controller.policy=never"])
    assert tried._widening.account.spent > 30 and net.epochs == plain.epochs
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), plain.parameters(), strict=True))


def lightning_frees():
    def fit(overrides):
        growing = None if overrides is None else lightning_callback(overrides)
        seen, net = Held(), lightning_net([nn.ReLU()])
        step = net.training_step

        def training_step(batch, batch_idx):
            seen(batch[0], growing)
            return step(batch, batch_idx)

        net.training_step = training_step
        growth = lightning_fit(net, growing, max_epochs=24, accumulate_grad_batches=2)
        return seen, growth

    assert_no_batch_is_held(fit)


def Stopped(growing, epochs):
    """The callback, in a run that is stopped after so many epochs."""
    ends = growing.on_train_epoch_end

    def on_train_epoch_end(trainer, module):
        ends(trainer, module)
        trainer.should_stop = trainer.current_epoch + 1 >= epochs

    growing.on_train_epoch_end = on_train_epoch_end
    return growing


def lightning_steps():
    """Gradients that add up over batches are one step, and the run's length may be given in steps."""
    net, growing = lightning_net(), lightning_callback(["controller.policy=never"])
    growth = lightning_fit(net, growing, max_steps=9, max_epochs=-1, accumulate_grad_batches=3)
    assert (growth.epochs, growth.steps_per_epoch, growth._native.steps) == (3, 3, 9)
    assert math.isclose(growth.train_losses[0], sum(net.seen[:6]) / 6 * 2 / 3
                        + sum(net.seen[6:8]) / 3 / 3, rel_tol=0.2)


def lightning_manual():
    from lightning.pytorch import LightningModule, Trainer
    from esper.integrations import lightning_callback

    class Gan(LightningModule):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False
            self.gen = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
            self.dis = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, z):
            return self.gen(z)

        def training_step(self, batch, index):
            for optimizer, sign in zip(self.optimizers(), (-1, 1)):
                z = torch.randn(len(batch[0]), 4)
                optimizer.zero_grad()
                self.manual_backward(F.softplus(sign * self.dis(self(z))).mean())
                optimizer.step()

        def configure_optimizers(self):
            return (torch.optim.Adam(self.gen.parameters(), 1e-3),
                    torch.optim.SGD(self.dis.parameters(), 1e-3))

    class Both(Gan):
        def forward(self, z):
            return self.dis(self.gen(z)) if z.shape[0] == 3 else self.gen(z)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    def fit(net, example):
        growing = lightning_callback(example, lambda n: (lambda: torch.zeros(600)), quiet=True,
                                     overrides=QUICK)
        Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False,
                enable_model_summary=False, enable_checkpointing=False, callbacks=[growing]).fit(
                    net, DataLoader(TensorDataset(torch.randn(128, 2)), batch_size=32))
        return growing.growth

    growth = fit(Gan(), torch.zeros(2, 4))
    assert type(growth._groups.optimizer) is torch.optim.Adam
    assert growth._native.steps == 12, growth._native.steps
    assert all(math.isnan(loss) for loss in growth.train_losses)
    try:
        fit(Both(), torch.zeros(3, 4))
    except esper.Unsupported as refused:
        assert "2 optimizers" in str(refused)
    else:
        raise AssertionError("seeds of two optimizers were not refused")


# --- PEFT, timm ---

class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(16, 16), nn.ReLU()) for _ in range(2))
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def peft_merge():
    """A PeftModel is refused; what the refusal advises survives a merge."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    x, y = torch.randn(64, 16), torch.randn(64, 1)
    model = get_peft_model(Blocks(), LoraConfig(r=2, target_modules=["blocks.0.0", "blocks.1.0"]))
    try:
        esper.wrap(model, x[:2], quiet=True)
    except esper.Unsupported as refused:
        assert "get_base_model" in str(refused)
    else:
        raise AssertionError("a PeftModel was not refused")
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    every = esper.wrap(model.get_base_model(), x[:2], anchors=["**"], quiet=True)
    assert not any("lora" in a.name or "base_layer" in a.name or a.name.endswith(".0.0")
                   for a in every.anchors)
    every.unwrap()
    growth = esper.wrap(model.get_base_model(), x[:2], optimizer, quiet=True)
    growth.germinate(0, "low_rank")
    growth.graft(0, "LINEAR", 2)
    for _ in range(6):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        growth.step(loss)
    with torch.no_grad():
        for p in growth.parameters():
            p.add_(0.2)
    for state in ("STABILIZATION", "EVALUATING"):
        growth.advance(0, state)
    growth.fossilize(0)
    growth.unwrap()
    expected = model.eval()(x).detach()
    merged = model.merge_and_unload().eval()
    assert torch.allclose(merged(x), expected, atol=1e-5)
    assert any("grown" in name for name, _ in merged.named_parameters())


def timm_ema():
    from timm.utils import ModelEmaV2, ModelEmaV3

    for kind in (ModelEmaV2, ModelEmaV3):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        x, y = torch.randn(64, 8), torch.randn(64, 16)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        growth = esper.wrap(model, x[:2], optimizer, epochs=20, quiet=True)

        def train(average, steps):
            for _ in range(steps):
                loss = F.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                growth.step(loss)
                average.update(model)

        average = kind(model, decay=0.0)
        train(average, 6)  # while seeds sleep an average is an average
        growth.germinate(0, "low_rank")
        growth.graft(0, "LINEAR", 2)
        try:
            train(average, 6)
        except esper.Unsupported as refused:
            assert "average" in str(refused)
        else:
            raise AssertionError("an average that lacks what has grown was not refused")
        average = kind(model, decay=0.0)
        train(average, 6)
        average.update(model)
        assert torch.equal(average.module(x), model(x))


def load_libraries(cases):
    """What takes seconds to import."""
    if any(case.startswith(("hf_", "peft_")) for case in cases):
        from transformers import BertForSequenceClassification, Trainer  # noqa: F401
    if any(case.startswith("lightning_") for case in cases):
        import lightning.pytorch  # noqa: F401


def ended_well(case):
    """Runs it; its exit status. Output of both kinds is one text, in order."""
    os.dup2(1, 2)
    status = 0
    try:
        globals()[case]()
        print("right")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    load_libraries(sys.argv[1:])
    for name in sys.argv[1:]:
        print(f"--- {name}", flush=True)
        child = os.fork()
        if child == 0:
            os._exit(ended_well(name))
        os.waitpid(child, 0)
