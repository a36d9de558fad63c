"""Runs a script where timm and transformers are installed, though torchvision's operators may not
be: in_zoo.py SCRIPT [ARGUMENT …]. The signatures of those operators are enough for its models."""

import runpy
import sys

import torch

library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    try:
        library.define(f"{name}(Tensor a) -> Tensor")
    except RuntimeError:  # they are there
        pass
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
