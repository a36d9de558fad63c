"""Growth inside other people's training loops. Each class needs its library only when used."""

from __future__ import annotations

import math

from esper._growth import wrap


def lightning_callback(example, probe, again=None, **options):
    """A Lightning callback that grows `trainer.model`.

    example: as for `esper.wrap`; probe(module) → a probe (see `esper.probe`) for the module;
    again(module, batch) → the loss of a batch, computed anew without logging anything: needed with
    `growth.isolation: shadow` alone. options: passed on to `esper.wrap`. The callback's `growth`
    unwraps at the end of the fit. The training step's loss is what it returns; `val_loss` is read
    from the logged metrics.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    class Growing(Callback):
        growth = None

        def on_train_start(self, trainer, module):
            self.growth = wrap(module, example, trainer.optimizers[0], epochs=trainer.max_epochs,
                               steps_per_epoch=trainer.num_training_batches,
                               probe=probe(module), **options)

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            self.growth.step(loss, again and (lambda: again(module, batch)))

        def on_train_epoch_end(self, trainer, module):
            loss = trainer.callback_metrics.get("val_loss", math.nan)
            self.growth.epoch(float(loss))

        def on_train_end(self, trainer, module):
            self.growth.unwrap()

    return Growing()


def transformers_callback(example, probe, **options):
    """A callback for the Hugging Face Trainer; arguments as in `lightning_callback`, but for `again`:
    callbacks of that Trainer do not see the batch, so `growth.isolation` stays `straight_through`.
    Set `eval_strategy="epoch"`, so that there is a validation loss."""
    from transformers import TrainerCallback

    class Growing(TrainerCallback):
        growth = None
        _losses = None

        def on_train_begin(self, args, state, control, model=None, optimizer=None, **kwargs):
            epochs = math.ceil(args.num_train_epochs)
            self.growth = wrap(model, example, epochs=epochs,
                               steps_per_epoch=max(state.max_steps // epochs, 1),
                               probe=probe(model), **options)
            if optimizer is not None:
                self.growth.attach(optimizer)
            self._validation, self._pending = math.nan, False

        def on_step_end(self, args, state, control, optimizer=None, **kwargs):
            if self.growth._groups is None and optimizer is not None:
                self.growth.attach(optimizer)
            logged = [row["loss"] for row in state.log_history if "loss" in row]
            self.growth.step(logged[-1] if logged else 0.0)

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

        def _finish(self):
            if self._pending:
                self._pending = False
                self.growth.epoch(self._validation)
                self._validation = math.nan

    return Growing()
