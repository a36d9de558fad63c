"""scripts/setup.sh on machines that lack things, with stand-ins for the package manager."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


class Machine:
    """A copy of the script in an empty folder, and a PATH of stand-ins that log their calls."""

    def __init__(self, folder, installed):
        self.folder = folder
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "setup.sh", folder / "scripts" / "setup.sh")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.calls.write_text("")
        listed = " ".join(f"installed:{p}" for p in installed)
        self.stand_in("dpkg-query", f'echo -n "{listed} "')
        self.stand_in("apt-get", "exit 0")
        for tool in ("bash", "env", "sha256sum", "cut", "head", "dirname", "rm"):
            os.symlink(shutil.which(tool), self.bin / tool)

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def set_up(self, **environment):
        return subprocess.run(
            ["bash", str(self.folder / "scripts" / "setup.sh")], capture_output=True, text=True,
            env={"PATH": str(self.bin), **environment})


def packages(list_name):
    text = (ROOT / "scripts" / "setup.sh").read_text()
    return text.split(f"{list_name}=(")[1].split(")")[0].split()


ALL = [package for name in ("BUILD", "TOOL", "BROWSER", "DATABASE", "SANDBOX")
       for package in packages(f"{name}_PACKAGES")]


def test_nothing_is_fetched_when_everything_is_there(tmp_path):
    machine = Machine(tmp_path, ALL)
    # No torch at this place: the script gets as far as looking for it, and no further.
    result = machine.set_up(ESPER_TORCH="/nonsense")
    assert result.returncode != 0
    assert "/nonsense" in result.stderr and "libtorch_cpu.so" in result.stderr
    assert "apt-get" not in machine.calls.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="installing is only tried as root")
def test_only_what_is_missing_is_installed(tmp_path):
    machine = Machine(tmp_path, [p for p in ALL if p not in ("mold", "ninja-build")])
    machine.set_up(ESPER_TORCH="/nonsense")
    calls = machine.calls.read_text()
    assert "apt-get update" in calls
    install = [c for c in calls.split("\n") if "install" in c and c.startswith("apt-get")]
    assert len(install) == 1
    assert install[0].split("--no-install-recommends ")[1] == "ninja-build mold"


@pytest.mark.skipif(os.geteuid() != 0, reason="installing is only tried as root")
def test_a_failing_package_manager_stops_the_set_up(tmp_path):
    machine = Machine(tmp_path, [p for p in ALL if p != "cmake"])
    machine.stand_in("apt-get", "exit 100")
    result = machine.set_up()
    assert result.returncode == 1
    assert "cmake" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping to another user needs root")
def test_without_root_it_says_what_to_install(tmp_path):
    machine = Machine(tmp_path, [p for p in ALL if p != "cmake"])
    for path in (tmp_path, *tmp_path.parents):
        if path != Path("/tmp") and path.is_relative_to("/tmp"):
            path.chmod(0o755)
    machine.calls.chmod(0o666)
    result = subprocess.run(
        ["bash", str(tmp_path / "scripts" / "setup.sh")], capture_output=True, text=True,
        env={"PATH": str(machine.bin)}, user=65534, group=65534)
    assert result.returncode == 1
    assert "apt-get install cmake" in result.stderr
    assert "apt-get install" not in machine.calls.read_text()
