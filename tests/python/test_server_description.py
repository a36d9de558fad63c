"""The library's server does what its description says (scripts/check_api.py; `make nightly` asks
it at length)."""

import subprocess
import sys

import pytest
from conftest import BINARY, ROOT, needs_esper

pytestmark = needs_esper


def test_requests_made_from_the_description_are_answered_as_it_says():
    if not (ROOT / ".venv-test" / "bin" / "schemathesis").exists():
        pytest.skip("no schemathesis in .venv-test (make setup)")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_api.py", "--binary", BINARY, "--examples", "1",
         "--roles", "curator"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "valid OpenAPI 3.1" in done.stdout
    assert "curator: passed" in done.stdout


def test_what_is_missing_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_api.py", "--binary", tmp_path / "esper"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and f"{tmp_path / 'esper'} is missing" in done.stdout
