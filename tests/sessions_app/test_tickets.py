"""Tickets: a page opens one socket as whoever asked for it, and the socket may what that one may by then."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session as SignIn
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from sessions_app import authority, credentials, tokens
from sessions_app.callers import callers
from sessions_app.limits import BAD_CREDENTIAL
from sessions_app.models import ApiKey, Session, TokenFamily, User, WebSocketTicket
from sessions_app.pool import identity_pool, opening_pool
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.socket import Line, SocketWire, dial
from tests.wire import Answer, Wire

ORIGIN = "http://127.0.0.1:8000"


async def in_thread[T](work: Callable[[], T]) -> T:
    return await identity_pool.run(work)


def ticket_for(rest: Rest) -> dict[str, Any]:
    answer = rest.post("websocket-tickets/", {})
    assert answer.status == 201, answer
    body: dict[str, Any] = answer.data
    return body


async def page(offered: Any, origin: str | None = ORIGIN, **headers: str | None) -> Line:
    """As a browser does it: an Origin, no credential, the ticket beside the subprotocol."""
    return await dial(None, {"origin": origin, **headers}, subprotocols=offered).opened()


async def refused(line: Line) -> Answer:
    await line.over()
    assert line.answer.status != 101
    return line.answer


def test_who_is_known_gets_one(alice: User) -> None:
    body = ticket_for(Rest(key_for(alice)))
    assert body["subprotocols"] == ["mcp", body["ticket"]]
    assert (body["url"], body["expires_in"]) == ("ws://127.0.0.1:8000/ws/mcp", 30)
    row = WebSocketTicket.objects.get()
    assert timedelta(seconds=25) < row.expires_at - timezone.now() <= timedelta(seconds=30)
    assert body["ticket"] not in (row.digest, row.proof)


def test_it_is_not_cached_and_takes_nothing(alice: User) -> None:
    rest = Rest(key_for(alice))
    assert rest.post("websocket-tickets/").headers["cache-control"] == "no-store"
    assert rest.post("websocket-tickets/", {"lifetime": 3600}).status == 400
    assert rest.post("websocket-tickets/?for=bob", {}).status == 400
    assert rest.get("websocket-tickets/").status == 405


def test_a_cookie_alone_does_not_get_one(alice: User) -> None:
    assert browser(alice, csrf=False).post("websocket-tickets/", {}).status == 403
    assert Rest().post("websocket-tickets/", {}).status == 401


async def test_it_opens_a_socket_once(alice: User) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    line = await page(body["subprotocols"])
    assert (line.answer.status, line.subprotocol) == (101, "mcp")
    client = SocketWire(line, Wire(None))
    profile = (await client.call("get-user-profile")).result["structuredContent"]
    assert profile["username"] == "alice"
    session, key = await Session.objects.aget(), await ApiKey.objects.aget()
    assert session.credential == key.credential
    again = await refused(await page(body["subprotocols"]))
    assert (again.status, again.error["message"]) == (401, "The credential is not valid.")
    await client.leave()


async def test_of_many_at_once_one_opens(alice: User) -> None:
    secret = await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"])
    token, start = tokens.parse(secret), threading.Barrier(8)
    assert token is not None

    def redeem(_: int) -> str | None:
        start.wait(5)
        return WebSocketTicket.redeem(token)

    def all_at_once() -> list[str | None]:
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(with_connection_closed(redeem), range(8)))

    assert sorted(proof is None for proof in await in_thread(all_at_once)) == [False] + [True] * 7


def with_connection_closed(work: Callable[[int], str | None]) -> Callable[[int], str | None]:
    from django.db import connection

    def worked(number: int) -> str | None:
        try:
            return work(number)
        finally:
            connection.close()

    return worked


async def test_what_is_none_opens_nothing(alice: User) -> None:
    good = await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"])
    key = await in_thread(lambda: key_for(alice, scopes=[]))
    wrong = f"{good[:-1]}{'a' if good[-1] != 'a' else 'b'}"
    bad = [refused(await page(["mcp", offered])) for offered in (wrong, "cgt_", tokens.mint(tokens.TICKET).value)]
    answers = [await answer for answer in bad]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    # Another secret where a ticket belongs is only a subprotocol that nobody knows.
    assert (await refused(await page(["mcp", key]))).error["message"].startswith("A credential is required")
    assert (await page(["mcp", good])).answer.status == 101


async def test_a_mistyped_one_waits_for_nobody(alice: User) -> None:
    """Not for who opens a session, and no query is made for it."""
    good, done = await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"]), threading.Event()
    busy = opening_pool.submit(lambda: done.wait(10))
    assert (await refused(await page(["mcp", f"{good}0"]))).status == 401
    assert not busy.done()
    done.set()


async def test_whoever_guesses_is_soon_not_looked_up(alice: User) -> None:
    good = await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"])
    for _ in range(BAD_CREDENTIAL.most + 1):
        assert (await refused(await page(["mcp", tokens.mint(tokens.TICKET).value]))).status == 401
    answer = await refused(await page(["mcp", good]))
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= BAD_CREDENTIAL.seconds
    callers.pardon()
    assert (await page(["mcp", good])).answer.status == 101  # nor was it used up


async def test_the_log_says_why_it_was_refused(alice: User, caplog: Any) -> None:
    unknown = tokens.mint(tokens.TICKET)
    await refused(await page(["mcp", unknown.value]))
    assert f"WebSocket ticket cgt_{unknown.public_id} is unknown, expired or used" in caplog.text
    assert unknown.value not in caplog.text


@pytest.mark.parametrize(
    ("origin", "status"), [(None, 403), ("http://evil.example", 403), ("null", 403), (ORIGIN, 101)]
)
async def test_only_a_page_of_ours_may_use_it(alice: User, origin: str | None, status: int) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    assert (await page(body["subprotocols"], origin)).answer.status == status


async def test_it_is_a_credential_like_another_and_only_one_is_taken(alice: User) -> None:
    first, second = [await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"]) for _ in range(2)]
    key = await in_thread(lambda: key_for(alice))
    assert (await refused(await page(["mcp", first, second]))).status == 400
    assert (await refused(await page(["mcp", first], authorization=f"Bearer {key}"))).status == 400
    assert (await refused(await page([first]))).error["message"].startswith("Offer the subprotocol mcp")


async def test_nothing_else_takes_it(alice: User) -> None:
    secret = await in_thread(lambda: ticket_for(Rest(key_for(alice)))["ticket"])
    assert (await Wire(secret).ask("tools/list")).status == 401
    assert (await in_thread(lambda: Rest(secret).get("keys/"))).status == 401
    assert (await refused(await dial(secret).opened())).status == 401


@pytest.mark.parametrize("door", ["/mcp", "/ws/mcp"])
async def test_nobody_becomes_its_owner_by_guessing_what_it_stands_for(alice: User, door: str) -> None:
    """What is remembered of a ticket is found by nothing that a header may hold."""
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    proof = (await ApiKey.objects.aget()).credential
    for guess in (proof, f"proof/{proof}", body["ticket"]):
        if door == "/mcp":
            assert (await Wire(guess).ask("tools/list")).status == 401
        else:
            assert (await refused(await dial(guess).opened())).status == 401
    await client.leave()


async def test_it_is_past_after_half_a_minute(alice: User) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    await WebSocketTicket.objects.aupdate(expires_at=timezone.now())
    assert (await refused(await page(body["subprotocols"]))).status == 401


def test_what_nobody_used_is_cleaned_up(alice: User) -> None:
    rest = Rest(key_for(alice))
    ticket_for(rest)
    WebSocketTicket.objects.update(expires_at=timezone.now())
    ticket_for(rest)
    assert WebSocketTicket.objects.count() == 1  # whoever asks again takes his old ones away
    WebSocketTicket.objects.update(expires_at=timezone.now())
    call_command("cleanup", verbosity=0)
    assert not WebSocketTicket.objects.exists()


async def test_it_survives_a_new_secret_key(alice: User, settings: Any) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, as long as keys have to be"
    assert (await page(body["subprotocols"])).answer.status == 101


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


LOST: dict[str, Callable[[User], Any]] = {
    "its key is revoked": lambda user: user.api_keys.get().revoke("lost"),
    "its user is deactivated": deactivate,
}


@pytest.mark.parametrize("lose", LOST.values(), ids=list(LOST))
async def test_it_is_worth_what_it_was_asked_for_with(alice: User, lose: Callable[[User], Any]) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    await in_thread(lambda: lose(alice))
    assert (await refused(await page(body["subprotocols"]))).status == 401


@pytest.mark.parametrize("lose", LOST.values(), ids=list(LOST))
async def test_its_socket_ends_with_that(alice: User, lose: Callable[[User], Any]) -> None:
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice))))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    await in_thread(lambda: lose(alice))
    assert (await client.line.over())[0] == 4401


async def test_a_narrow_key_s_is_as_narrow(alice: User) -> None:
    scopes = ["tools_app.call_echo"]
    body = await in_thread(lambda: ticket_for(Rest(key_for(alice, scopes=scopes))))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    assert [tool["name"] for tool in (await client.ask("tools/list")).result["tools"]] == ["echo"]
    await client.leave()


async def test_a_jwt_s_ends_with_its_family(alice: User) -> None:
    from sessions_app.jwt import own

    family = await in_thread(lambda: TokenFamily.open(alice)[0])
    body = await in_thread(lambda: ticket_for(Rest(own.issue(family))))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    await in_thread(lambda: family.revoke("over"))
    assert (await client.line.over())[0] == 4401


# --- Who is signed in by a cookie ---


def cookie_of(page: Rest) -> str:
    """Its value."""
    cookies = dict(part.split("=", 1) for part in (page.headers["cookie"] or "").split("; "))
    return cookies["sessionid"]


def sign_out(user: User, page: Rest) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)  # the admin signs out only whom it lets in
    signed_in = Browser()
    signed_in.cookies["sessionid"] = cookie_of(page)
    assert signed_in.post("/admin/logout/").status_code in (200, 302)


def new_password(user: User, page: Rest) -> None:
    user.set_password("another battery")
    user.save()


def past(user: User, page: Rest) -> None:
    SignIn.objects.filter(session_key=cookie_of(page)).update(expire_date=timezone.now())
    callers.forget()  # a clock tells nobody: within a second


ENDS: dict[str, Callable[[User, Rest], Any]] = {
    "signed out": sign_out,
    "a new password": new_password,
    "deactivated": lambda user, page: deactivate(user),
    "its sign-in is past": past,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
async def test_a_page_s_socket_ends_with_the_sign_in(alice: User, end: Callable[[User, Rest], Any]) -> None:
    rest = await in_thread(lambda: browser(alice))
    body, unused = [await in_thread(lambda: ticket_for(rest)) for _ in range(2)]
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    await in_thread(lambda: end(alice, rest))
    assert (await client.line.over())[0] == 4401
    assert (await refused(await page(unused["subprotocols"]))).status == 401


async def test_another_browser_s_sign_out_ends_nothing_here(alice: User) -> None:
    here, there = [await in_thread(lambda: browser(alice)) for _ in range(2)]
    body = await in_thread(lambda: ticket_for(here))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    await client.ask("tools/list")
    await in_thread(lambda: sign_out(alice, there))
    assert (await client.call("echo", {"text": "on"})).text == "on"
    await client.leave()


async def test_a_sign_in_lasts_as_long_as_its_secret_key(alice: User, settings: Any, quick: None) -> None:
    rest = await in_thread(lambda: browser(alice))
    body = await in_thread(lambda: ticket_for(rest))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, as long as keys have to be"
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    assert (await client.call("echo", {"text": "on"})).text == "on"
    settings.SECRET_KEY_FALLBACKS = []
    assert (await client.line.over())[0] == 4401


def test_of_sign_ins_that_are_past_nobody_is_told(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    past, lasting = [SignIn.objects.get(session_key=cookie_of(browser(alice))) for _ in range(2)]
    told: list[Any] = []
    monkeypatch.setattr(authority, "tell", told.append)
    past.expire_date = timezone.now()
    past.save()
    call_command("cleanup", verbosity=0)
    assert not SignIn.objects.filter(pk=past.pk).exists()
    assert told == []
    lasting.delete()
    assert told == [(alice.pk,)]


def test_no_text_of_who_is_signed_in_has_the_cookie_s_value(alice: User) -> None:
    principal = credentials.browser.principal(alice, "the-cookie-s-value")
    assert principal.proof == "browser:the-cookie-s-value"
    assert "the-cookie-s-value" not in f"{principal} {principal!r}"


async def test_the_cookie_s_value_is_nowhere(alice: User, recorded: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    rest = await in_thread(lambda: browser(alice))
    body = await in_thread(lambda: ticket_for(rest))
    client = SocketWire(await page(body["subprotocols"]), Wire(None))
    profile = await client.call("get-user-profile")
    value = cookie_of(rest)
    session = await Session.objects.aget()
    assert session.credential == "browser"
    assert value not in f"{vars(session)} {profile.body!r} {body}"
    assert not await in_thread(lambda: session.end_and_revoke("lost"))
    assert (await client.line.over())[0] in (4401, 4403)
    assert value not in caplog.text
    assert body["ticket"] not in caplog.text


def test_many_sign_ins_are_looked_up_at_once(alice: User, bob: User, django_assert_max_num_queries: Any) -> None:
    proofs = [f"browser:{cookie_of(browser(user))}" for user in (alice, alice, bob)]
    with django_assert_max_num_queries(6):
        current = credentials.current([*proofs, "browser:nobody"])
    assert sorted(principal.username for principal in current.values()) == ["alice", "alice", "bob"]
    assert current[proofs[0]].permissions == alice.permission_names()
