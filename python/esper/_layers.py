"""Layers that can be made wider, and which axis of their weight is which."""

from __future__ import annotations

from torch import nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def is_transposed(module):
    """Whether it is GPT-2's layer of transformers, a linear one whose weight has the outputs last."""
    kind = type(module)
    return (kind.__name__, kind.__module__) == ("Conv1D", "transformers.pytorch_utils")


def is_layer(module):
    return type(module) in LAYERS or is_transposed(module)


def is_norm(module):
    return type(module) in NORMS


def axes(module):
    """The axes of its weight with an entry for each output and for each input."""
    return (1, 0) if is_transposed(module) else (0, 1)


def units_of(module):
    return module.weight.shape[axes(module)[0]] if module.weight is not None else 0


def inputs_of(module):
    return module.weight.shape[axes(module)[1]]
