"""`esper urza serve --jwks`: the tokens of an issuer, as PyJWT makes them."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import BINARY, ROOT, needs_esper

pytestmark = needs_esper

PYTHON = ROOT / ".venv-test" / "bin" / "python"
ISSUER, AUDIENCE = "https://issuer.example", "esper-library"

# Keeps its keys, and answers each line (a key's name, claims, headers) with a token.
MAKER = """
import json, sys, time, jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
private = {"EdDSA": ed25519.Ed25519PrivateKey.generate(),
           "ES256": ec.generate_private_key(ec.SECP256R1()),
           "RS256": rsa.generate_private_key(65537, 2048)}
kinds = {"EdDSA": jwt.algorithms.OKPAlgorithm, "ES256": jwt.algorithms.ECAlgorithm,
         "RS256": jwt.algorithms.RSAAlgorithm}
keys = [{**kinds[name].to_jwk(key.public_key(), as_dict=True), "kid": name}
        for name, key in private.items()]
print(json.dumps({"keys": keys}), flush=True)
for line in sys.stdin:
    name, claims = json.loads(line)
    now = int(time.time())
    said = {"iat": now, "exp": now + 300, **claims}
    print(jwt.encode({k: v for k, v in said.items() if v is not None}, private[name],
                     algorithm=name, headers={"kid": name}), flush=True)
"""


class Issuer:
    def __init__(self):
        if subprocess.run([PYTHON, "-c", "import jwt, cryptography"],
                          capture_output=True).returncode:
            pytest.skip("no PyJWT in .venv-test (make setup)")
        self.process = subprocess.Popen([PYTHON, "-c", MAKER], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.keys = json.loads(self.process.stdout.readline())

    def token(self, name="EdDSA", **claims):
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "Ada", "role": "researcher", **claims}
        self.process.stdin.write(json.dumps([name, said]) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def issuer():
    made = Issuer()
    yield made
    made.process.stdin.close()
    made.process.wait(timeout=30)


def run(tmp_path, *words, expect=0):
    done = subprocess.run([BINARY, *map(str, words), "--library", tmp_path / "library"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done.stderr
    return done


class Server:
    def __init__(self, tmp_path, *options):
        self.process = subprocess.Popen(
            [BINARY, "urza", "serve", "--port", "0", "--library", tmp_path / "library",
             *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, OMP_NUM_THREADS="1"))
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        self.told = self.process.stderr.read()

    def ask(self, path, token, body=None, scheme="Bearer"):
        headers = {"Authorization": f"{scheme} {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())


def test_an_issuers_token_is_taken_for_what_it_says(tmp_path, issuer):
    keys, log = tmp_path / "keys.json", tmp_path / "server.log"
    keys.write_text(json.dumps(issuer.keys))
    own = json.loads(run(tmp_path, "token", "add", "Grace", "--json").stdout)["token"]
    submission = json.dumps({
        "schema": "BlueprintSubmission/1", "name": "mine", "description": "of a test",
        "submitted_by": "nobody", "architecture": "esper-program 1 \"mine\"\n"
        "input x: f32[?, 8]\nparam w: f32[8, 8] normal(0.1)\n%0 = aten::linear(x, w, none)\n"
        "output y: %0\n"}).encode()
    with Server(tmp_path, "--jwks", keys, "--issuer", ISSUER, "--audience", AUDIENCE,
                f"logging.file={log}", "logging.format=json") as server:
        head = "/api/v1/ledger/head"
        for name in ("EdDSA", "ES256", "RS256"):
            assert server.ask(head, issuer.token(name))[0] == 200, name
        assert server.ask(head, issuer.token(), scheme="bearer")[0] == 200
        assert server.ask(head, own)[0] == 200
        status, problem = server.ask("/api/v1/blueprints", issuer.token(), submission)
        assert status == 403 and "needs the role curator" in problem["detail"]
        curator = issuer.token(role=["researcher", "curator"])
        assert server.ask("/api/v1/blueprints", curator, submission)[0] == 201
        for claims, error in (({"exp": 0}, "token.Expired"), ({"aud": "other"}, "token.Audience"),
                              ({"iss": "https://other.example"}, "token.Issuer"),
                              ({"sub": None}, "token.Claims")):
            status, problem = server.ask(head, issuer.token(**claims))
            assert (status, problem["error"]) == (401, error)
        first, second, third = issuer.token().split(".")
        status, problem = server.ask(head, f"{first}.{second}.{third[::-1]}")
        assert status == 401 and problem["error"] in ("token.Signature", "token.Malformed")
        assert server.ask(head, issuer.token(role="king"))[0] == 403
        assert server.ask(head, "x" * 20_000)[0] == 431
        with urllib.request.urlopen(server.address + "/metrics", timeout=30) as answer:
            figures = answer.read().decode()
        assert 'esper_urza_refused_total{status="401"} 5' in figures
        assert 'esper_urza_refused_total{status="403"} 2' in figures
        keys.write_text(json.dumps({"keys": issuer.keys["keys"][1:]}))  # one was taken back
        status, problem = server.ask(head, issuer.token("EdDSA"))
        assert (status, problem["error"]) == (401, "token.UnknownKey")
        assert server.ask(head, issuer.token("ES256"))[0] == 200
    ledger = [json.loads(line)
              for line in run(tmp_path, "library", "ledger", "--json").stdout.splitlines()]
    assert ledger[-1]["actor"] == f"{ISSUER} Ada" and ledger[-1]["action"] == "add blueprint"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    refused = [line for line in lines if line["message"] == "refused"]
    assert [line["status"] for line in refused].count(401) == 6
    asked = [line for line in lines if line["message"] == "asked"]
    assert [(line["who"], line["role"], line["status"]) for line in asked] == [
        (f"{ISSUER} Ada", "curator", 201)]
    assert third not in log.read_text() and own not in log.read_text()


def test_what_an_issuer_needs_is_asked_for(tmp_path, issuer):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(issuer.keys))
    for words in (("--jwks", keys, "--issuer", ISSUER), ("--issuer", ISSUER),
                  ("--jwks", keys, "--issuer", "", "--audience", AUDIENCE)):
        run(tmp_path, "urza", "serve", "--port", "0", *words, expect=2)
    whole = ("--issuer", ISSUER, "--audience", AUDIENCE)
    missing = run(tmp_path, "urza", "serve", "--jwks", tmp_path / "no.json", *whole, expect=3)
    assert "no.json: No such file" in missing.stderr
    keys.write_text(json.dumps({"keys": [{**issuer.keys["keys"][0], "d": "AAAA"}]}))
    secret = run(tmp_path, "urza", "serve", "--jwks", keys, *whole, expect=3)
    assert "has its private half" in secret.stderr
    other = {"kty": "EC", "crv": "P-521", "kid": "large"}
    keys.write_text(json.dumps({"keys": [issuer.keys["keys"][0], other]}))
    with Server(tmp_path, "--jwks", keys, *whole) as server:
        assert server.ask("/api/v1/ledger/head", issuer.token())[0] == 200
    assert "no token is taken of the key 'large'" in server.told
