"""An outside issuer: a real HTTPS server with a certificate of a test CA, and keys to sign with."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "issuer.example")
AUDIENCE = "concierge"

Respond = Callable[[BaseHTTPRequestHandler], None]


@cache
def private_key(kind: str) -> Any:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


ALGORITHMS = {"rsa2048": "RS256", "rsa1024": "RS256", "p256": "ES256", "p384": "ES384", "ed25519": "EdDSA"}


def public_jwk(kind: str, **members: Any) -> dict[str, Any]:
    maker = jwt.get_algorithm_by_name(ALGORITHMS[kind])
    jwk: dict[str, Any] = json.loads(maker.to_jwk(private_key(kind).public_key()))
    jwk.pop("key_ops", None)
    return {name: value for name, value in {**jwk, "kid": kind, **members}.items() if value is not ...}


class OutsideIssuer:
    """Serves `respond`; by default its JWK set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"https://localhost:{port}"
        self.keys: list[Any] = [public_jwk(kind) for kind in ("rsa2048", "p256", "ed25519")]
        self.respond: Respond = self.serve_keys
        self.requests: list[dict[str, str]] = []

    def serve_keys(self, request: BaseHTTPRequestHandler) -> None:
        answer(request, json.dumps({"keys": self.keys}).encode())

    def settings(self, **details: Any) -> dict[str, Any]:
        usual = {"issuer": self.url, "audience": AUDIENCE, "jwks_url": f"{self.url}/keys", "allow_private": True}
        return {**usual, **details}

    def token(self, subject: str = "a-subject", kind: str = "rsa2048", **changes: Any) -> str:
        """Signed by the key of that kind. An ellipsis takes a claim, or a header parameter as `h_…`, away."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300, "jti": f"jti-{now}",
        }  # fmt: skip
        header: dict[str, Any] = {"kid": kind, "typ": "at+jwt"}
        for name, value in changes.items():
            part, name = (header, name.removeprefix("h_")) if name.startswith("h_") else (claims, name)
            part[name] = value
        claims = {name: value for name, value in claims.items() if value is not ...}
        header = {name: value for name, value in header.items() if value is not ...}
        return jwt.encode(claims, private_key(kind), ALGORITHMS[kind], headers=header)


def answer(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    for name, value in {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[OutsideIssuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests.append({name.lower(): value for name, value in self.headers.items()})
            issuer.respond(self)

        def log_message(self, *arguments: Any) -> None:
            """Tests are quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            """A client that goes away in the middle is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    issuer = OutsideIssuer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Authority:
    """A CA that nobody else knows, and a certificate of it for this machine."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "ca.pem"
        key, name = private_key("p256"), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        ca = built(name, name, key, identifier).add_extension(x509.BasicConstraints(True, None), critical=True)
        ca = ca.add_extension(MAY_SIGN, critical=True).add_extension(identifier, critical=False)
        self.file.write_bytes(ca.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        own = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([*map(x509.DNSName, NAMES), x509.IPAddress(ip_address("127.0.0.1"))])
        leaf = built(x509.Name([]), name, own, identifier).add_extension(names, critical=True)
        pair = directory / "server.pem"
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pair.write_bytes(secret + leaf.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair)


MAY_SIGN = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def built(
    subject: x509.Name, issuer: x509.Name, key: Any, signer: x509.SubjectKeyIdentifier
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=issuer, subject_name=subject, public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    )  # fmt: skip
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)
    return builder.add_extension(authority, critical=False)
