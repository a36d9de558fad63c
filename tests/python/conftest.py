import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
BINARY = Path(os.environ.get("ESPER_BINARY", ROOT / "build" / "release" / "bin" / "esper"))
ESPER = str(BINARY)
# Tests that are not about kernels compile none, and keep off the user's library.
os.environ.setdefault("ESPER_GROWTH__KERNELS", "false")
# For a whole file: `pytestmark = needs_esper`.
needs_esper = pytest.mark.skipif(not BINARY.exists(), reason="the binary is not built")


@pytest.fixture(scope="session")
def esper():
    """The package from the build folder, with the extension module that was built there."""
    torch = pytest.importorskip("torch")
    folder = BINARY.parent.parent / "python"
    if not any((folder / "esper").glob("_esper*.so")):
        pytest.skip(f"{folder} has no extension module (CMake says why)")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    torch.set_num_threads(1)
    import esper

    return esper


def pytest_sessionfinish():
    """pytest-xdist kills a worker that takes long to end; what `make coverage` measured in it is
    written before."""
    coverage = sys.modules.get("coverage")
    measuring = coverage and coverage.Coverage.current()
    if measuring:
        measuring.save()


@pytest.fixture
def repository_with(tmp_path):
    """Makes a git repository that holds the given files, path -> text."""

    def make(files):
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make
