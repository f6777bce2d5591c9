"""The record: one row a call, on every way that a call can take, on each wire; and never an argument's value."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils.html import escape

from project.logs import OneLine
from sessions_app.models import ApiKey, Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport.sockets import sockets
from tests.clients import CLIENTS, Client
from tests.conftest import key_for, wire_for
from tests.control_room import ControlRoom, list_of, make_superuser, page_of
from tests.shop import tools as shop
from tests.socket import SocketWire
from tests.tools_app.calls import HOSTILE, SPELLED_OUT
from tests.wire import Durable, Exchange, Wire, until
from tools_app.models import ToolCall
from tools_app.recorder import recorder

Row = tuple[str, str, str]
CANARY = "hunter2-of-alice"

SUGGEST = {"ref": {"type": "ref/prompt", "name": "suggest"}, "argument": {"name": "drink", "value": "t"}}
HIDDEN = {"ref": {"type": "ref/prompt", "name": "audit"}, "argument": {"name": "drink", "value": CANARY}}

ENDINGS: dict[str, tuple[str, dict[str, Any], Row]] = {
    "tool": ("tools/call", {"name": "echo", "arguments": {"text": CANARY}}, ("tool", "echo", "ok")),
    "writing tool": (
        "tools/call",
        {"name": "manage-preferences", "arguments": {"action": "delete", "key": CANARY}},
        ("tool", "manage-preferences", "error"),
    ),
    "hidden tool": ("tools/call", {"name": "restock", "arguments": {"x": CANARY}}, ("tool", "restock", "refused")),
    "unknown tool": ("tools/call", {"name": "resto", "arguments": {"x": CANARY}}, ("tool", "resto", "refused")),
    "invalid": ("tools/call", {"name": "echo", "arguments": {"txt": CANARY}}, ("tool", "echo", "invalid")),
    "invalid for a writer": (
        "tools/call",
        {"name": "slow-write", "arguments": {"seconds": CANARY}},
        ("tool", "slow-write", "invalid"),
    ),
    "foreseen": ("tools/call", {"name": "refuse"}, ("tool", "refuse", "error")),
    "crashed": ("tools/call", {"name": "crash"}, ("tool", "crash", "crashed")),
    "crashed with arguments": (
        "tools/call",
        {"name": "crash-on", "arguments": {"text": CANARY}},
        ("tool", "crash-on", "crashed"),
    ),
    "timeout": ("tools/call", {"name": "brief", "arguments": {}}, ("tool", "brief", "timeout")),
    "timeout with arguments": (
        "tools/call",
        {"name": "brief-with", "arguments": {"text": CANARY}},
        ("tool", "brief-with", "timeout"),
    ),
    "resource": ("resources/read", {"uri": f"shop://items/{CANARY}"}, ("resource", "item", "ok")),
    "hidden resource": ("resources/read", {"uri": "shop://ledger"}, ("resource", "ledger", "refused")),
    "hidden template": (
        "resources/read",
        {"uri": f"shop://items/{CANARY}/secret"},
        ("resource", "item-secret", "refused"),
    ),
    "unknown resource": ("resources/read", {"uri": f"vault://{CANARY}"}, ("resource", "vault:…", "refused")),
    "no URI": ("resources/read", {"uri": CANARY}, ("resource", "…", "refused")),
    "prompt": ("prompts/get", {"name": "suggest", "arguments": {"drink": CANARY}}, ("prompt", "suggest", "ok")),
    "hidden prompt": (
        "prompts/get",
        {"name": "audit", "arguments": {"x": CANARY}},
        ("prompt", "audit", "refused"),
    ),
    "invalid prompt": (
        "prompts/get",
        {"name": "suggest", "arguments": {"x": CANARY}},
        ("prompt", "suggest", "invalid"),
    ),
    "completion": ("completion/complete", SUGGEST, ("completion", "suggest.drink", "ok")),
    "hidden completion": ("completion/complete", HIDDEN, ("prompt", "audit", "refused")),
}  # fmt: skip


def rows() -> list[ToolCall]:
    return list(ToolCall.objects.order_by("id"))


async def record(recorded: Callable[[], Any]) -> list[ToolCall]:
    await recorded()
    return await identity_pool.run(rows)


def begin(client: Client, name: str) -> Exchange | int:
    """Start a call that leaves itself time to be cancelled."""
    if isinstance(client, SocketWire):
        return client.calling(name, progressToken="p")
    if isinstance(client, Durable):
        return client.begin(name, id=77)
    return client.open(client.request("tools/call", {"name": name, "arguments": {}}, progressToken="p"))


async def begun(client: Client, call: Exchange | int) -> None:
    if isinstance(client, SocketWire):
        await client.line.told("notifications/progress")
    elif isinstance(call, Exchange):
        await call.wait_for("notifications/progress")


async def cancel(client: Client, call: Exchange | int) -> None:
    """Until it is over."""
    if isinstance(client, SocketWire):
        client.cancel(call)
        await until(lambda: not any(socket._work.is_answering for socket in sockets._open))  # type: ignore[attr-defined]
        return
    assert isinstance(call, Exchange)
    if isinstance(client, Durable):
        await client.cancel(77)
    else:
        call.leave()
    await call.wait()


# --- What is kept ---


@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_call_leaves_one_row_whatever_came_of_it(client: Client, recorded: Any, ending: str) -> None:
    method, params, expected = ENDINGS[ending]
    await client.ask(method, params)
    [row] = await record(recorded)
    assert (row.kind, row.name, row.outcome) == expected
    assert bool(row.error_id) == (row.outcome == "crashed")


@pytest.mark.usefixtures("attached", "quick")
async def test_a_cancelled_call_is_in_the_record(client: Client, recorded: Any) -> None:
    call = begin(client, "hold")
    await begun(client, call)
    await cancel(client, call)
    [row] = await record(recorded)
    assert (row.kind, row.name, row.outcome) == ("tool", "hold", "cancelled")


@pytest.mark.usefixtures("attached", "quick")
async def test_a_call_that_wrote_and_was_cancelled_is_in_the_record_once(client: Client, recorded: Any) -> None:
    shop.write_began.clear()
    shop.write_may_end.clear()
    call = begin(client, "held-write")
    await asyncio.to_thread(shop.write_began.wait, 5)
    try:
        await cancel(client, call)
    finally:
        shop.write_may_end.set()
    [row] = await record(recorded)
    assert (row.name, row.outcome) == ("held-write", "cancelled")


async def test_a_row_says_who_called_with_what_from_where_and_when(
    client: Client, alice: User, recorded: Any
) -> None:
    arguments = {"text": "tea"}
    await client.call("echo", arguments)
    [row] = await record(recorded)
    session, key = await alice.mcp_sessions.aget(), await ApiKey.objects.aget()
    assert (row.user_id, row.username, row.credential) == (alice.pk, "alice", f"api-key:{key.pk}")
    assert (row.session_id, row.client_name, row.client_version) == (session.pk, "pytest", "1")
    assert row.ip == "127.0.0.1"
    assert row.arguments_size == len(json.dumps(arguments, separators=(",", ":")))
    assert len(row.arguments_digest) == 32
    assert session.opened_at <= row.started_at
    assert 0 < row.duration_ms < 5000


async def test_two_versions_of_one_client_are_told_apart_in_one_session(alice: User, recorded: Any) -> None:
    key = await identity_pool.run(lambda: key_for(alice))
    for version in ("1.0", "2.0", "1.0"):
        await Wire(key, {"name": "cursor", "version": version}).call("echo", {"text": "x"})
    found = await record(recorded)
    assert [row.client_version for row in found] == ["1.0", "2.0", "1.0"]
    assert len({row.session_id for row in found}) == 1


@pytest.mark.parametrize(
    ("host", "kept"), [("2001:db8::7", "2001:db8::7"), ("fe80::1%eth0", "fe80::1"), ("", None)]
)
async def test_the_address_is_that_of_the_call(wire: Wire, recorded: Any, host: str, kept: str | None) -> None:
    await wire.call("echo", {"text": "x"})
    await wire.call("echo", {"text": "x"}, client=(host, 7))
    await wire.call("manage-preferences", {"action": "list"}, client=(host, 7))
    assert [row.ip for row in await record(recorded)] == ["127.0.0.1", kept, kept]


async def test_a_name_that_is_longer_than_its_column_is_cut(client: Client, recorded: Any) -> None:
    await client.call("x" * 300)
    [row] = await record(recorded)
    assert row.name == "x" * 255


async def test_hostile_names_reach_the_record_as_they_are_and_its_readers_spelled_out(
    wire: Wire, recorded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = await Durable.open(wire.key, client={"name": HOSTILE, "version": "1"})
    await client.call(HOSTILE)
    [row] = await record(recorded)
    assert row.name == HOSTILE
    assert row.client_name.isprintable()
    page = await identity_pool.run(lambda: pages_about(row))
    assert not any(char in page for char in "\x1b\u202e\r")
    assert "<script>alert" not in page
    assert escape(SPELLED_OUT) in page
    for logged in caplog.records:
        assert OneLine().format(logged).partition("\n  ")[0].isprintable()


async def test_what_changed_something_is_in_the_record_when_its_answer_is(client: Client) -> None:
    await client.call("manage-preferences", {"action": "set", "key": "a", "value": 1})
    [row] = await identity_pool.run(rows)  # nothing waited for the batch
    assert (row.name, row.outcome) == ("manage-preferences", "ok")
    assert (row.ip, row.client_name, len(row.arguments_digest)) == ("127.0.0.1", "pytest", 32)


# --- The digest ---


async def digests_of(client: Client, recorded: Any, *calls: tuple[str, dict[str, Any]]) -> list[str]:
    for name, arguments in calls:
        await client.call(name, arguments)
    return [row.arguments_digest for row in await record(recorded)]


async def test_equal_calls_have_equal_digests(client: Client, recorded: Any) -> None:
    one, other = {"value": {"a": 1, "b": [1, 2]}}, {"value": {"b": [1, 2], "a": 1}}
    found = await digests_of(client, recorded, ("any-value", one), ("any-value", other), ("restock", one))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("other", [{"value": "1"}, {"value": [1]}, {"value": None}, {}, {"value": 2}])
async def test_other_arguments_have_another_digest(wire: Wire, recorded: Any, other: dict[str, Any]) -> None:
    first, second = await digests_of(wire, recorded, ("any-value", {"value": 1}), ("any-value", other))
    assert first != second


async def test_nobody_can_find_out_anothers_value_by_calling_with_guesses(
    wire: Wire, bob: User, recorded: Any
) -> None:
    for client in (wire, await wire_for(bob)):
        await client.call("echo", {"text": "the same"})
    alices, bobs = await record(recorded)
    assert alices.arguments_digest != bobs.arguments_digest


async def test_a_digest_is_of_the_server_too(wire: Wire, recorded: Any, settings: Any) -> None:
    await wire.call("echo", {"text": "the same"})
    await recorded()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = (
        [settings.SECRET_KEY],
        "another-key-of-32-characters-or-more",
    )
    await wire.call("echo", {"text": "the same"})
    first, second = await record(recorded)
    assert first.arguments_digest != second.arguments_digest


@pytest.mark.parametrize("length", [4000, 80_000])
async def test_large_arguments_are_digested_like_small_ones(client: Client, recorded: Any, length: int) -> None:
    value = {"value": ["é" * (length // 2), "b"]}
    first, second = await digests_of(client, recorded, ("any-value", value), ("any-value", value))
    assert first == second != ""
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    assert {row.arguments_size for row in await record(recorded)} == {size}


async def test_what_waits_to_be_written_holds_no_arguments(wire: Wire) -> None:
    await wire.call("any-value", {"value": CANARY})
    await wire.ask("prompts/get", {"name": "suggest", "arguments": {"drink": CANARY}})
    assert len(recorder._waiting) == 2
    assert not any(CANARY in repr(entry) for entry in recorder._waiting)


# --- Secrets ---


def every_value() -> str:
    """Whatever is in any column of any table."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found.append(repr(cursor.fetchall()))
    return "\n".join(found)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_no_argument_is_in_a_row_or_a_log_line(
    client: Client, recorded: Any, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    method, params, _ = ENDINGS[ending]
    await client.ask(method, params)
    assert len(await record(recorded)) == 1
    assert CANARY not in await identity_pool.run(every_value)
    assert CANARY not in caplog.text


@pytest.mark.alike
@pytest.mark.parametrize("client", list(CLIENTS)[:1], indirect=True)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_no_argument_is_in_a_page(client: Client, recorded: Any, ending: str) -> None:
    """Rows are alike, whichever way a call came."""
    method, params, _ = ENDINGS[ending]
    await client.ask(method, params)
    [row] = await record(recorded)
    assert CANARY not in await identity_pool.run(lambda: pages_about(row))


def pages_about(row: ToolCall) -> str:
    assert row.session_id is not None
    room = ControlRoom(make_superuser())
    session = Session.objects.get(pk=row.session_id)
    paths = ["/admin/", list_of(ToolCall), page_of(row), list_of(Session), page_of(session)]
    return "\n".join(room.read(path) for path in paths)


async def test_a_guest_sees_of_it_only_what_everybody_may(wire: Wire) -> None:
    assert await Group.objects.filter(permissions__codename__endswith="_toolcall").acount() == 0
