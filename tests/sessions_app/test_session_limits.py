"""How many sessions there may be, how long they last, and what is noted of their use."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import Session, User, session_room
from sessions_app.models import session_queryset as session_module
from sessions_app.models.session import ACTIVITY_IS_NOTED_EVERY
from sessions_app.models.session_lifetime import IDLE_LIFETIME
from sessions_app.pool import background_pool
from sessions_app.transport import presence
from sessions_app.transport.ends import ends
from tests.sessions_app.conftest import durable_for, row_of
from tests.wire import Durable, Wire, until


async def live() -> set[str]:
    return {session.public_id async for session in Session.objects.live()}


async def quiet_for(client: Durable, **time: float) -> None:
    quiet = Session.objects.filter(public_id=client.session_id)
    await quiet.aupdate(last_activity_at=timezone.now() - timedelta(**time))
    presence.forget()


async def test_one_too_many_ends_the_quietest_of_its_own_caller(
    wire: Wire, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 3)
    strangers = [await durable_for(bob), await durable_for(alice)]  # another user's, and another key's
    for stranger in strangers:
        await quiet_for(stranger, hours=9)
    mine = [await Durable.open(wire.key) for _ in range(3)]
    await quiet_for(mine[1], hours=1)
    newest = await Durable.open(wire.key)
    assert await live() == {client.session_id for client in (*strangers, mine[0], mine[2], newest)}
    ended = await row_of(mine[1])
    assert ended.end_reason == "more than 3 sessions of one credential"
    assert (await mine[1].ask("ping")).status == 404
    for client in (*strangers, mine[0], mine[2], newest):
        assert (await client.ask("ping")).result == {}


async def test_sessions_of_the_stateless_era_count_too(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 2)
    first = await Durable.open(wire.key)
    await quiet_for(first, hours=1)
    await wire.call("echo", {"text": "x"})
    await Wire(wire.key, {"name": "another", "version": "1"}).call("echo", {"text": "x"})
    names = {session.client_name: session.protocol_version async for session in Session.objects.live()}
    assert names == {"pytest": "2026-07-28", "another": "2026-07-28"}
    assert (await first.ask("ping")).status == 404
    presence.forget()
    await wire.call("echo", {"text": "x"})  # one that goes on needs no room
    assert len(await live()) == 2


async def test_the_calls_of_a_session_that_made_room_end_with_it(
    wire: Wire, attached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 1)
    old = await Durable.open(wire.key)
    call = old.begin("wait", {"seconds": 5})
    await until(lambda: ends._calls)
    await Durable.open(wire.key)
    assert (await call.wait()).status == 404


async def test_a_full_server_says_so_to_newcomers_of_both_eras(
    wire: Wire, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, ended = await Durable.open(wire.key), await durable_for(bob)
    await ended.delete()
    bobs = await durable_for(bob)
    monkeypatch.setattr(session_module, "MOST_IN_ALL", 2)
    session_room.of_everybody.forget()
    for answer in (await Durable(wire.key).initialize(), await wire.call("echo", {"text": "x"})):
        assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, -32603, "60")
        assert "mcp-session-id" not in answer.headers
    assert len(await live()) == 2
    assert (await client.ask("ping")).status == 200
    await bobs.delete()
    assert (await wire.call("echo", {"text": "x"})).text == "x"


async def test_what_is_over_by_the_clock_takes_no_room(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 1)
    monkeypatch.setattr(session_module, "MOST_IN_ALL", 1)
    session_room.of_everybody.forget()
    old = await Durable.open(wire.key)
    await quiet_for(old, seconds=IDLE_LIFETIME.total_seconds())
    await Durable.open(wire.key)
    assert (await row_of(old)).end_reason == ""  # nobody had to end it


async def test_a_stateless_client_that_was_quiet_for_too_long_begins_anew(wire: Wire) -> None:
    for over in ({"last_activity_at": timezone.now() - IDLE_LIFETIME}, {"expires_at": timezone.now()}):
        await wire.call("echo", {"text": "x"})
        old = await Session.objects.live().aget()
        await Session.objects.filter(pk=old.pk).aupdate(**over)
        presence.forget()
        await wire.call("echo", {"text": "x"})
        assert (await Session.objects.live().aget()).pk != old.pk
        await old.arefresh_from_db()
        assert old.end_reason == "expired"


@pytest.mark.parametrize(("seconds", "is_noted"), [(59, False), (61, True)])
async def test_activity_is_noted_once_a_minute(durable: Durable, seconds: float, is_noted: bool) -> None:
    assert timedelta(minutes=1) == ACTIVITY_IS_NOTED_EVERY
    await quiet_for(durable, seconds=seconds)
    before = (await row_of(durable)).last_activity_at
    for send in (durable.ask("ping"), durable.notify("notifications/initialized")):
        await send
    await background_pool.run(lambda: None)  # behind what notes it
    assert ((await row_of(durable)).last_activity_at > before) is is_noted


async def test_no_activity_revives_what_is_over(durable: Durable, recorded: Any) -> None:
    await durable.call("echo", {"text": "x"})
    await quiet_for(durable, seconds=IDLE_LIFETIME.total_seconds())
    assert (await durable.call("echo", {"text": "x"})).status == 404
    session = await row_of(durable)
    await background_pool.run(session.note_activity)
    assert not (await row_of(durable)).is_live


async def test_calls_are_counted_in_their_session(durable: Durable, recorded: Any) -> None:
    other = await Durable.open(durable.key)
    for name in ("echo", "refuse", "crash"):
        await durable.call(name, {"text": "x"} if name == "echo" else {})
    await other.call("echo", {"text": "x"})
    await recorded()
    session, others = await row_of(durable), await row_of(other)
    assert (session.calls, session.errors, others.calls, others.errors) == (3, 2, 1, 0)
    assert session.last_call_at is not None
