"""Growth under Lightning."""

from __future__ import annotations

import math
import re
from functools import partial

from esper._again import Again
from esper._lightning_step import step_again
from esper._limits import Unsupported
from esper._wide import put_values
from esper._wrap import wrap


def lightning_callback(example, probe, again=None, **options):
    """A Lightning callback that grows `trainer.model`.

    example: as for `esper.wrap`; probe(module) → a probe (see `esper.probe`) for the module;
    again(module, batch) → the loss of a batch, computed anew without logging anything; by default the
    module's own `training_step`, of which neither logs, metrics nor plain attributes are kept. options:
    passed on to `esper.wrap`. The callback's `growth`
    unwraps at the end of the fit, and its state is in Lightning's checkpoints, so that
    `fit(ckpt_path=…)` goes on. The training step's loss is what it returns (a step of manual
    optimisation, which returns none, is counted without); `val_loss` is read from the logged
    metrics. Raises `esper.Unsupported` where several optimizers train the places for seeds, and
    where the length of the run is not known.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    class Growing(Callback):
        growth = None
        _saved = _handle = None
        _dropped, _wider = (), {}

        def setup(self, trainer, module, stage):
            if stage == "fit":
                # Weights are loaded before anything has grown; growth's own state has those of seeds.
                self.growth, self._saved, self._dropped, self._wider = None, None, (), {}
                self._handle = module.register_load_state_dict_pre_hook(self._drop_grown)

        def _drop_grown(self, module, tensors, prefix, *rest):
            names = [n for n in tensors if re.match(r"grown\d*\.", n.removeprefix(prefix))
                     and n.removeprefix(prefix).partition(".")[0] not in module._modules]
            for name in names:
                del tensors[name]
            # Layers that had become wider get their values once growth has given them their shapes.
            own = {n: t for n, t in module.state_dict(prefix=prefix, keep_vars=True).items()
                   if n in tensors and tensors[n].shape != t.shape}
            self._wider = {n.removeprefix(prefix): tensors[n] for n in own}
            tensors.update((n, t.detach()) for n, t in own.items())
            self._dropped = names + list(own)

        def state_dict(self):
            return {"growth": self.growth.state_dict()} if self.growth is not None else {}

        def load_state_dict(self, state):
            self._saved = state.get("growth")

        def on_fit_start(self, trainer, module):
            if self._handle is not None:
                self._handle.remove()
                self._handle = None
            if self._dropped and self._saved is None:
                raise Unsupported(
                    "resuming a Lightning checkpoint that has grown parameters "
                    f"({self._dropped[0]}, …) and no state of this callback: where they sit is not "
                    "known; resume from a checkpoint that was written with the callback")
            if self._saved is not None:
                self._begin(trainer, module, self._saved.get("steps_per_epoch"))
                self.growth.load_state_dict(self._saved)
                put_values(module, self._wider)

        def on_train_start(self, trainer, module):
            if self.growth is None:
                batches = trainer.num_training_batches
                self._begin(trainer, module, None if math.isinf(batches) else math.ceil(
                    batches / trainer.accumulate_grad_batches))
            self._global_step, self._losses, self._batches = trainer.global_step, [], []

        def _begin(self, trainer, module, steps):
            epochs, most = trainer.max_epochs, trainer.max_steps
            if most is not None and most > 0 and steps:
                by_steps = math.ceil(most / steps)
                epochs = by_steps if epochs in (None, -1) else min(epochs, by_steps)
            if epochs in (None, -1):
                raise Unsupported("growth in a run without an end: when seeds may come is a share of "
                                  "its length; give the Trainer max_epochs= (or max_steps= and data "
                                  "of a known length)")
            self.growth = wrap(module, example, list(trainer.optimizers), epochs=epochs,
                               steps_per_epoch=steps, probe=probe(module), **options)

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            self._losses.append(math.nan if loss is None else loss.detach())
            self._batches.append((batch, batch_idx) if self.growth.asks_again else None)
            if trainer.global_step == self._global_step:
                return  # gradients are accumulated; Lightning has divided the losses
            self._global_step = trainer.global_step
            loss, self._losses = sum(self._losses), []
            batches, self._batches = self._batches, []
            self.growth.step(loss, self._again(trainer, module, batches))

        def _again(self, trainer, module, batches):
            if None in batches or (again is None and not module.automatic_optimization):
                return None

            def one(batch, index):
                loss = again(module, batch) if again else step_again(trainer, module, batch, index)
                return loss / len(batches)

            return Again([partial(one, *b) for b in batches])

        def on_train_epoch_end(self, trainer, module):
            loss = trainer.callback_metrics.get("val_loss", math.nan)
            self.growth.epoch(float(loss))

        def on_train_end(self, trainer, module):
            self.growth.unwrap()

    return Growing()
