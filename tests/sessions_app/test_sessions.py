"""Sessions are rows: found by who calls with what, and going on whatever process serves."""

import asyncio

from sessions_app.models import Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport import presence
from tests.conftest import wire_for
from tests.wire import Wire


async def sessions_of(user: User) -> list[Session]:
    return [session async for session in user.mcp_sessions.order_by("pk")]


async def test_the_first_call_opens_a_session_and_the_next_continues_it(wire: Wire, alice: User) -> None:
    await wire.ask("tools/list", headers={"user-agent": "pytest/1"})
    presence.forget()
    await wire.ask("tools/list")
    (session,) = await sessions_of(alice)
    assert (session.client_name, session.client_version, session.transport) == ("pytest", "1", "http")
    assert (session.protocol_version, session.ip, session.user_agent) == ("2026-07-28", "127.0.0.1", "pytest/1")
    assert session.label == "alice's key"


async def test_concurrent_first_calls_open_one_session(wire: Wire, alice: User) -> None:
    async def first() -> None:
        presence.forget()
        await wire.ask("tools/list")

    await asyncio.gather(*(first() for _ in range(10)))
    assert len(await sessions_of(alice)) == 1


async def test_another_key_or_client_has_a_session_of_its_own(wire: Wire, alice: User) -> None:
    other_key = await wire_for(alice)
    other_client = Wire(wire.key, client={"name": "other", "version": "1"})
    for client in (wire, other_key, other_client):
        await client.ask("tools/list")
    sessions = await sessions_of(alice)
    assert len({(session.credential, session.client_name) for session in sessions}) == len(sessions) == 3


async def test_an_ended_session_stays_ended_and_the_client_opens_another(wire: Wire, alice: User) -> None:
    await wire.ask("tools/list")
    await identity_pool.run(lambda: Session.objects.all().end("by admin"))
    presence.forget()
    await wire.ask("tools/list")
    first, second = await sessions_of(alice)
    assert (first.end_reason, first.is_live, second.is_live) == ("by admin", False, True)


async def test_public_ids_cannot_be_guessed(wire: Wire, alice: User) -> None:
    await wire.ask("tools/list")
    (session,) = await sessions_of(alice)
    assert len(session.public_id) >= 43
    assert all(0x21 <= ord(char) <= 0x7E for char in session.public_id)


async def test_what_a_client_says_of_itself_is_cut_and_made_harmless(wire: Wire, alice: User) -> None:
    hostile = {"name": "x\r\n\x1b[31m\u202e" + "y" * 500, "version": "1\n2"}
    await Wire(wire.key, client=hostile).ask("tools/list")
    (session,) = await sessions_of(alice)
    assert session.client_name == "x[31m" + "y" * 195
    assert session.client_version == "12"


async def test_a_client_need_not_introduce_itself(wire: Wire, alice: User) -> None:
    message = wire.request("tools/list")
    del message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]
    assert (await wire.post(message)).status == 200
    (session,) = await sessions_of(alice)
    assert session.client_name == ""
