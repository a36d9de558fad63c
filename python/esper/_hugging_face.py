"""Growth under the Hugging Face Trainer."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from esper._again import Again
from esper._limits import Unsupported
from esper._wide import give_sizes, put_values
from esper._wrap import wrap

FILE = "growth.pt"  # beside the weights in each checkpoint


@dataclass
class Pass:
    """A batch that went through the model: what `compute_loss` was told besides and what it returned,
    and the loss that the Trainer made of that. Without inputs where growth will not ask for them."""

    model: torch.nn.Module
    inputs: Any
    computed: tuple | None
    loss: torch.Tensor

    def again(self, trainer):
        """The loss of this batch, with its graph, by the model as it is now."""
        args, kwargs, value = self.computed
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(self.model, trainer._prepare_inputs(self.inputs), *args, **kwargs)
        loss = loss[0] if isinstance(loss, tuple) else loss
        # Of accumulated batches each has its share.
        share = float(self.loss) / float(value.mean()) if value.numel() and value.mean() != 0 else 1.0
        return loss.mean() * share


def transformers_callback(example, probe, **options):
    """A callback for the Hugging Face Trainer, to be given to it as `callbacks=[…]`; arguments as in
    `lightning_callback`, but for `again`: a batch's loss is computed once more by the Trainer's own
    `compute_loss`. Set `eval_strategy="epoch"`, so that there is a validation loss. The step's loss is
    the one that the Trainer computes. Growth's state is `growth.pt` in each checkpoint:
    `resume_from_checkpoint` goes on with it, `load_best_model_at_end` goes back to it. Raises
    `esper.Unsupported` where the training data have no length."""
    from transformers import Trainer, TrainerCallback

    class Growing(TrainerCallback):
        growth = None
        _trainer = None
        _running = False
        _wider = {}  # values of layers that had become wider, from when they are read to growth's state

        def on_init_end(self, args, state, control, **kwargs):
            self._meet(caller(Trainer))

        def on_train_begin(self, args, state, control, model=None, optimizer=None,
                           train_dataloader=None, **kwargs):
            self._meet(caller(Trainer))
            if not self._running:
                self._begin(model, *length(args, state, train_dataloader))
            if optimizer is not None and self.growth._groups is None:
                self.growth.attach(optimizer)
            self._passes = []

        def _meet(self, trainer):
            """A callback sees neither losses nor what is loaded when, so the Trainer is asked."""
            if self._trainer is trainer:
                return
            self._trainer, self._computed = trainer, None
            train, compute = trainer.training_step, trainer.compute_loss
            weights, load, best = (trainer._load_from_checkpoint,
                                   trainer._load_optimizer_and_scheduler, trainer._load_best_model)

            def training_step(model, inputs, *args, **kwargs):
                self._computed = None
                loss = train(model, inputs, *args, **kwargs)
                if self._running:
                    kept = self._computed if self.growth.asks_again else None
                    self._passes.append(
                        Pass(model, inputs if kept else None, kept, loss.detach()))
                return loss

            def compute_loss(model, inputs, *args, **kwargs):
                loss = compute(model, inputs, *args, **kwargs)
                value = loss[0] if isinstance(loss, tuple) else loss
                self._computed = (args, kwargs, value.detach())
                return loss

            def load_weights(checkpoint, *args, **kwargs):
                # They are those of a model in which layers may have become wider; it is wrapped narrow.
                saved = Path(checkpoint) / FILE
                wider = read(saved)["growth"].get("wider", {}) if saved.exists() else {}
                sizes, self._wider = wider.get("sizes", {}), {}
                give_sizes(trainer.model, sizes)
                loaded = weights(checkpoint, *args, **kwargs)
                if sizes:
                    own = dict(trainer.model.state_dict())
                    self._wider = {f"{name}.{key}": own[f"{name}.{key}"].clone()
                                   for name, (tensors, _) in sizes.items() for key in tensors}
                    give_sizes(trainer.model, wider["kept"]["before"])
                return loaded

            def load_optimizer(checkpoint):
                if checkpoint is not None and not self._running:
                    self._resume(trainer, Path(checkpoint) / FILE)
                return load(checkpoint)

            def load_best():
                saved = Path(trainer.state.best_model_checkpoint) / FILE
                if self._running and saved.exists():
                    self._finish()
                    self.growth.load_state_dict(read(saved)["growth"])
                return best()

            trainer.training_step, trainer.compute_loss = training_step, compute_loss
            trainer._load_from_checkpoint = load_weights
            trainer._load_optimizer_and_scheduler = load_optimizer
            trainer._load_best_model = load_best

        def _begin(self, model, epochs, steps):
            self.growth = wrap(model, example, epochs=epochs, steps_per_epoch=steps,
                               probe=probe(model), **options)
            self._running, self._pending, self._validation = True, False, math.nan

        def _resume(self, trainer, path):
            if not path.exists():
                return  # this run did not grow so far
            saved = read(path)
            steps = saved["growth"].get("steps_per_epoch") or saved["steps_per_epoch"]
            args = trainer.args
            epochs = (math.ceil(args.max_steps / steps) if args.max_steps > 0
                      else math.ceil(args.num_train_epochs))
            self._begin(trainer.model, epochs, steps)
            self.growth.attach(trainer.optimizer)
            self.growth.load_state_dict(saved["growth"])
            put_values(trainer.model, self._wider)
            self._pending, self._validation = saved["pending"], saved["validation"]

        def on_save(self, args, state, control, **kwargs):
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if self._running and folder.is_dir():
                torch.save({"growth": self.growth.state_dict(), "pending": self._pending,
                            "steps_per_epoch": self.growth.steps_per_epoch,
                            "validation": self._validation}, folder / FILE)

        def on_step_end(self, args, state, control, **kwargs):
            # The Trainer has divided the losses of accumulated batches.
            passes, self._passes = self._passes, []
            again = None
            if all(p.computed for p in passes):
                again = Again([partial(p.again, self._trainer) for p in passes])
            self.growth.step(sum(p.loss for p in passes), again)

        def on_epoch_end(self, args, state, control, **kwargs):
            # The evaluation of this epoch comes next; without one the boundary is worked through
            # at the next event.
            self._finish()
            self._pending = True

        def on_evaluate(self, args, state, control, metrics=None, **kwargs):
            self._validation = (metrics or {}).get("eval_loss", math.nan)
            self._finish()

        def on_epoch_begin(self, args, state, control, **kwargs):
            self._finish()

        def on_train_end(self, args, state, control, **kwargs):
            self._finish()
            self.growth.unwrap()
            self._running = False

        def _finish(self):
            if self._running and self._pending:
                self._pending = False
                self.growth.epoch(self._validation)
                self._validation = math.nan

    return Growing()


def caller(kind):
    """The Trainer that calls a callback: it hands itself over nowhere."""
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, kind):
            return owner
        frame = frame.f_back
    raise Unsupported("growth by a callback that no transformers.Trainer calls: the step's loss is "
                      "not seen; give it to a Trainer, as callbacks=[…]")


def length(args, state, loader):
    """(epochs, steps an epoch) of the run that begins: max_steps rules over num_train_epochs."""
    try:
        batches = len(loader)
    except TypeError:
        raise Unsupported(
            "growth over training data without a length: how many steps an epoch has is not known; "
            "give the dataset a __len__, or use esper.wrap in a loop of your own") from None
    steps = max(math.ceil(batches / args.gradient_accumulation_steps), 1)
    total = state.max_steps if state.max_steps > 0 else math.ceil(args.num_train_epochs * steps)
    return max(math.ceil(total / steps), 1), steps


def read(path):
    return torch.load(path, map_location="cpu", weights_only=True)
