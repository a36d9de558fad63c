"""The commands with a library in PostgreSQL, as a user meets them."""

import json
import os
import shutil
import subprocess
import urllib.request

import postgres_server
import pytest
from conftest import BINARY, ESPER, needs_esper
from test_default_run import overrides

pytestmark = [
    needs_esper,
    pytest.mark.skipif(postgres_server.MISSING is not None, reason=str(postgres_server.MISSING)),
]
needs_compiler = pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")),
                                    reason="this machine has no compiler")


@pytest.fixture(scope="module")
def database():
    with postgres_server.server() as address:
        yield address


class User:
    """Somebody with a home and an ESPER_LIBRARY."""

    def __init__(self, home, library):
        home.mkdir(exist_ok=True)
        self.home = home
        self.environment = dict(os.environ, HOME=str(home), ESPER_LIBRARY=library,
                                OMP_NUM_THREADS="1", ESPER_FORGE__PRIORITY="0")
        for name in ("XDG_DATA_HOME", "ESPER_KEYS", "ESPER_OBJECTS"):
            self.environment.pop(name, None)

    def __call__(self, *words, expect=0, **variables):
        done = subprocess.run([ESPER, *map(str, words)], cwd=self.home, capture_output=True,
                              text=True, timeout=120, env={**self.environment, **variables})
        assert done.returncode == expect, done.stderr
        return done

    def lines(self, *words, **how):
        return [json.loads(line) for line in self(*words, "--json", **how).stdout.splitlines()]


@needs_compiler
def test_a_kernel_is_made_shown_backed_up_and_restored(tmp_path, database):
    esper = User(tmp_path / "home", database("one"))
    assert len(esper.lines("library", "ls")) > 5
    assert not (tmp_path / "home/.local/share/esper/library/urza.sqlite").exists()
    assert (tmp_path / "home/.local/share/esper/library/keys/ring").exists()
    made = esper.lines("forge", "low_rank", "--features", "32", "--rows", "256")
    kernels = esper.lines("library", "ls", "--kernels")
    assert {k["blueprint"] for k in kernels} == {k["program"] for k in made}
    assert {k["state"] for k in kernels} == {"VALIDATED"}
    reasons = esper.lines("library", "why", kernels[0]["id"])
    assert all(reason["holds"] for reason in reasons), reasons
    head = esper.lines("library", "verify")[-1]
    assert head["event"] == "verified"

    copied = esper.lines("library", "backup", tmp_path / "backup")[-1]
    assert copied["objects"] == len({k["manifest"]["files"]["kernel.so"] for k in kernels})
    assert esper.lines("library", "verify", "--library", tmp_path / "backup")[-1] == head

    into = database("two")
    esper("library", "restore", tmp_path / "backup", "--library", into)
    assert esper.lines("library", "verify", ESPER_LIBRARY=into)[-1] == head
    assert esper.lines("library", "ls", "--kernels", ESPER_LIBRARY=into) == kernels

    # And into a folder, which gets the user's keys.
    folder = tmp_path / "folder"
    esper("library", "restore", tmp_path / "backup", "--library", folder)
    assert esper.lines("library", "verify", "--library", folder)[-1] == head
    assert esper.lines("library", "ls", "--kernels", ESPER_LIBRARY=str(folder)) == kernels
    esper("library", "gc", "--library", folder)

    # PostgreSQL's own copy of it, too.
    dump = subprocess.run([postgres_server.PROGRAMS / "pg_dump", into], check=True, timeout=60,
                          capture_output=True).stdout
    third = database("three")
    subprocess.run([postgres_server.PROGRAMS / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", third],
                   input=dump, check=True, timeout=60, capture_output=True)
    assert esper.lines("library", "verify", "--library", third)[-1] == head

    # Another user has other keys, and takes nothing that these did not seal.
    stranger = User(tmp_path / "stranger", into)
    assert "ESPER_KEYS" in stranger("library", "verify", expect=3).stderr


def test_objects_lie_in_the_folder_that_was_named(tmp_path, database):
    esper = User(tmp_path / "home", database("objects"))
    esper("library", "ls", ESPER_OBJECTS=str(tmp_path / "objects"))
    esper("library", "ls", "--objects", tmp_path / "objects")
    refused = esper("library", "ls", "--objects", tmp_path / "elsewhere", expect=2).stderr
    assert str(tmp_path / "objects") in refused
    refused = esper("library", "ls", "--library", tmp_path / "folder", "--objects", "s3://b/p",
                    expect=2).stderr
    assert "is a folder" in refused


def test_the_server_serves_it(tmp_path, database):
    esper = User(tmp_path / "home", database("served"))
    token = esper("token", "add", "ann").stdout.strip()
    served = subprocess.Popen([BINARY, "urza", "serve", "--port", "0"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=esper.environment)
    try:
        address = served.stdout.readline().strip()
        request = urllib.request.Request(f"{address}/api/v1/blueprints?limit=3",
                                         headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert len(json.load(answer)["items"]) == 3
        with urllib.request.urlopen(f"{address}/ready", timeout=30) as answer:
            assert answer.status == 200
    finally:
        served.terminate()
        _, said = served.communicate(timeout=30)
    assert "postgresql://esper@/served" in said and served.returncode == 0


@needs_compiler
def test_a_run_uses_it_and_reports_to_it(tmp_path, database):
    esper = User(tmp_path / "home", database("trained"))
    esper.environment.pop("ESPER_GROWTH__KERNELS", None)
    settings = [word for word in overrides(tmp_path) if not word.startswith("growth.kernels")]
    esper("train", *settings, "--run", tmp_path / "run")
    kernels = json.loads((tmp_path / "run/run.json").read_text())["kernels"]
    assert kernels["unavailable"] == "" and kernels["forged"]["ordered"] > 0
    assert kernels["library_head"]
    assert esper.lines("library", "verify", "--run", tmp_path / "run")[-1]["event"] == "verified"
    assert any(line["event"] == "report" for line in esper.lines("library", "reports"))
    assert esper.lines("library", "ls", "--kernels"), "the run's forge puts its kernels there"


def test_the_client_library_is_opened_only_when_it_is_needed():
    linked = subprocess.run(["ldd", ESPER], capture_output=True, text=True, timeout=60).stdout
    assert "libsqlite3" in linked and "libpq" not in linked


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path):
    esper = User(tmp_path / "home", f"postgresql://ann:secret@/nothing?host={tmp_path}")
    said = esper("library", "ls", expect=1).stderr
    assert "postgresql://ann:…@/nothing" in said and "server runs" in said
    assert "secret" not in said
