"""Which torch the extension module was compiled against: with another one it cannot be loaded."""

from __future__ import annotations

from pathlib import Path

TESTED = "2.11 to 2.14"


def built_for():
    """The version that the build wrote beside this file."""
    return (Path(__file__).absolute().parent / "torch_version.txt").read_text().strip()


def release(version):
    """(major, minor): libtorch's interface is the same within them."""
    return tuple(version.split("+")[0].split(".")[:2])


def check():
    """Raises ImportError where the torch that is imported is of another release."""
    import torch

    built, found = built_for(), str(torch.__version__)
    if release(built) != release(found):
        raise ImportError(
            f"this esper was compiled for torch {built}, and torch {found} is what Python finds: "
            f"install torch {'.'.join(release(built))}.*, or compile esper for torch {found}, in "
            "its checkout: `pip install --no-build-isolation --force-reinstall --no-deps .` (torch "
            f"{TESTED} will do)")
