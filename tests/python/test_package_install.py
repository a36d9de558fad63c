"""`pip install .` into an environment that has torch, and what is there afterwards."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
README = """
import re
text = open({path!r}).read()
for block in re.findall(r"^```python\\n(.*?)^```", text, re.M | re.S):
    exec(compile(block, "README.md", "exec"), {{}})
import esper
print(esper.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of a fresh environment into which the checkout was installed. The compiler's cache
    has what `make build` compiled; without it this would compile everything a second time."""
    if shutil.which("ccache") is None:
        pytest.skip("no ccache: the library would be compiled once more")
    if not all(map(importlib.util.find_spec, ("torch", "scikit_build_core"))):
        pytest.skip("torch or scikit-build-core is not installed")
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    purelib = subprocess.run([str(python), "-c", "import sysconfig as s; print(s.get_path('purelib'))"],
                             check=True, capture_output=True, text=True).stdout.strip()
    # The torch of the environment that runs the tests, under the name that the build knows it by.
    theirs = ROOT / ".venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (Path(purelib) / "torch_of_the_tests.pth").write_text(
        f"{theirs if theirs.exists() else sysconfig.get_path('purelib')}\n")
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index",
         "--disable-pip-version-check", str(ROOT)], capture_output=True, text=True,
        env=dict(os.environ, CMAKE_BUILD_PARALLEL_LEVEL=str(os.cpu_count())))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return python


def run(python, *arguments):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("ESPER_BINARY", "PYTHONPATH")}
    done = subprocess.run([str(python), *arguments], capture_output=True, text=True, cwd="/",
                          env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_example_runs_as_written(installed):
    out = run(installed, "-c", README.format(path=str(ROOT / "README.md")))
    assert str(installed.parent.parent) in out


def test_the_command_is_there_and_the_package_finds_it(installed):
    assert run(installed.parent / "esper", "--version").startswith("esper ")
    found = run(installed, "-c", "from esper import _runs; print(_runs.executable())")
    assert str(installed.parent.parent) in found


def test_stubs_and_the_mark_of_a_typed_package_come_with_it(installed):
    folder = Path(run(installed, "-c", "import esper; print(esper.__path__[0])").strip())
    assert {"py.typed", "_esper.pyi"} <= {p.name for p in folder.iterdir()}
