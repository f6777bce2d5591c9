"""What an open socket rests on, whatever that is: it ends with it, though nobody says a word."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from sessions_app.callers import callers
from sessions_app.models import Session, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from tests.issuer import OutsideIssuer
from tests.sessions_app.conftest import nothing_left
from tests.sessions_app.test_kinds import MAKERS, Kind, access_token, outside_token
from tests.socket import SocketWire, dial
from tests.wire import Wire

pytestmark = pytest.mark.usefixtures("quick")

OPEN = {"2026-07-28": SocketWire.open, "2025-11-25": SocketWire.shake_hands}
SOON = 1.0
"""Seconds, within which an idle socket is closed."""


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


@pytest.fixture(params=OPEN)
async def client(request: pytest.FixtureRequest, kind: Kind) -> AsyncIterator[SocketWire]:
    """alice's, with each kind of credential, of each era. When its test is over, nothing of it is left."""
    opened = await OPEN[request.param](kind.secret)
    await opened.ask("tools/list")
    yield opened
    await opened.leave()
    await nothing_left()


async def closed(client: SocketWire) -> int:
    async with asyncio.timeout(SOON):
        return (await client.line.over())[0]


async def row_that_ended() -> Session:
    async with asyncio.timeout(5):
        while (row := await Session.objects.aget()).ended_at is None:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    return row


def expire(kind: Kind, alice: User) -> None:
    kind.expire()


def revoke(kind: Kind, alice: User) -> None:
    assert kind.revoke()


def deactivate(kind: Kind, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)  # behind our back


@pytest.mark.parametrize("end", [expire, revoke, deactivate])
async def test_an_idle_socket_ends_with_its_credential(
    client: SocketWire, kind: Kind, alice: User, end: Callable[[Kind, User], None]
) -> None:
    await identity_pool.run(lambda: end(kind, alice))
    assert await closed(client) == 4401
    assert (await row_that_ended()).end_reason == "The credential is not valid any more"


async def test_ending_and_revoking_its_session_keeps_it_out(client: SocketWire, kind: Kind) -> None:
    row = await Session.objects.aget()
    assert await identity_pool.run(lambda: row.end_and_revoke("by alice: lost laptop"))
    assert await closed(client) in (4401, 4403)
    assert (await row_that_ended()).end_reason == "by alice: lost laptop"
    callers.forget()
    assert (await dial(kind.secret).opened()).answer.status == 401


async def test_a_password_that_was_changed_closes_what_was_opened_with_the_old_one(
    client: SocketWire, kind: Kind, alice: User
) -> None:
    def change() -> None:
        alice.set_password("battery staple")
        alice.tokens_valid_after = timezone.now() + timedelta(seconds=1)
        alice.save()

    await identity_pool.run(change)
    if kind.is_got_for_a_password:
        assert await closed(client) == 4401
    else:
        assert (await client.call("echo", {"text": "on"})).text == "on"


@pytest.mark.parametrize("kind", [access_token, outside_token], indirect=True)
async def test_an_idle_socket_ends_when_its_jwt_runs_out(
    client: SocketWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr("sessions_app.jwt.claims.time.time", lambda: now() + 3600)
    assert await closed(client) == 4401


async def test_what_was_withdrawn_before_its_first_message_serves_none(kind: Kind) -> None:
    client = await SocketWire.open(kind.secret)
    await identity_pool.run(kind.revoke)
    client.begin("tools/list")
    assert await closed(client) == 4401
    assert client.line.messages == []
    assert not await Session.objects.aexists()


# --- With a key -----------------------------------------------------------------------------------


@pytest.fixture
def key(wire: Wire) -> str:
    assert wire.key
    return wire.key


@pytest.mark.parametrize("era", OPEN)
async def test_a_socket_lasts_no_longer_than_a_session_may(key: str, era: str) -> None:
    client = await OPEN[era](key)
    await client.ask("tools/list")
    await Session.objects.aupdate(expires_at=timezone.now())
    assert await closed(client) == 4403


async def test_an_end_while_the_server_asks_ends_the_question(key: str, alice: User) -> None:
    client = await SocketWire.shake_hands(key)
    called = client.calling("ask-and-write", {"text": "Tea"})
    await client.line.told("elicitation/create")
    await identity_pool.run(lambda: alice.api_keys.get().revoke("lost"))
    assert await closed(client) == 4401
    assert called not in [message.get("id") for message in client.line.messages]
    assert not await alice.preferences.aexists()
    await nothing_left()


async def test_what_was_granted_meanwhile_does_no_harm(key: str, alice: User) -> None:
    client = await SocketWire.shake_hands(key)
    called = client.calling("ask", {"text": "Tea"})
    question = await client.line.told("elicitation/create")
    await identity_pool.run(lambda: alice.groups.add(Group.objects.get(name=ADMINISTRATORS)))
    client.reply(question["id"], {"action": "accept", "content": {"sure": True}})
    assert (await client.answer_to(called)).text == "Tea: yes"
    await client.leave()


async def test_a_neighbour_s_guesses_do_not_silence_an_open_socket(key: str) -> None:
    """It was let in; that nobody has met its caller in the last minute makes him no stranger."""
    client = await SocketWire.shake_hands(key)
    called = client.calling("ask", {"text": "Tea"})
    question = await client.line.told("elicitation/create")
    guesser = Wire("cgk_000000000000_" + "A" * 49)
    while (await guesser.ask("tools/list")).status != 429:
        pass
    callers.forget()  # as after a minute
    client.reply(question["id"], {"action": "accept", "content": {"sure": True}})
    assert (await client.answer_to(called)).text == "Tea: yes"
    callers.forget()
    assert (await client.call("echo", {"text": "on"})).text == "on"
    callers.forget()
    assert (await dial(key).opened()).answer.status == 429  # who comes anew is one
    await client.leave()


@pytest.mark.parametrize("refused", ["cgk_000000000000_" + "A" * 49, "x", "cgt_"])
async def test_guesses_are_counted_at_this_door_too(key: str, refused: str) -> None:
    lines = [await dial(refused).opened() for _ in range(65)]
    assert [line.answer.status for line in lines] == [401] * 61 + [429] * 4
    assert (await Wire(refused).ask("tools/list")).status == 429
