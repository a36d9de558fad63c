"""A library that others share: `esper urza serve` on one machine, every other command on another."""

import contextlib
import json
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest
from conftest import ESPER, needs_esper
from test_default_run import events_of, overrides

pytestmark = needs_esper

needs_compiler = pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")),
                                    reason="this machine has no compiler")


class Team:
    """A library with a server, and somebody else's home, keys and token."""

    def __init__(self, folder):
        self.folder = folder
        self.library = folder / "there" / "library"
        self.served = dict(os.environ, HOME=str(folder / "there"), ESPER_LIBRARY=str(self.library))
        self.keys = folder / "keys"
        subprocess.run([ESPER, "keys", "init"], env=self.served, check=True, capture_output=True)
        shutil.copytree(self.library / "keys", self.keys)
        root = next(key["id"] for key in self.lines(["keys", "ls"], self.served)
                    if key["role"] == "root")
        (self.keys / f"{root}.key").unlink()
        self.server = subprocess.Popen([ESPER, "urza", "serve", "--port", "0"], env=self.served,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.server.stdout.readline().strip()
        self.mine = dict(os.environ, HOME=str(folder / "home"), ESPER_LIBRARY=self.address,
                         ESPER_KEYS=str(self.keys), OMP_NUM_THREADS="1",
                         ESPER_LIBRARY_TOKEN_FILE=str(self.token("curator")))
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "ESPER_GROWTH__KERNELS"):
            self.mine.pop(name, None)

    def token(self, role):
        made = self.lines(["token", "add", role, "--role", role], self.served)[0]["token"]
        file = self.folder / f"{role}.token"
        file.touch(0o600)
        file.write_text(made + "\n")
        return file

    def run(self, *words, expect=0, **environment):
        done = subprocess.run([ESPER, *map(str, words)], capture_output=True, text=True,
                              timeout=120, cwd=self.folder,
                              env={**self.mine, **environment})
        assert done.returncode == expect, done.stderr
        return done

    @staticmethod
    def lines(words, environment):
        done = subprocess.run([ESPER, *words, "--json"], env=environment, check=True,
                              capture_output=True, text=True, timeout=60)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def end(self):
        self.server.kill()
        self.server.wait()


@pytest.fixture
def team(tmp_path):
    team = Team(tmp_path)
    yield team
    team.end()


@needs_compiler
def test_a_kernel_forged_here_is_in_the_library_there(team):
    forged = team.run("forge", "low_rank", "--features", 32, "--rows", 256, "--json")
    made = [json.loads(line) for line in forged.stdout.splitlines()]
    assert [kernel["status"] for kernel in made] == ["validated"] * 2
    there = team.lines(["library", "ls", "--kernels"], team.served)
    here = [json.loads(line)
            for line in team.run("library", "ls", "--kernels", "--json").stdout.splitlines()]
    assert here == there and len(here) == 2
    assert {kernel["state"] for kernel in here} == {"VALIDATED"}
    name = here[0]["id"]
    assert "validated on" in team.run("library", "show", name[:20]).stdout
    why = team.run("library", "why", name).stdout
    assert "NO" not in why and "the gauntlet validated it" in why
    head = team.lines(["library", "verify"], team.served)[-1]
    assert json.loads(team.run("library", "verify", "--json").stdout.splitlines()[-1]) == head
    assert team.run("library", "ledger").stdout.count("add kernel") == 2
    assert "no run has reported" in team.run("library", "reports").stderr
    assert not (team.folder / "home" / ".local").exists(), "nothing is kept here"
    # Whoever may only look may not add, and hears why.
    reader = {"ESPER_LIBRARY_TOKEN_FILE": str(team.token("researcher"))}
    assert "validated on" in team.run("library", "show", name, **reader).stdout
    refused = team.run("forge", "low_rank", "--features", 16, "--rows", 64, expect=2, **reader)
    assert "this needs the role curator" in refused.stderr
    assert "validated" not in refused.stdout, "it is asked before anything is compiled"
    refused = team.run("forge", "--worker", "--until-empty", expect=1, **reader)
    assert "this needs the role curator" in refused.stderr and refused.stdout == ""
    # The ring is this user's own: with other keys nothing of it is trusted.
    others = {"ESPER_KEYS": str(team.folder / "others")}
    team.run("keys", "init", **others)
    assert "trust.UnknownKey" in team.run("library", "verify", expect=4, **others).stderr
    assert "NO" in team.run("library", "why", name, **others).stdout


def test_what_cannot_be_asked_says_what_to_do(team):
    for command in (["urza", "serve"], ["token", "ls"]):
        assert "needs the library itself" in team.run(*command, expect=2).stderr
    open_file = team.folder / "open.token"
    open_file.write_text("esper_guessed")
    open_file.chmod(0o644)
    refused = team.run("library", "ls", expect=2, ESPER_LIBRARY_TOKEN_FILE=str(open_file)).stderr
    assert "chmod 600" in refused
    open_file.chmod(0o600)
    unknown = team.run("library", "ls", expect=2, ESPER_LIBRARY_TOKEN_FILE=str(open_file)).stderr
    assert "does not know this token" in unknown and "esper_guessed" not in unknown
    os.mkfifo(team.folder / "pipe", 0o600)
    pipe = team.run("library", "ls", expect=2, ESPER_LIBRARY_TOKEN_FILE=str(team.folder / "pipe"))
    assert "no file of yours" in pipe.stderr
    far = team.run("library", "ls", "--library", "http://192.0.2.1:8000", expect=2).stderr
    assert "ESPER_LIBRARY_INSECURE=1" in far
    no_keys = team.run("library", "ls", expect=3, ESPER_KEYS=str(team.folder / "none")).stderr
    assert "has no keys" in no_keys
    assert len(team.run("library", "ls").stdout.splitlines()) > 5
    team.end()
    begun = time.monotonic()
    assert "gives no answer" in team.run("library", "ls", expect=1).stderr
    assert time.monotonic() - begun < 15


class TlsProxy:
    """What a team puts in front of the server: TLS outside, plain HTTP inside."""

    def __init__(self, folder, address):
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                        "-out", self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        inside = ("127.0.0.1", int(address.rsplit(":", 1)[1]))

        class Forward(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError), \
                        context.wrap_socket(self.request, server_side=True) as outer, \
                        socket.create_connection(inside) as inner:
                    back = threading.Thread(target=copy, args=(inner, outer), daemon=True)
                    back.start()
                    copy(outer, inner)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward)
        self.server.daemon_threads = True
        self.address = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def copy(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to make a certificate")
def test_https_works_where_the_certificate_is_trusted(team):
    proxy = TlsProxy(team.folder, team.address)
    try:
        trusting = {"SSL_CERT_FILE": str(proxy.certificate)}
        there = team.run("library", "ls").stdout
        assert team.run("library", "ls", "--library", proxy.address, **trusting).stdout == there
        refused = team.run("library", "ls", "--library", proxy.address, expect=4).stderr
        assert "certificate" in refused
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()


def train(team, run, *words):
    settings = [word for word in overrides(team.folder) if not word.startswith("growth.kernels")]
    return [ESPER, "train", *settings, "run.epochs=6", "controller.policy=periodic",
            "controller.period=1ep", "growth.start=0.1", "growth.stop=0.8", *words,
            "--run", str(team.folder / run)]


@needs_compiler
def test_a_run_forges_for_the_server_and_outlives_it(team):
    environment = dict(team.mine, ESPER_FORGE__PRIORITY="0",
                       ESPER_LIBRARY_TOKEN_FILE=str(team.token("operator")))
    first = subprocess.run(train(team, "first"), env=environment, capture_output=True, text=True,
                           timeout=120)
    assert first.returncode == 0 and "got no report" not in first.stderr, first.stderr
    kernels = json.loads((team.folder / "first" / "run.json").read_text())["kernels"]
    assert "role is operator" in kernels["unavailable"], kernels
    filed = team.run("library", "reports", "--json").stdout
    assert '"event":"candidates"' in filed.replace(" ", "")
    run = subprocess.Popen(train(team, "second"), stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True,
                           env=dict(team.mine, ESPER_FORGE__PRIORITY="0"))
    try:
        deadline = time.monotonic() + 60
        while not events_of(team.folder / "second") and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            team.server.send_signal(signal.SIGKILL)
        _, said = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 0, said
    assert said.count("the library got no report of this run") == 1 and team.address in said
    begun = time.monotonic()
    third = subprocess.run(train(team, "third", "-q"), env=team.mine, capture_output=True, text=True,
                           timeout=120)
    assert third.returncode == 0, third.stderr
    assert third.stderr.count("got no report") == 1 and "gives no answer" in third.stderr
    told = json.loads((team.folder / "third" / "run.json").read_text())["kernels"]
    assert team.address in told["unavailable"] and told["library_head"] == ""
    assert time.monotonic() - begun < 60
    told = json.loads((team.folder / "second" / "run.json").read_text())["kernels"]
    assert told["seeds_with_operators"] + told["seeds_with_kernel"] == len(told["seeds"])
    assert not (team.folder / "home" / ".local").exists()
