"""Outside issuers: whose tokens are taken, how their keys are fetched, and what becomes of everybody meanwhile."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import pytest
from django.utils import timezone

from sessions_app import credentials
from sessions_app.callers import callers
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import fetch as fetching
from sessions_app.jwt import key_set
from sessions_app.jwt.address import is_public
from sessions_app.jwt.algorithms import ASYMMETRIC
from sessions_app.jwt.fetch import LARGEST, Unfetched, fetch, resolve
from sessions_app.jwt.key_set import key_sets, usable_keys
from sessions_app.models import OutsideIdentity, RevokedToken, User
from sessions_app.principal import Principal
from tests.conftest import key_for
from tests.issuer import OutsideIssuer, answer, public_jwk
from tests.sessions_app.eras import ERAS, Knock, everything
from tests.sessions_app.test_api_keys import in_thread
from tests.wire import Wire, until

pytestmark = pytest.mark.alike

ECHO = "tools_app.call_echo"
ALL = tuple(ASYMMETRIC)


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


async def identified(secret: str) -> Principal:
    return await credentials.presented({"authorization": f"Bearer {secret}"}, "10.0.0.9").identify()


async def reason(secret: str) -> str | None:
    """Why it is refused, or None."""
    callers.forget()
    try:
        await identified(secret)
    except Unauthenticated as refusal:
        return refusal.reason
    return None


class Clock:
    """The key sets' time, moved by hand."""

    def __init__(self) -> None:
        self.later = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.later


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(key_set, "time", clock)
    return clock


# --- Whose tokens are taken ---


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "ed25519"])
async def test_a_linked_subject_is_its_user(
    knock: Knock, issuer: OutsideIssuer, link: OutsideIdentity, kind: str
) -> None:
    assert (await knock(issuer.token(kind=kind))).status == 200
    principal = await identified(issuer.token(kind=kind))
    assert (principal.username, principal.credential) == ("alice", f"issuer:{issuer.url}#a-subject")


async def test_a_subject_that_nobody_linked_is_refused(knock: Knock, issuer: OutsideIssuer, alice: User) -> None:
    reference = everything(await knock("x"))
    for subject in ("a-subject", "alice", str(alice.pk), "' OR 1=1 --"):
        assert everything(await knock(issuer.token(subject))) == reference


async def test_a_link_counts_for_its_issuer_alone(issuer: OutsideIssuer, alice: User) -> None:
    await OutsideIdentity.objects.acreate(user=alice, issuer="https://other.example", subject="a-subject")
    assert await reason(issuer.token()) == "a JWT that is revoked, or whose subject is nobody here"


async def test_its_permissions_narrow_and_never_widen(
    issuer: OutsideIssuer, link: OutsideIdentity, recorded: Any
) -> None:
    token = issuer.token(permissions=[ECHO, "sessions_app.delete_user", "tools_app.call_restock"])
    tools = (await Wire(token).ask("tools/list")).result["tools"]
    assert [tool["name"] for tool in tools] == ["echo"]
    assert (await Wire(issuer.token(permissions=[])).ask("tools/list")).result["tools"] == []


WRONG: dict[str, Callable[[OutsideIssuer], str]] = {
    "another audience": lambda issuer: issuer.token(aud="elsewhere"),
    "audiences without ours": lambda issuer: issuer.token(aud=["elsewhere", "other"]),
    "audiences that are no texts": lambda issuer: issuer.token(aud=["concierge", 1]),
    "an unknown issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "our own issuer": lambda issuer: issuer.token(iss="http://127.0.0.1:8000"),
    "the issuer with a slash": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "no subject": lambda issuer: issuer.token(sub=...),
    "no jti": lambda issuer: issuer.token(jti=...),
    "no iat": lambda issuer: issuer.token(iat=...),
    "no exp": lambda issuer: issuer.token(exp=...),
    "expired": lambda issuer: issuer.token(iat=int(time.time()) - 300, exp=int(time.time()) - 31),
    "two days": lambda issuer: issuer.token(exp=int(time.time()) + 2 * 86_400),
    "exp a float": lambda issuer: issuer.token(exp=time.time() + 60),
    "permissions a text": lambda issuer: issuer.token(permissions="read write"),
    "an id token": lambda issuer: issuer.token(h_typ="JWT"),
    "no typ": lambda issuer: issuer.token(h_typ=None),
    "no kid": lambda issuer: issuer.token(h_kid=...),
    "another key's kid": lambda issuer: issuer.token(kind="p256", h_kid="rsa2048"),
    "a key that is too small": lambda issuer: issuer.token(kind="rsa1024"),
    "jku": lambda issuer: issuer.token(h_jku=f"{issuer.url}/keys"),
    "x5u": lambda issuer: issuer.token(h_x5u=f"{issuer.url}/cert"),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_what_is_wrong_is_answered_like_any_bad_one(
    knock: Knock, issuer: OutsideIssuer, link: OutsideIdentity
) -> None:
    issuer.keys.append(public_jwk("rsa1024"))
    reference = everything(await knock("x"))
    assert (await knock(issuer.token())).status == 200
    wrong = [name for name, make in WRONG.items() if everything(await knock(make(issuer))) != reference]
    assert wrong == []


async def test_several_audiences_are_taken_if_ours_is_among_them(
    issuer: OutsideIssuer, link: OutsideIdentity
) -> None:
    assert await reason(issuer.token(aud=["elsewhere", "concierge"])) is None


async def test_an_operator_may_say_that_an_issuer_types_its_tokens_jwt(
    issuer: OutsideIssuer, link: OutsideIdentity, settings: Any
) -> None:
    settings.JWT_ISSUERS = [issuer.settings(typ="JWT")]
    assert await reason(issuer.token(h_typ="JWT")) is None
    assert await reason(issuer.token()) == "a JWT of another type than its issuer's access tokens"


async def test_an_operator_may_take_fewer_algorithms(
    issuer: OutsideIssuer, link: OutsideIdentity, settings: Any
) -> None:
    settings.JWT_ISSUERS = [issuer.settings(algorithms=["ES256"])]
    assert await reason(issuer.token(kind="p256")) is None
    assert await reason(issuer.token(kind="rsa2048")) == "a JWT under a key that its issuer does not have"


def unlink(link: OutsideIdentity) -> None:
    link.delete()


def deactivate(link: OutsideIdentity) -> None:
    User.objects.update(is_active=False)


def delete_user(link: OutsideIdentity) -> None:
    link.user.delete()


def change_password(link: OutsideIdentity) -> None:
    """A token of the same second would still be taken: `iat` has no fractions."""
    User.objects.update(tokens_valid_after=timezone.now() + timedelta(seconds=1))


def revoke(link: OutsideIdentity) -> None:
    RevokedToken.objects.revoke(link.issuer, "the-one", timezone.now())


@pytest.mark.parametrize("end", [unlink, deactivate, delete_user, change_password, revoke])
async def test_what_ends_it_ends_it(
    knock: Knock, issuer: OutsideIssuer, link: OutsideIdentity, end: Callable[[OutsideIdentity], None]
) -> None:
    token = issuer.token(jti="the-one")
    reference = everything(await knock("x"))
    assert (await knock(token)).status == 200
    proof = (await identified(token)).proof
    assert list(await in_thread(partial(credentials.current, [proof]))) == [proof]
    await in_thread(partial(end, link))
    callers.forget()
    assert everything(await knock(token)) == reference
    assert await in_thread(partial(credentials.current, [proof])) == {}


# --- When keys are fetched ---


async def test_keys_are_fetched_once_however_many_ask(issuer: OutsideIssuer, link: OutsideIdentity) -> None:
    tokens = [issuer.token(jti=f"jti-{number}") for number in range(20)]
    assert set(await asyncio.gather(*map(reason, tokens))) == {None}
    assert len(issuer.requests) == 1


async def test_a_new_key_is_fetched_when_it_appears_but_once_a_minute(
    issuer: OutsideIssuer, link: OutsideIdentity, clock: Clock
) -> None:
    assert await reason(issuer.token()) is None
    issuer.keys.append(public_jwk("p384"))
    for number in range(5):
        assert await reason(issuer.token(kind="p384", jti=f"jti-{number}")) is not None
        assert await reason(issuer.token(h_kid=f"invented-{number}")) is not None
    assert len(issuer.requests) == 1
    clock.later = key_set.FETCHED_EVERY
    assert await reason(issuer.token(kind="p384")) is None
    for number in range(5):
        await reason(issuer.token(h_kid=f"invented-{number}"))
    assert len(issuer.requests) == 2


async def test_keys_are_kept_while_the_issuer_is_away_but_not_for_ever(
    issuer: OutsideIssuer, link: OutsideIdentity, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await reason(issuer.token()) is None
    issuer.respond = lambda request: answer(request, b"{}", 503)
    clock.later = key_set.FRESH_FOR + 1
    assert await reason(issuer.token()) is None
    await in_thread(lambda: next(iter(key_sets._sets.values()))._fetching.result(5))
    assert "the answer was 503" in caplog.text
    assert await reason(issuer.token()) is None
    clock.later = key_set.KEPT_FOR
    assert await reason(issuer.token()) is not None


async def test_a_withdrawn_key_is_gone_within_the_hour(
    issuer: OutsideIssuer, link: OutsideIdentity, clock: Clock
) -> None:
    assert await reason(issuer.token()) is None
    issuer.keys = [public_jwk("p256")]
    clock.later = key_set.FRESH_FOR
    await reason(issuer.token())  # notices that they are old, and is not kept waiting
    await in_thread(lambda: next(iter(key_sets._sets.values()))._fetching.result(5))
    assert await reason(issuer.token()) is not None
    assert await reason(issuer.token(kind="p256")) is None


async def test_an_issuer_that_hangs_keeps_nobody_else_waiting(
    issuer: OutsideIssuer, link: OutsideIdentity, alice: User
) -> None:
    """There are two identity threads; more callers than that wait for the issuer."""
    done = threading.Event()
    issuer.respond = lambda request: answer(request, b"{}" if done.wait(10) else b"")
    keys = [await in_thread(partial(key_for, alice)) for _ in range(5)]
    hanging = [asyncio.create_task(reason(issuer.token(h_kid=f"kid-{number}"))) for number in range(8)]
    try:
        await until(lambda: issuer.requests)
        async with asyncio.timeout(3):
            for secret in keys:
                assert (await Wire(secret).ask("tools/list")).status == 200
        assert not any(task.done() for task in hanging)
    finally:
        done.set()
    assert None not in await asyncio.gather(*hanging)
    assert len(issuer.requests) == 1


# --- How keys are fetched ---


def refused(url: str, **options: Any) -> str:
    with pytest.raises(Unfetched) as caught:
        fetch(url, allow_private=options.get("allow_private", True))
    return str(caught.value)


def test_what_is_served_is_read(issuer: OutsideIssuer) -> None:
    assert [key["kid"] for key in fetch(f"{issuer.url}/keys", allow_private=True)["keys"]] == [
        "rsa2048", "p256", "ed25519",
    ]  # fmt: skip


def test_a_certificate_of_an_unknown_authority_is_refused(
    issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "CERTIFICATE_VERIFY_FAILED" in refused(f"{issuer.url}/keys")
    assert issuer.requests == []


def test_nothing_but_https_is_asked(issuer: OutsideIssuer) -> None:
    for url in (f"http://localhost:{issuer.port}/keys", "file:///etc/passwd", "ftp://localhost/", "https://"):
        assert refused(url) == "not an https URL"
    assert issuer.requests == []


Handler = BaseHTTPRequestHandler


def drip(request: Handler) -> None:
    """A byte now and then: no single read takes long."""
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        time.sleep(0.01)


ANSWERS: dict[str, tuple[Callable[[Handler], None], str]] = {
    "a redirect": (lambda request: answer(request, b"", 302, Location="https://localhost/"), "the answer was 302"),
    "a permanent one": (lambda request: answer(request, b"", 308, Location="/keys"), "the answer was 308"),
    "not found": (lambda request: answer(request, b"{}", 404), "the answer was 404"),
    "a page": (lambda request: answer(request, b"{}", Content_Type="text/html"), "the answer is not JSON"),
    "no type": (lambda request: answer(request, b"{}", Content_Type=""), "the answer is not JSON"),
    "too much": (lambda request: answer(request, b" " * (LARGEST + 1)), "the answer is larger than 65536 bytes"),
    "no JSON": (lambda request: answer(request, b"{]"), "Not valid JSON"),
    "a zip bomb": (lambda request: answer(request, b"\x1f\x8b", Content_Encoding="gzip"), "Not valid JSON"),
    "keys twice": (lambda request: answer(request, b'{"keys": [], "keys": []}'), "Not valid JSON"),
    "an answer in drops": (drip, "no answer within"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_any_other_answer_is_none(issuer: OutsideIssuer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.respond, why = ANSWERS[name]
    if issuer.respond is drip:  # the others have the usual time: half a second is little on a busy machine
        monkeypatch.setattr(fetching, "SLOWEST", 0.5)
    assert refused(f"{issuer.url}/keys").startswith(why)
    assert len(issuer.requests) == 1


def test_who_does_not_answer_at_all_is_given_up(issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SLOWEST", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/"
        assert refused(url) == "ConnectTimeout"


def test_a_refused_connection_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "ConnectError" in refused(f"https://127.0.0.1:{port}/")


def test_a_type_of_its_own_and_a_charset_are_fine(issuer: OutsideIssuer) -> None:
    for content_type in ("application/jwk-set+json", "Application/JSON; charset=utf-8"):
        issuer.respond = partial(answer, body=b'{"keys": []}', Content_Type=content_type)
        assert fetch(f"{issuer.url}/keys", allow_private=True) == {"keys": []}


# --- Where the connection goes ---

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "fe80::1", "fc00::1", "fd00::1",
    "ff02::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "2001:0:7f00:1::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "::7f00:1", "fec0::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_of_this_machine_and_its_networks_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_anybody_s_addresses_are(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0177.0.0.1", "2130706433", "0x7f000001", "127.1", "[::ffff:7f00:1]"],
)
def test_a_private_address_is_refused_however_it_is_written(issuer: OutsideIssuer, host: str) -> None:
    why = refused(f"https://{host}:{issuer.port}/keys", allow_private=False)
    assert why.startswith(("its address is not public", "its name does not resolve"))
    assert issuer.requests == []


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A resolver of ours, which says something else each time. Who was asked for."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        asked.append(host)
        found = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_one_private_address_among_public_ones_spoils_all(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["93.184.215.14", "10.0.0.7"])
    with pytest.raises(Unfetched, match="not public"):
        resolve("https://issuer.example/keys", allow_private=False)


def test_the_connection_goes_to_the_address_that_was_checked(
    issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS is asked once. Certificate and Host are the name's all the same."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["93.184.215.14"])
    url = f"https://issuer.example:{issuer.port}/keys"
    addresses = resolve(url, allow_private=True)
    body = asyncio.run(fetching.fetch_from(url, addresses, time.monotonic() + 3))
    assert b'"keys"' in body
    assert asked == ["issuer.example"]
    assert issuer.requests[0]["host"] == f"issuer.example:{issuer.port}"


def test_the_certificate_has_to_be_the_name_s(issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    assert "CERTIFICATE_VERIFY_FAILED" in refused(f"https://elsewhere.example:{issuer.port}/keys")


def test_the_next_address_is_tried_when_one_does_not_answer(
    issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    assert fetch(f"https://issuer.example:{issuer.port}/keys", allow_private=True)["keys"]


def test_no_proxy_of_the_environment_is_asked(issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(f"{issuer.url}/keys", allow_private=True)["keys"]


# --- Which keys are used ---


UNUSABLE: dict[str, Any] = {
    "a shared secret": {"kty": "oct", "k": "a" * 43, "kid": "x"},
    "a shared secret that says RS256": {"kty": "oct", "k": "a" * 43, "kid": "x", "alg": "RS256"},
    "for encryption": public_jwk("rsa2048", use="enc"),
    "for wrapping": public_jwk("rsa2048", key_ops=["wrapKey"]),
    "for HS256": public_jwk("rsa2048", alg="HS256"),
    "for none": public_jwk("rsa2048", alg="none"),
    "for another kind": public_jwk("rsa2048", alg="ES256"),
    "for another curve": public_jwk("p384", alg="ES256"),
    "an alg that is a list": public_jwk("rsa2048", alg=["RS256"]),
    "a crv that is a list": public_jwk("p256", crv=["P-256"]),
    "a kty that is an object": public_jwk("rsa2048", kty={}),
    "key_ops that are a number": public_jwk("rsa2048", key_ops=1),
    "small": public_jwk("rsa1024"),
    "private": public_jwk("rsa2048", d="AQAB"),
    "no kid": public_jwk("rsa2048", kid=...),
    "a kid that is a number": public_jwk("rsa2048", kid=1),
    "no modulus": public_jwk("rsa2048", n=...),
    "a modulus that is none": public_jwk("rsa2048", n="!!!"),
    "a modulus of zero": public_jwk("rsa2048", n="AA"),
    "a point that is not on the curve": public_jwk("p256", x="A" * 43),
    "an unknown kind": {"kty": "XYZ", "kid": "x"},
    "no object": "key",
    "null": None,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_that_is_not_for_verifying_is_left_out(name: str) -> None:
    assert list(usable_keys({"keys": [UNUSABLE[name], public_jwk("p256", kid="good")]}, ALL)) == ["good"]


def test_a_kid_of_two_keys_names_neither() -> None:
    keys = [public_jwk("rsa2048", kid="same"), public_jwk("p256", kid="same"), public_jwk("ed25519")]
    assert list(usable_keys({"keys": keys}, ALL)) == ["ed25519"]


@pytest.mark.parametrize("document", [None, [], {}, "keys", {"keys": None}, {"keys": {}}, {"keys": "x"}, 1])
def test_what_is_no_jwk_set_is_none(document: Any) -> None:
    with pytest.raises(Unfetched):
        usable_keys(document, ALL)


def test_the_key_says_the_algorithm_or_its_kind_does() -> None:
    keys = [
        public_jwk("rsa2048", alg="PS384"),
        public_jwk("p256", alg=...),
        public_jwk("p384"),
        public_jwk("ed25519"),
    ]
    names = {kid: key.algorithm_name for kid, key in usable_keys({"keys": keys}, ALL).items()}
    assert names == {"rsa2048": "PS384", "p256": "ES256", "p384": "ES384", "ed25519": "EdDSA"}
