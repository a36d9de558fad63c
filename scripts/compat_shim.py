"""Lies in .venv-compat and is imported whenever its Python starts (esper_zoo.pth): torchvision's wheel
looks for operators that its C++ part would define, which does not load beside a CPU torch of another
build. Their names are defined when torchvision is imported; what needs more than names fails there.
`make coverage` measures what of the package runs in these processes, too."""

import importlib.abc
import os
import sys

if os.environ.get("COVERAGE_PROCESS_CONFIG"):
    import coverage

    coverage.process_startup()


class Operators(importlib.abc.MetaPathFinder):
    library = None

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and Operators.library is None:
            import torch

            Operators.library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                try:
                    Operators.library.define(f"{operator}(Tensor a) -> Tensor")
                except RuntimeError:  # it is there
                    pass
        return None


sys.meta_path.insert(0, Operators())
