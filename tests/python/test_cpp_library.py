"""The C++ library as another project sees it: installed, found, built against, run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEADERS = sorted((ROOT / "include" / "esper").glob("*.h"))


def run(*command, **options):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("compiler", ["g++", "clang++-16"])
@pytest.mark.parametrize("header", HEADERS, ids=lambda h: h.name)
def test_a_public_header_compiles_alone_and_without_torch(header, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    run(compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
        "-x", "c++", f"-I{ROOT / 'include'}", header)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    build = Path(os.environ.get("ESPER_BINARY", ROOT / "build/release/bin/esper")).parent.parent
    if not (build / "lib").is_dir():
        pytest.skip("the library is not built")
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", build, "--component", "esper_cpp", "--prefix", prefix)
    return prefix


def test_pkg_config_finds_it(installed):
    flags = run("pkg-config", "--cflags", "--libs", "esper",
                env=dict(os.environ, PKG_CONFIG_PATH=str(installed / "lib" / "pkgconfig")))
    assert "-lesper" in flags and "-ltorch_cpu" in flags
    include = [f[2:] for f in flags.split() if f.startswith("-I")][0]
    assert (Path(include) / "esper" / "esper.h").exists()


def test_a_project_outside_of_the_tree_builds_grows_and_exports(installed, tmp_path):
    source, build = ROOT / "examples" / "cpp_module", tmp_path / "build"
    run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", build)
    output = run(build / "cpp_module", tmp_path / "export")
    assert "2 anchors, 2 seeds, 467 parameters" in output, output
    assert "second   vector  FOSSILIZED" in output or "second   vector  CULLED" in output, output

    # What it wrote is plain PyTorch.
    check = ("import importlib.util, json, torch\n"
             "spec = importlib.util.spec_from_file_location('model', 'model.py')\n"
             "module = importlib.util.module_from_spec(spec)\n"
             "spec.loader.exec_module(module)\n"
             "model = module.Model.load()\n"
             "print(json.dumps(list(model(torch.zeros(32, 8)).shape)))\n")
    assert json.loads(run(sys.executable, "-c", check, cwd=tmp_path / "export")) == [32, 3]
