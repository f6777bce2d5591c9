"""Guests: what they see, how often they may call, and that nobody becomes one whose credential is bad."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from project import asgi
from sessions_app.credentials import guest
from sessions_app.limits import Limit
from sessions_app.models import Session
from sessions_app.models import session_queryset as session
from sessions_app.permissions import GUESTS
from sessions_app.pool import identity_pool
from sessions_app.state import state
from sessions_app.transport import places, rules
from tests.wire import Answer, Durable, Exchange, Wire, until
from tools_app.models import ToolCall

PATH = "/mcp/guest"


class GuestWire(Wire):
    def open(self, message: Any, headers: Mapping[str, str | None] | None = None, **scope: Any) -> Exchange:
        return super().open(message, headers, **{"path": PATH, **scope})


class GuestDurable(Durable):
    def open_post(self, message: Any, headers: Mapping[str, str | None] | None = None, **scope: Any) -> Exchange:
        return super().open_post(message, headers, **{"path": PATH, **scope})

    def open_get(self, headers: Mapping[str, str | None] | None = None, **scope: Any) -> Exchange:
        return super().open_get(headers, **{"path": PATH, **scope})


Guest = GuestWire | GuestDurable


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
async def visitor(request: pytest.FixtureRequest, db_for_threads: None, recorded: Any) -> Guest:
    """A guest of either era."""
    return GuestWire(None) if request.param == "2026-07-28" else await GuestDurable.open(None)


async def test_a_guest_sees_what_guests_may_use(visitor: Guest) -> None:
    seen = {tool["name"] for tool in (await visitor.ask("tools/list")).result["tools"]}
    assert {"get-user-profile", "echo"} <= seen
    assert not {"manage-preferences", "restock"} & seen
    hidden, unknown = await visitor.call("manage-preferences"), await visitor.call("no-such-tool")
    assert hidden.error == unknown.error | {"message": "Unknown tool: manage-preferences"}


async def test_a_guest_has_the_seed_s_profile(visitor: Guest) -> None:
    profile = (await visitor.call("get-user-profile")).result["structuredContent"]
    assert (profile["userId"], profile["username"], profile["role"]) == ("guest", "Guest User", "guest")
    assert profile["permissions"][0] == "read"
    assert "admin" not in profile["permissions"]


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-session-token"])
@pytest.mark.parametrize("value", ["good", "Bearer nonsense", "", "Basic Zm9v"])
async def test_who_presents_a_credential_is_no_guest(wire: Wire, header: str, value: str) -> None:
    if value == "good":
        value = f"Bearer {wire.key}" if header == "authorization" else str(wire.key)
    for visitor in (GuestWire(None), GuestDurable(None)):
        answer = await visitor.ask("tools/list", headers={header: value})
        assert (answer.status, answer.error["code"]) == (400, -32600)
        assert "no credential" in answer.error["message"]


async def test_nobody_becomes_a_guest_elsewhere(db_for_threads: None) -> None:
    for key in (None, "nonsense"):
        assert (await Wire(key).ask("tools/list")).status == 401
        assert (await Durable(key).initialize()).status == 401


async def test_of_2026_nothing_is_kept_and_of_2025_a_session_each(db_for_threads: None, recorded: Any) -> None:
    for _ in range(2):
        assert (await GuestWire(None).call("echo", {"text": "x"})).text == "x"
    assert not await Session.objects.aexists()
    first, second = [await GuestDurable.open(None) for _ in range(2)]
    assert first.session_id != second.session_id
    assert [session.user_id async for session in Session.objects.all()] == [None, None]
    await recorded()
    calls = [(call.user_id, call.username, call.session_id) async for call in ToolCall.objects.all()]
    assert calls == [(None, "Guest User", None)] * 2


async def test_a_guest_s_session_is_nobody_else_s(wire: Wire, db_for_threads: None, recorded: Any) -> None:
    mine = await GuestDurable.open(None)
    elsewhere = await mine.ask("ping", client=("192.0.2.9", 5))
    unknown = await mine.with_id("A" * 43).ask("ping", client=("192.0.2.9", 5))
    assert (elsewhere.status, elsewhere.body) == (404, unknown.body.replace(b'"id":2', b'"id":1'))
    durable = Durable(wire.key, session_id=mine.session_id)
    assert (await durable.ask("ping")).status == 404
    theirs = await Durable.open(wire.key)
    assert (await mine.with_id(theirs.session_id).ask("ping")).status == 404
    assert (await mine.ask("ping")).status == 200


async def test_guests_are_counted_by_address(
    db_for_threads: None, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "GUEST", Limit("guest", 3, 60))
    visitors = [GuestWire(None), GuestWire(None, {"name": "another", "version": "1"})]
    statuses = [(await visitor.ask("tools/list")).status for visitor in visitors * 2]
    assert statuses == [200, 200, 200, 429]
    assert (await GuestDurable(None).initialize()).status == 429

    async def from_there(address: str) -> int:
        return (await GuestWire(None).ask("tools/list", client=(address, 5))).status

    assert [await from_there("2001:db8::1") for _ in range(3)] == [200] * 3
    assert await from_there("2001:db8::2") == 429  # the same subscriber
    assert await from_there("2001:db8:0:1::1") == 200


async def test_a_header_makes_no_new_guest(
    db_for_threads: None, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "GUEST", Limit("guest", 2, 60))
    forwarded = [{name: f"192.0.2.{n}"} for n, name in enumerate(["x-forwarded-for", "x-real-ip", "forwarded"])]
    statuses = [(await GuestWire(None).ask("tools/list", headers=headers)).status for headers in forwarded]
    assert statuses == [200, 200, 429]


async def test_what_guests_may_is_decided_in_the_admin(visitor: Guest) -> None:
    guests = await Group.objects.aget(name=GUESTS)
    restock = await Permission.objects.aget(codename="call_restock")
    assert "error" in (await visitor.call("restock")).messages[-1]
    await identity_pool.run(lambda: guests.permissions.add(restock))
    assert (await visitor.call("restock")).text
    await identity_pool.run(lambda: guests.permissions.clear())
    assert (await visitor.ask("tools/list")).result["tools"] == []


async def test_what_takes_an_account_tells_a_guest_so(visitor: Guest) -> None:
    guests = await Group.objects.aget(name=GUESTS)
    permission = await Permission.objects.aget(codename="call_manage-preferences")
    await identity_pool.run(lambda: guests.permissions.add(permission))
    answer = await visitor.call("manage-preferences", {"action": "get"})
    assert answer.result["isError"] is True
    assert answer.text == "This takes an account, and guests have none."


async def test_a_long_call_of_a_guest_goes_on_until_guests_may_not(visitor: Guest, quick: None) -> None:
    assert (await visitor.call("wait", {"seconds": 0.1})).text
    call = asyncio.ensure_future(visitor.call("wait", {"seconds": 5}))
    await until(lambda: state._running)  # type: ignore[attr-defined]
    await asyncio.sleep(0.05)
    guests = await Group.objects.aget(name=GUESTS)
    await identity_pool.run(lambda: guests.permissions.clear())
    assert (await call).status == 403


async def test_guests_listen(db_for_threads: None, recorded: Any, quick: None) -> None:
    durable = await GuestDurable.open(None)
    stream = await durable.get()
    wire = GuestWire(None)
    listen = wire.open(wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await listen.wait_for("acknowledged")
    guests = await Group.objects.aget(name=GUESTS)
    await identity_pool.run(lambda: guests.permissions.clear())
    for end in (stream, listen):
        await end.wait_for("tools/list_changed")
        end.leave()
        await end.wait()


async def test_guests_can_be_switched_off(db_for_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(asgi.ROUTES, PATH)
    answer: Answer = await GuestWire(None).ask("tools/list")
    assert answer.status == 404


def test_an_owner_without_an_account_is_his_address() -> None:
    principal = guest.principal("192.0.2.0/24", frozenset())
    assert principal.owner == "guest:192.0.2.0/24"


async def test_what_is_no_request_has_a_limit_too(
    db_for_threads: None, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "GUEST_MESSAGES", Limit("guest-messages", 5, 60))
    durable = await GuestDurable.open(None)  # its second message is the first that counts
    answers = [await durable.reply("A" * 22, {}) for _ in range(5)]
    assert [answer.status for answer in answers] == [400] * 4 + [429]
    assert (await durable.ask("ping")).status == 200


async def test_guests_shut_nobody_out(wire: Wire, recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_IN_ALL", 8)
    monkeypatch.setattr(places, "MOST", 8)
    visitors = [await GuestDurable.open(None) for _ in range(2)]
    full = await GuestDurable(None).initialize()
    assert (full.status, full.headers["retry-after"]) == (503, "60")
    streams = [await visitor.get() for visitor in visitors]
    listen = GuestWire(None).request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    assert (await GuestWire(None).post(listen)).status == 503
    member = await Durable.open(wire.key)
    streams.append(await member.get())
    for stream in streams:
        stream.leave()
        await stream.wait()


async def test_a_guest_s_session_lasts_an_hour_and_ends_at_once(db_for_threads: None, recorded: Any) -> None:
    visitor = await GuestDurable.open(None)
    row = await Session.objects.aget()
    assert row.expires_at - row.opened_at < timedelta(hours=1, seconds=1)
    await identity_pool.run(lambda: Session.objects.all().end("by admin"))
    assert (await visitor.ask("ping")).status == 404
