"""A real nginx with the site of deploy/nginx on loopback ports, in front of servers of a test's own."""

import getpass
import re
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from project.config import BASE_DIR
from tests.process import free_port, until
from tests.redis_server import is_listening
from tests.services import nginx_path

SITE = BASE_DIR / "deploy/nginx/concierge.conf"
AROUND = BASE_DIR / "deploy/nginx/nginx.conf"
"""The container's, so that nothing of this machine's is read or written."""


class Nginx:
    """Not started before its ports are known: servers behind it have to know its URL."""

    def __init__(self, home: Path, *, scheme: str = "https") -> None:
        self.home = home
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"{scheme}://localhost:{self.port}"
        """What CONCIERGE_PUBLIC_URL has to be."""
        self.plain_url = f"http://localhost:{self.plain_port}"
        """Where who comes by HTTP is sent on."""
        self.access_log = home / "access.log"
        self.certificate = home / "fullchain.pem"
        self.configuration = home / "nginx.conf"
        self._scheme = scheme

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client has to trust (`verify=`)."""
        return ssl.create_default_context(cafile=str(self.certificate))

    @contextmanager
    def running(self, upstreams: Sequence[int]) -> Iterator[None]:
        """In front of servers on these ports of 127.0.0.1, until it is told to stop."""
        self.write(upstreams)
        process = subprocess.Popen(self.command(), stderr=subprocess.DEVNULL)
        try:
            until(lambda: process.poll() is not None or is_listening(self.port), seconds=10)
            assert process.poll() is None, (self.home / "error.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(10)

    def check(self) -> str:
        """What `nginx -t` says, which is nothing when all is well."""
        done = subprocess.run(self.command("-t", "-q"), check=False, capture_output=True, text=True, timeout=30)
        return done.stderr

    def command(self, *arguments: str) -> list[str]:
        path = str(nginx_path())
        return [
            path,
            "-p",
            str(self.home),
            "-c",
            str(self.configuration),
            "-e",
            str(self.home / "error.log"),
            *arguments,
        ]

    def write(self, upstreams: Sequence[int]) -> None:
        write_certificate(self.home)
        (self.home / "concierge.conf").write_text(self.site(upstreams))
        user = "user root root;\n" if getpass.getuser() == "root" else ""  # else its workers would be nobody's
        around = AROUND.read_text().replace("/tmp/", f"{self.home}/")
        self.configuration.write_text(user + around.replace("/dev/stderr", f"{self.home}/error.log"))

    def site(self, upstreams: Sequence[int]) -> str:
        """The one of deploy/, with nothing changed but what its first lines say, and the ports."""
        text = SITE.read_text()
        [server] = re.findall(r"^    server 127\.0\.0\.1:8000(.*;)\n", text, re.MULTILINE)
        servers = "".join(f"    server 127.0.0.1:{port}{server}\n" for port in upstreams)
        text = text.replace(f"    server 127.0.0.1:8000{server}\n", servers)
        text = re.sub(r"^    listen \[::\].*\n", "", text, flags=re.MULTILINE)
        ssl = " ssl" if self._scheme == "https" else ""
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port}{ssl}")
        text = text.replace("listen 80", f"listen 127.0.0.1:{self.plain_port}")
        text = text.replace("server_name mcp.example.com", "server_name localhost 127.0.0.1")
        text = text.replace("https://mcp.example.com$", f"{self.url}$")
        text = text.replace("/etc/nginx/tls/", f"{self.home}/").replace("/var/log/nginx/", f"{self.home}/")
        return text.replace("/var/www/html", str(self.home / "www"))


def write_certificate(home: Path) -> None:
    """A self-signed one, of this machine's own names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (home / "privkey.pem").write_bytes(key.private_bytes(encoding, form, plain))
    (home / "fullchain.pem").write_bytes(certificate.public_bytes(encoding))


@contextmanager
def nginx(upstreams: Sequence[int], home: Path, *, scheme: str = "https") -> Iterator[Nginx]:
    """A running one. `scheme="http"` is for clients that cannot be told what to trust."""
    one = Nginx(home, scheme=scheme)
    with one.running(upstreams):
        yield one
