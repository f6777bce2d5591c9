"""What the doctor says of mail servers, and of certificates."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from project.doctor.certificate import certificate
from project.doctor.examination import Case
from project.doctor.finding import Away, Finding, Verdict
from project.doctor.mail import mail

from .meddling import on_a_thread
from .patient import found

PASSWORD = "canary-of-mail"


class MailServer:
    """As much SMTP as it takes to sign in, and to hand over a message."""

    def __init__(self) -> None:
        self.takes_password = True
        self.took: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            match line.split()[0].upper():
                case b"EHLO":
                    writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                case b"AUTH":
                    writer.write(b"235 welcome\r\n" if self.takes_password else b"535 no\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    self.took.append(await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 fine\r\n")
        writer.close()


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    mail_server = MailServer()
    with on_a_thread(mail_server.serve) as port:
        use(settings, "smtp", port)
        yield mail_server


def use(settings: Settings, scheme: str, port: int) -> None:
    """As project/settings.py does with such an EMAIL_URL."""
    url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}"
    settings.CONFIG = settings.CONFIG.model_copy(update={"email_url": url})
    options = {"host": "127.0.0.1", "port": port, "username": "user", "password": PASSWORD}
    options |= {"use_tls": scheme == "smtp+tls", "use_ssl": scheme == "smtps"}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


def test_it_signs_in_and_sends_nothing(server: MailServer) -> None:
    assert found(mail)["connection"].verdict is Verdict.OK
    assert server.took == []


def test_it_sends_one_message_if_asked(server: MailServer) -> None:
    assert found(mail, Case(mail_to="alice@example.com"))["message"].verdict is Verdict.OK
    (message,) = server.took
    assert b"To: alice@example.com" in message
    assert PASSWORD.encode() not in message


def test_it_tells_that_the_password_is_not_taken(server: MailServer) -> None:
    server.takes_password = False
    connection = found(mail)["connection"]
    assert connection.verdict is Verdict.PROBLEM
    assert "user and password" in connection.mend


def test_it_tells_that_there_is_no_tls(server: MailServer, settings: Settings) -> None:
    use(settings, "smtp+tls", settings.MAILERS["default"]["OPTIONS"]["port"])
    assert "smtp+tls:// is STARTTLS" in found(mail)["connection"].mend


def test_it_tells_that_nobody_listens(settings: Settings) -> None:
    use(settings, "smtp", 1)
    connection = found(mail)["connection"]
    assert connection.verdict is Verdict.PROBLEM
    assert PASSWORD not in str(connection)


@pytest.mark.parametrize(("url", "verdict"), [(None, Verdict.SKIPPED), ("console://", Verdict.WARNING)])
def test_it_says_what_comes_of_no_mail_server(settings: Settings, url: str | None, verdict: Verdict) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"email_url": url})
    assert found(mail)["connection"].verdict is verdict


# --- Certificates ---


@contextmanager
def serving_tls(where: Path, days: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server whose certificate ends in so many days. It is trusted otherwise."""
    path = where / "certificate.pem"
    path.write_bytes(certified(days))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    with on_a_thread(serve, ssl=context) as port:
        yield f"https://127.0.0.1:{port}"


def certified(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(end - timedelta(days=90)).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(serialization.Encoding.PEM) + private


def judged(url: str) -> Finding:
    try:
        return certificate(url)
    except Away as away:
        return away.finding


@pytest.mark.parametrize(
    ("days", "verdict", "says"),
    [
        (60, Verdict.OK, "60 more days"),
        (5, Verdict.WARNING, "ends in 5 days"),
        (-2, Verdict.PROBLEM, "certificate has expired"),
    ],
)
def test_it_tells_how_long_a_certificate_is_good_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, verdict: Verdict, says: str
) -> None:
    with serving_tls(tmp_path, days, monkeypatch) as url:
        finding = judged(url)
    assert finding.verdict is verdict
    assert says in finding.says


def test_it_tells_that_nobody_trusts_a_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_tls(tmp_path, 60, monkeypatch) as url:
        monkeypatch.delenv("SSL_CERT_FILE")
        finding = judged(url)
    assert finding.verdict is Verdict.PROBLEM
    assert "self-signed" in finding.says
    assert "SSL_CERT_FILE" in finding.mend


def test_it_tells_that_a_certificate_is_for_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_tls(tmp_path, 60, monkeypatch) as url:
        finding = judged(url.replace("127.0.0.1", "localhost"))
    assert finding.verdict is Verdict.PROBLEM
    assert "A certificate for localhost" in finding.mend


def test_it_tells_that_there_is_no_tls_at_https(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    with on_a_thread(serve) as port:
        assert "does not speak TLS" in judged(f"https://127.0.0.1:{port}").says
