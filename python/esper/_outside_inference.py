"""Out of torch.inference_mode, for what has to learn later."""

from __future__ import annotations

from functools import wraps

import torch


def outside_inference(method):
    """What is made under torch.inference_mode can never learn, so seeds are made outside of it."""
    @wraps(method)
    def run(self, *args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return method(self, *args, **kwargs)
        with torch.inference_mode(False):
            return method(self, *args, **kwargs)
    return run
