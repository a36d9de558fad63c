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


@pytest.mark.parametrize("page", ["docs/python.md", "README.md"])
def test_the_code_on_the_page_runs_as_written(esper, page):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


def test_a_loop_of_ones_own(esper):
    model = example("own_loop").main(4)
    assert all("esper" not in type(m).__module__ for m in model.modules())


def test_under_lightning(esper):
    if not any(map(importlib.util.find_spec, ("lightning", "pytorch_lightning"))):
        pytest.skip("lightning is not installed")
    growth = example("lightning_growth").main(8)
    assert growth.counts["germinated"] >= 1


def test_under_the_hugging_face_trainer(esper):
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    growth = example("hugging_face_growth").main(8)
    assert growth.counts["germinated"] >= 1
