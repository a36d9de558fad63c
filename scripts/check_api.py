#!/usr/bin/env python3
"""Asks the library's server what its own description says can be asked, and much that it cannot.

    check_api.py [--binary ESPER] [--examples 200] [--roles ROLE …] [--seed N]

Starts `esper urza serve` with an empty library, validates /openapi.json, and lets schemathesis make
requests from it with a token of each role (.venv-test has both). Exit status 1 for an answer that the
description does not allow, 3 when a program is missing.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import repository

TOOLS = repository.ROOT / ".venv-test" / "bin"
ROLES = ["researcher", "operator", "curator", "admin"]
COUNTS = re.compile(r"\s*\d+ generated, ")
SETTINGS = Path(__file__).resolve().with_name("check_api.toml")


def ask(binary, *words, folder):
    return subprocess.run([binary, *words, "--library", folder], check=True, capture_output=True,
                          text=True).stdout.strip()


def validate(description):
    """What OpenAPI's own schema has against it."""
    done = subprocess.run([TOOLS / "python", "-m", "openapi_spec_validator", "-"],
                          input=description, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def explore(address, role, token, arguments):
    command = [TOOLS / "schemathesis", "--config-file", SETTINGS, "run", address + "/openapi.json",
               "-H", f"Authorization: Bearer {token}", "--checks", "all", "--no-color",
               "--max-examples", str(arguments.examples), "--seed", str(arguments.seed),
               "--max-response-time", "5", "--generation-database", "none"]
    with tempfile.TemporaryDirectory() as folder:  # it leaves a cache where it runs
        done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode:
        print("\n".join(lines) + done.stderr)
    cases = next((line.strip() for line in lines if COUNTS.match(line)), "no requests were made")
    print(f"{role}: {'passed' if done.returncode == 0 else 'FAILED'}; {cases}", flush=True)
    return done.returncode == 0 and COUNTS.match(cases) is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=repository.ROOT / "build" / "release" / "bin" / "esper")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--roles", nargs="+", default=ROLES, choices=ROLES)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for program in (Path(arguments.binary), TOOLS / "schemathesis"):
        if not program.exists():
            print(f"check_api: {program} is missing; make setup and make esper bring it")
            return 3
    with tempfile.TemporaryDirectory() as folder:
        tokens = {role: ask(arguments.binary, "token", "add", role, "--role", role, folder=folder)
                  for role in arguments.roles}
        server = subprocess.Popen(
            [arguments.binary, "urza", "serve", "--port", "0", "--library", folder],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            address = server.stdout.readline().strip()
            description = urllib.request.urlopen(address + "/openapi.json", timeout=30).read()
            wrong = validate(description.decode())
            print(wrong or "openapi.json is valid OpenAPI 3.1", flush=True)
            good = [explore(address, role, token, arguments) for role, token in tokens.items()]
        finally:
            server.terminate()
            status = server.wait(timeout=30)
    if status != 0:
        print(f"the server ended with {status}")
    return 0 if all(good) and not wrong and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
