"""Writes tests/fixtures/tokens.json: tokens, good and bad, that other programs made and signed.

    .venv-test/bin/python tests/python/make_tokens.py

What PyJWT can say is made by PyJWT; what no proper library would say is put together here and signed
by `cryptography`. Each case has a name, a token and what the server must say of it: "" for a good
one, otherwise the value of the error. The private keys are forgotten at the end.
"""

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example", "esper-library"
FILE = Path(__file__).resolve().parent.parent / "fixtures" / "tokens.json"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


class Signer:
    def __init__(self, kid, private):
        self.kid, self.private = kid, private
        self.algorithm = {"Ed25519PrivateKey": "EdDSA", "RSAPrivateKey": "RS256"}.get(
            type(private).__name__, "ES256")

    def jwk(self):
        public = self.private.public_key()
        if self.algorithm == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(raw)}
        numbers = public.public_numbers()
        if self.algorithm == "RS256":
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256",
                    "n": number(numbers.n), "e": number(numbers.e)}
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": number(numbers.x, 32),
                "y": number(numbers.y, 32)}

    def sign(self, message):
        """As a token has it: ECDSA's r and s, 32 bytes each."""
        if self.algorithm == "EdDSA":
            return self.private.sign(message)
        if self.algorithm == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def proper(self, claims, **headers):
        """By PyJWT."""
        return jwt.encode(claims, self.private, algorithm=self.algorithm,
                          headers={"kid": self.kid, **headers})

    def raw(self, header, claims, signature=None):
        """Any header and claims, objects or texts, signed properly."""
        message = f"{b64(text(header).encode())}.{b64(text(claims).encode())}"
        signed = self.sign(message.encode()) if signature is None else signature
        return f"{message}.{b64(signed)}"


def claims(**changes):
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada@example", "exp": NOW + 300, "iat": NOW - 5,
            "role": "curator", **changes}
    return {key: value for key, value in said.items() if value is not None}


def with_hmac(header, secret, said):
    message = f"{b64(text(header).encode())}.{b64(text(said).encode())}"
    return f"{message}.{b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"


def next_character(character, step=1):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) ^ step]


def cases(ed, p256, rs, small, stranger):
    head = {"alg": "EdDSA", "typ": "JWT", "kid": ed.kid}
    good = ed.proper(claims())
    header, payload, signature = good.split(".")

    def said(name, value, *errors):
        yield name, ed.raw(head, value), *errors

    # Good ones.
    yield "EdDSA by Ed25519", good, ""
    yield "ES256 by P-256", p256.proper(claims()), ""
    yield "RS256 by RSA of 2048 bits", rs.proper(claims()), ""
    yield "typ at+jwt", ed.proper(claims(), typ="at+jwt"), ""
    yield "typ application/AT+JWT", ed.proper(claims(), typ="application/AT+JWT"), ""
    yield "no typ", ed.raw({"alg": "EdDSA", "kid": ed.kid}, claims()), ""
    yield "a header that means nothing here", ed.proper(claims(), x5t="abc"), ""
    yield "one audience of several", ed.proper(claims(aud=["other", AUDIENCE])), ""
    yield "times with fractions", ed.proper(claims(exp=NOW + 0.5, iat=NOW - 0.25, nbf=NOW - 1.5)), ""
    yield "ended 59 s ago", ed.proper(claims(exp=NOW - 59)), ""
    yield "begins in 60 s", ed.proper(claims(nbf=NOW + 60, iat=NOW + 60)), ""
    # No JWT.
    yield "one part", "eyJhbGciOiJFZERTQSJ9", "token.Malformed"
    yield "two parts", f"{header}.{payload}", "token.Malformed"
    yield "four parts", f"{good}.", "token.Malformed"
    yield "dots alone", "..", "token.Malformed"
    yield "padding", f"{header}.{payload}.{signature}==", "token.Malformed"
    yield "base64, not base64url", f"{header}.{payload}.{signature[:-2]}+/", "token.Malformed"
    yield "last bits that are not zero", good[:-1] + next_character(good[-1]), "token.Malformed"
    yield "a length that no bytes have", good + "AAA", "token.Malformed"
    yield "a line's end", good[:40] + "\n" + good[40:], "token.Malformed"
    yield "more than 8 KiB", ed.proper(claims(more="x" * 8192)), "token.Malformed"
    yield "the header is a list", ed.raw([], claims()), "token.Malformed"
    yield "the header is cut off", ed.raw('{"alg":"EdDSA"', claims()), "token.Malformed"
    yield ("alg twice", ed.raw('{"alg":"none","alg":"EdDSA","kid":"%s"}' % ed.kid, claims()),
           "token.Malformed")
    yield from said("a claim twice", '{"role":"researcher",' + text(claims())[1:], "token.Malformed")
    yield from said("a name twice, deeper", text(claims())[:-1] + ',"x":[{"a":1,"a":2}]}',
                    "token.Malformed")
    yield from said("claims that are a list", "[]", "token.Malformed")
    yield from said("claims nested too deep", text(claims())[:-1] + ',"x":' + "[" * 50 + "]" * 50
                    + "}", "token.Malformed")
    broken = text(claims()).encode().replace(b"ada", b"\xff")
    message = f"{header}.{b64(broken)}"
    yield ("claims that are not UTF-8", f"{message}.{b64(ed.sign(message.encode()))}",
           "token.Malformed")
    # Algorithms.
    nobody = {**head, "alg": "none"}
    yield "none", f"{b64(text(nobody).encode())}.{payload}.", "token.Algorithm"
    for spelled in ("None", "NONE", "nOnE"):
        yield spelled, ed.raw({**head, "alg": spelled}, claims(), b""), "token.Algorithm"
    yield "no alg", ed.raw({"kid": ed.kid}, claims()), "token.Algorithm"
    yield "alg is a number", ed.raw({**head, "alg": 1}, claims()), "token.Algorithm"
    pem = rs.private.public_key().public_bytes(serialization.Encoding.PEM,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
    yield ("HS256 with the public key as the secret",
           with_hmac({"alg": "HS256", "kid": rs.kid}, pem, claims()), "token.Algorithm")
    raw = ed.private.public_key().public_bytes(serialization.Encoding.Raw,
                                               serialization.PublicFormat.Raw)
    yield ("EdDSA, but an HMAC with the public key",
           with_hmac(head, raw, claims()), "token.Signature")
    for other in ("PS256", "RS384", "ES512", "HS512", "Ed25519", "eddsa"):
        yield other, ed.raw({**head, "alg": other}, claims()), "token.Algorithm"
    yield ("the alg of another key", ed.raw({**head, "alg": "RS256"}, claims()), "token.Algorithm")
    yield ("the kid of another key", ed.raw({**head, "kid": p256.kid}, claims()), "token.Algorithm")
    # Headers.
    jwk = stranger.jwk()
    for name, value in {"crit": ["exp"], "jku": "https://evil.example/keys", "jwk": jwk,
                        "x5u": "https://evil.example/chain", "x5c": ["MIIB"], "b64": False,
                        "cty": "JWT", "zip": "DEF"}.items():
        yield f"header {name}", ed.raw({**head, name: value}, claims()), "token.Header"
    for name, value in {"dpop+jwt": "dpop+jwt", "JOSE": "JOSE", "a number": 1}.items():
        yield f"typ {name}", ed.raw({**head, "typ": value}, claims()), "token.Header"
    yield "kid is a number", ed.raw({**head, "kid": 7}, claims()), "token.Header"
    yield "its own key in the header", stranger.raw({**head, "jwk": jwk}, claims()), "token.Header"
    # Keys and signatures.
    yield "no kid", ed.raw({"alg": "EdDSA"}, claims()), "token.UnknownKey"
    yield "unknown kid", stranger.proper(claims()), "token.UnknownKey"
    yield "kid of a path", ed.raw({**head, "kid": "../../dev/null"}, claims()), "token.UnknownKey"
    yield "RSA of 1024 bits", small.proper(claims()), "token.UnknownKey"
    yield "a stranger's signature", stranger.raw(head, claims()), "token.Signature"
    other = b64(text(claims(role="admin")).encode())
    yield "other claims", f"{header}.{other}.{signature}", "token.Signature"
    yield "no signature", f"{header}.{payload}.", "token.Signature"
    yield "a shorter signature", ed.raw(head, claims(), b"x" * 63), "token.Signature"
    es = {"alg": "ES256", "kid": p256.kid}
    message = f"{b64(text(es).encode())}.{b64(text(claims()).encode())}".encode()
    der = p256.private.sign(message, ec.ECDSA(hashes.SHA256()))
    yield "ES256 in DER", p256.raw(es, claims(), der), "token.Signature"
    proper = p256.sign(message)
    yield "ES256 of 65 bytes", p256.raw(es, claims(), b"\0" + proper), "token.Signature"
    yield "ES256 of 63 bytes", p256.raw(es, claims(), proper[:-1]), "token.Signature"
    yield "ES256 of zeros", p256.raw(es, claims(), b"\0" * 64), "token.Signature"
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    beyond = (int.from_bytes(proper[32:], "big") + order)
    if beyond < 2**256:
        yield ("ES256, s beyond the order", p256.raw(es, claims(), proper[:32]
               + beyond.to_bytes(32, "big")), "token.Signature")
    edwards = 2**252 + 27742317777372353535851937790883648493
    plain = base64.urlsafe_b64decode(signature + "==")
    s = int.from_bytes(plain[32:], "little") + edwards
    yield ("EdDSA, S beyond the order", f"{header}.{payload}."
           + b64(plain[:32] + s.to_bytes(32, "little")), "token.Signature")
    rsa_head = {"alg": "RS256", "kid": rs.kid}
    rsa_message = f"{b64(text(rsa_head).encode())}.{b64(text(claims()).encode())}".encode()
    pss = rs.private.sign(rsa_message, padding.PSS(padding.MGF1(hashes.SHA256()), 32),
                          hashes.SHA256())
    yield "RS256, padded as PS256", rs.raw(rsa_head, claims(), pss), "token.Signature"
    sha1 = rs.private.sign(rsa_message, padding.PKCS1v15(), hashes.SHA384())
    yield "RS256 of another digest", rs.raw(rsa_head, claims(), sha1), "token.Signature"
    # Claims.
    for name in ("iss", "aud", "sub", "exp", "iat"):
        yield f"no {name}", ed.proper(claims(**{name: None})), "token.Claims"
    for name in ("exp", "iat", "nbf"):
        for value in ("1800000300", None, -1, 1e300, True):
            yield from said(f"{name} is {value}", text({**claims(), name: value}), "token.Claims")
    yield from said("exp beyond any number", text(claims())[:-1].replace(
        str(NOW + 300), "1e999") + "}", "token.Malformed")
    for value in (1, "", None, ["ada"]):
        yield from said(f"sub is {value!r}", {**claims(), "sub": value}, "token.Claims")
    for name, value in {"another": "https://other.example", "with a slash": ISSUER + "/",
                        "a list": [ISSUER]}.items():
        yield from said(f"iss: {name}", claims(iss=value), "token.Issuer")
    for name, value in {"another": "other", "longer": AUDIENCE + "2", "none": [], "a number": 1,
                        "in a list in a list": [[AUDIENCE]]}.items():
        yield from said(f"aud: {name}", claims(aud=value), "token.Audience")
    yield "ended 60 s ago", ed.proper(claims(exp=NOW - 60)), "token.Expired"
    yield "ended long ago", ed.proper(claims(exp=0)), "token.Expired"
    yield "begins in 61 s", ed.proper(claims(nbf=NOW + 61)), "token.NotYet"
    yield "issued in 61 s", ed.proper(claims(iat=NOW + 61)), "token.NotYet"


def main():
    ed = Signer("ed", ed25519.Ed25519PrivateKey.generate())
    stranger = Signer("stranger", ed25519.Ed25519PrivateKey.generate())
    p256 = Signer("p256", ec.generate_private_key(ec.SECP256R1()))
    rs = Signer("rsa", rsa.generate_private_key(65537, 2048))
    small = Signer("small", rsa.generate_private_key(65537, 1024))
    all_cases = [{"name": name, "token": token, "says": says}
                 for name, token, says in cases(ed, p256, rs, small, stranger)]
    names = [case["name"] for case in all_cases]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    keys = {"keys": [key.jwk() for key in (ed, p256, rs, small)]}
    FILE.write_text(json.dumps({"now": NOW, "issuer": ISSUER, "audience": AUDIENCE, "keys": keys,
                                "cases": all_cases}, indent=1) + "\n")
    print(f"{len(all_cases)} tokens in {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
