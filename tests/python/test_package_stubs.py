"""The stubs of the extension module name what is in it, and nothing else."""

import ast
from pathlib import Path

import pytest

pytest.importorskip("torch")

STUBS = Path(__file__).resolve().parent.parent.parent / "python" / "esper" / "_esper.pyi"
OF_EVERY_CLASS = {"__init__", "__repr__", "__eq__"}


def public(thing):
    return {n for n in vars(thing) if not n.startswith("_")}


def test_every_function_class_and_method_has_its_stub(esper):
    module = esper._esper
    body = ast.parse(STUBS.read_text()).body
    declared = {node.name: node for node in body
                if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    values = {node.target.id for node in body if isinstance(node, ast.AnnAssign)
              if not node.target.id.startswith("_")}
    assert set(declared) | values == public(module)
    for name, node in declared.items():
        if isinstance(node, ast.ClassDef) and name != "EsperError":
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            assert methods - OF_EVERY_CLASS == public(getattr(module, name)), name


def test_everything_that_the_package_offers_says_what_it_is(esper):
    for name in esper.__all__:
        assert getattr(esper, name).__doc__, name
