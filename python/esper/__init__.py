"""Esper: neural networks that grow while they train.

    growth = esper.wrap(model, example, optimizer, epochs=20)   # any torch.nn.Module
    …
    growth.step(loss)                                           # after each optimizer step
    growth.epoch(validation_loss, probe=probe)                  # after each epoch
    …
    model = growth.unwrap()                                     # plain PyTorch again

    grown = esper.adapt(model, example, epochs=3)               # a trained model that stays as it is
    grown.fit(train_loader, loss, probe=held_out_loader)

`Trainer` is a training loop around the first; `load_config`, `Journal` and `report` read what runs are
told and what they leave behind.
"""

from esper._built_for import check as _check_torch

_check_torch()  # loads libtorch, before the library that needs it

from esper import _esper
from esper._esper import Config, EsperError, Program
from esper._esper import blueprint_names as blueprints
from esper import adapters
from esper._adapt import Adaptation, adapt
from esper._export import ExportedModel, export
from esper._growth import Growth
from esper._limits import Unsupported
from esper._probe import probe
from esper._runs import Journal, load_config, report
from esper._trainer import Trainer
from esper._wrap import unwrap, wrap

__version__ = _esper.__version__
__all__ = ["Adaptation", "Config", "EsperError", "ExportedModel", "Growth", "Journal", "Program",
           "Trainer", "Unsupported", "adapt", "adapters", "blueprints", "export", "load_config",
           "probe", "report", "unwrap", "wrap"]
