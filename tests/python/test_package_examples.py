"""The examples, and the code in the documentation, as they stand."""

import importlib.util
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent.parent


def example(name):
    path = ROOT / "examples" / "python" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["docs/python.md", "docs/adapt.md", "README.md"])
def test_the_code_on_the_page_runs_as_written(esper, page):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


def test_a_loop_of_ones_own(esper):
    model = example("own_loop").main(4)
    assert all("esper" not in type(m).__module__ for m in model.modules())


def test_a_frozen_network_is_adapted(esper, capsys):
    grown = example("adapt_frozen").main(6)
    said = capsys.readouterr()
    assert grown.kept and grown.losses["new"] < 0.5 * grown.losses["new, host"]
    assert "same to the last bit: True" in said.out and "same outputs: True" in said.out
    assert "old loss" in said.err
