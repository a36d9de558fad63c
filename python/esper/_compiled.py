"""torch.compile beside hooks that come and go: compiled code does not look whether there are others
than when it was compiled."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import torch


def forget_compiled():
    """Hooks are others from now on: what was compiled is compiled anew at its next call."""
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is not None and hasattr(dynamo, "reset"):
        dynamo.reset()


@contextmanager
def uncompiled():
    """Compiled models and functions run as they are written in here, with the hooks that there are.
    What is first compiled under a dispatch mode, PyTorch would leave uncompiled for good."""
    if "torch._dynamo" in sys.modules:
        with torch.compiler.set_stance("force_eager"):
            yield
        return
    try:
        yield
    finally:
        forget_compiled()  # it may have been loaded by a function that compiles itself when called
