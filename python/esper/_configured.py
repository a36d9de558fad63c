"""The configuration of a loop that is the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from esper import _esper
from esper._limits import Unsupported


def configured(config, overrides):
    """The configuration as this package carries it out: a seed's last layer begins as its blueprint
    says, or with zeros. Raises Unsupported where growth.readout=closed_form is asked for by name;
    unasked it is what the engine would do."""
    given = isinstance(config, _esper.Config)
    if not given:
        named = [o for o in overrides if o.replace(" ", "").startswith("growth.readout=")]
        asked = named[-1].split("=", 1)[1].strip() if named else _readout_in(config)
        if asked == "closed_form":
            raise Unsupported(
                "growth.readout=closed_form fits a seed's last layer to training data, which stay "
                "in your own loop; take growth.readout=random or zero, or train with `esper train`")
        config = _esper.load_config(str(config or ""), [*own_defaults(config, overrides), *overrides])
    return config if config.readout != "closed_form" else config.with_readout("random")


# What differs from the configuration's defaults where a model grows by becoming wider: a wider copy
# that trains beside it for some dozen steps is dear for a run of a few hundred, and little for others.
WIDENING = {"growth.measure_share": "0.1", "growth.start": "0.05", "growth.gate.min_examples": "200",
            "growth.gate.rent": "0.002"}


def own_defaults(config, overrides):
    """Overrides for what neither a file nor the environment says; none where a policy is asked for."""
    if config or _esper.load_config("", list(overrides)).policy != "auto":
        return []
    named = {f"ESPER_{key.upper().replace('.', '__')}": key for key in WIDENING}
    return [f"{key}={WIDENING[key]}" for name, key in named.items() if name not in os.environ]


def _readout_in(path):
    """What a YAML file says about growth.readout, None where it says nothing."""
    if not path:
        return None
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        if key.strip() == "readout":
            return value.strip().strip("'\"")
    return None
