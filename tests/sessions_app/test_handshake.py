"""`initialize` and what it settles: sessions of the 2025 revisions are rows before their clients hear of them."""

from typing import Any

import pytest

from sessions_app.models import Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport import http_carrier
from sessions_app.transport.response import respond
from tests.sessions_app.conftest import row_of
from tests.wire import HANDSHAKE_VERSIONS, Durable, Wire

NEW_IN_2026 = ("resultType", "_meta", "ttlMs", "cacheScope")
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {}),
    ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
    ("tools/call", {"name": "count", "arguments": {"to": 1}}),
    ("tools/call", {"name": "refuse"}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "shop://menu"}),
    ("resources/subscribe", {"uri": "shop://menu"}),
    ("resources/unsubscribe", {"uri": "shop://menu"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "suggest", "arguments": {"drink": "tea"}}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "suggest"}, "argument": {"name": "drink", "value": "t"}},
    ),
    ("logging/setLevel", {"level": "error"}),
    ("ping", {}),
]


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
async def test_a_revision_is_agreed_upon(wire: Wire, version: str) -> None:
    client = Durable(wire.key, version, client={"name": "pytest", "title": "Tests", "version": "7"})
    answer = await client.initialize()
    assert (answer.status, answer.messages[0]["id"]) == (200, 0)
    assert answer.result["protocolVersion"] == version
    assert answer.result["serverInfo"]["name"] == "concierge"
    assert answer.result["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
    assert (
        answer.result["capabilities"]["tools"] == answer.result["capabilities"]["prompts"] == {"listChanged": True}
    )
    assert answer.result["capabilities"]["logging"] == {}
    assert not answer.result.keys() & set(NEW_IN_2026)
    session = await row_of(client.with_id(answer.headers["mcp-session-id"]))
    assert (session.protocol_version, session.transport, session.ip) == (version, "http", "127.0.0.1")
    assert (session.client_name, session.client_version) == ("pytest", "7")


async def test_a_revision_that_is_not_known_gets_the_newest_that_shakes_hands(wire: Wire) -> None:
    for unknown in ("2026-07-28", "2099-01-01", "1", ""):
        answer = await Durable(wire.key).initialize(protocolVersion=unknown)
        assert answer.result["protocolVersion"] == "2025-11-25", unknown
    assert {session.protocol_version async for session in Session.objects.all()} == {"2025-11-25"}


async def test_the_row_is_committed_before_the_client_hears_of_it(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Session] = []

    async def after_a_look(send: Any, status: int, body: bytes | None, headers: Any) -> None:
        ids = [value.decode() for name, value in headers if name == b"mcp-session-id"]
        seen.extend(await identity_pool.run(lambda: list(Session.objects.filter(public_id__in=ids))))
        await respond(send, status, body, headers)

    monkeypatch.setattr(http_carrier, "respond", after_a_look)
    client = await Durable.open(wire.key, "2025-06-18")
    (session,) = seen
    assert (session.public_id, session.protocol_version) == (client.session_id, "2025-06-18")
    assert "elicitation" in session.capabilities


async def test_ids_cannot_be_guessed_and_go_into_a_header(wire: Wire) -> None:
    ids = {(await Durable.open(wire.key)).session_id or "" for _ in range(3)}
    assert len(ids) == 3
    for session_id in ids:
        assert len(session_id) * 6 >= 128  # base64: six bits a character
        assert all(0x21 <= ord(char) <= 0x7E for char in session_id)


async def test_who_says_too_little_of_himself_gets_no_session(wire: Wire) -> None:
    wrong: list[dict[str, Any]] = [
        {"clientInfo": ...},
        {"clientInfo": None},
        {"clientInfo": {"name": "no version"}},
        {"clientInfo": {"name": 5, "version": "1"}},
        {"capabilities": ...},
        {"capabilities": []},
        {"capabilities": {"sampling": 1}},
        {"protocolVersion": ...},
        {"protocolVersion": 20251125},
    ]
    for params in wrong:
        answer = await Durable(wire.key).initialize(**params)
        assert (answer.status, answer.error["code"], answer.messages[0]["id"]) == (200, -32602, 0), params
        assert "mcp-session-id" not in answer.headers
    assert not await Session.objects.aexists()


async def test_who_says_too_much_of_himself_gets_no_session(wire: Wire) -> None:
    for much in (
        {"capabilities": {"experimental": {"x": {"y": "z" * 17_000}}}},
        {"clientInfo": {"name": "x" * 17_000, "version": "1"}},
    ):
        answer = await Durable(wire.key).initialize(**much)
        assert (answer.status, answer.error["code"], answer.messages[0]["id"]) == (400, -32602, 0)
    assert not await Session.objects.aexists()


async def test_what_a_client_says_of_itself_is_made_harmless(wire: Wire) -> None:
    client = await Durable.open(wire.key, client={"name": "x\r\n\x1b[31m\u202e" + "y" * 500, "version": "1\n2"})
    session = await row_of(client)
    assert (session.client_name, session.client_version) == ("x[31m" + "y" * 195, "12")


async def test_a_stranger_shakes_no_hands(alice: User) -> None:
    answer = await Durable(None).initialize()
    assert (answer.status, "mcp-session-id" in answer.headers) == (401, False)
    assert not await Session.objects.aexists()


async def test_each_handshake_opens_a_session_of_its_own(durable: Durable) -> None:
    again = await durable.post(
        durable.request(
            "initialize", {"protocolVersion": "2025-11-25", "clientInfo": durable.client, "capabilities": {}}
        )
    )
    assert again.headers["mcp-session-id"] != durable.session_id
    assert (await durable.ask("ping")).result == {}
    assert (await durable.with_id(again.headers["mcp-session-id"]).ask("ping")).result == {}


async def test_a_notification_of_that_name_opens_none(durable: Durable) -> None:
    before = await Session.objects.acount()
    params = {"protocolVersion": "2025-11-25", "clientInfo": durable.client, "capabilities": {}}
    assert (await durable.notify("initialize", params)).status == 202
    assert (await durable.notify("initialize", params, headers={"mcp-session-id": None})).status == 400
    assert await Session.objects.acount() == before


async def test_the_version_header_is_one_that_shakes_hands(durable: Durable) -> None:
    for version, status, code in (
        (None, 200, None),
        ("2025-03-26", 400, -32600),
        ("2025-11-25", 200, None),
        ("2026-07-28", 400, -32602),
        ("1999-01-01", 400, -32022),
        ("", 400, -32022),
        ("2025-11-25,2025-06-18", 400, -32022),
    ):
        answer = await durable.ask("ping", headers={"mcp-protocol-version": version})
        assert (answer.status, answer.messages[0].get("error", {}).get("code")) == (status, code), version


async def test_an_initialize_of_the_other_era_is_refused(wire: Wire) -> None:
    client = Durable(wire.key)
    params = {"protocolVersion": "2025-11-25", "clientInfo": client.client, "capabilities": {}}
    answer = await client.post(
        client.request("initialize", params), headers={"mcp-protocol-version": "2026-07-28"}
    )
    assert answer.status == 400
    assert not await Session.objects.aexists()


async def test_ids_of_requests_may_be_zero_or_empty(durable: Durable) -> None:
    for request_id in (0, "", -1, "0", 2**53 - 1):
        answer = await durable.post(durable.request("ping", id=request_id))
        assert answer.messages == [{"jsonrpc": "2.0", "id": request_id, "result": {}}]
        called = await durable.post(durable.calling("count", {"to": 1}, id=request_id))
        assert called.messages[-1]["id"] == request_id


async def test_batches_are_refused(wire: Wire) -> None:
    client = await Durable.open(wire.key, "2025-03-26")  # the one revision that had them
    for size in range(3):
        answer = await client.post([client.request("ping") for _ in range(size)])
        assert (answer.status, answer.error["code"]) == (400, -32600)
        assert "batch" in answer.error["message"]


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
async def test_every_method_answers_as_it_did_in_its_day(wire: Wire, version: str) -> None:
    client = await Durable.open(wire.key, version)
    for method, params in CALLS:
        answer = await client.ask(method, params)
        assert answer.status == 200
        assert not answer.result.keys() & set(NEW_IN_2026), method
    for method in ("tools/invent", "server/discover", "subscriptions/listen", "tasks/list", "roots/list"):
        answer = await client.ask(method, {"notifications": {}})
        assert (answer.status, answer.error["code"]) == (200, -32601), method


async def test_the_2026_wire_does_not_know_what_is_gone(wire: Wire) -> None:
    for method, params in (
        ("logging/setLevel", {"level": "info"}),
        ("resources/subscribe", {"uri": "shop://menu"}),
        ("resources/unsubscribe", {"uri": "shop://menu"}),
        ("ping", {}),
    ):
        answer = await wire.ask(method, params)
        assert (answer.status, answer.error["code"]) == (404, -32601), method


async def test_content_is_structured_since_the_revision_that_brought_it(wire: Wire) -> None:
    for name, arguments in (
        ("echo", {"text": "x"}),
        ("order", {"number": 1}),
        ("count", {"to": 1}),
        ("linked", {}),
    ):
        for version, is_structured in (("2025-03-26", False), ("2025-06-18", True), ("2025-11-25", True)):
            client = await Durable.open(wire.key, version)
            result = (await client.call(name, arguments)).result
            assert ("structuredContent" in result) is is_structured, (name, version)
            assert result["content"]
