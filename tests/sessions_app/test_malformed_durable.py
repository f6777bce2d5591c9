"""Requests that no client of the handshake era should send: each is refused in JSON-RPC, none leaves a mark."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import deadline
from sessions_app.models import User
from sessions_app.transport.ends import ends
from tests.conftest import key_for
from tests.sessions_app.malformed import ANYTHING, NEVER_JSON, Headers, meddled, mutated, steady, torn
from tests.sessions_app.test_malformed import answer_of, check, errors
from tests.wire import Answer, Durable, Exchange, encoded
from tools_app.recorder import recorder

pytestmark = pytest.mark.alike

META = {"_meta": {"progressToken": "p1"}}
IMPLEMENTATION = {"name": "pytest", "version": "1", "title": "Tests", "icons": [{"src": "https://example.com/i"}]}
CAPABILITIES = {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {"form": {}}, "experimental": {}}
REQUESTS: dict[str, dict[str, Any]] = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "clientInfo": IMPLEMENTATION,
        "capabilities": CAPABILITIES,
    },
    "ping": {},
    "tools/call": {"name": "typed", "arguments": {"number": 1, "tags": ["a"], "note": None}},
    "resources/subscribe": {"uri": "shop://menu"},
    "resources/unsubscribe": {"uri": "shop://menu"},
    "logging/setLevel": {"level": "info"},
}
GOOD: dict[str, dict[str, Any]] = {
    method: {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | META}
    for method, params in REQUESTS.items()
} | {
    "cancelled": {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": 1},
    },
    "result": {"jsonrpc": "2.0", "id": "x", "result": {"action": "accept", "content": {"sure": True}}},
    "error": {"jsonrpc": "2.0", "id": "x", "error": {"code": -1, "message": "no", "data": {}}},
}


class Client:
    """A durable session to which anything is sent, from synchronous code."""

    def __init__(self, runner: asyncio.Runner, key: str) -> None:
        self._runner = runner
        self._durable = runner.run(Durable.open(key))
        self.headers: Headers = encoded(self._durable.headers())

    def send(self, body: bytes, headers: Headers | None = None, **scope: Any) -> Answer:
        async def exchange() -> Answer:
            return await answer_of(Exchange(body, self.headers if headers is None else headers, **scope))

        return self._runner.run(exchange())

    def works(self) -> bool:
        return self._runner.run(self._durable.call("echo", {"text": "still here"})).text == "still here"


@pytest.fixture
def client(alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Client]:
    monkeypatch.setattr(deadline, "TICK", 0.001)  # so soon is a client that left a stream noticed
    with asyncio.Runner() as runner:
        client = Client(runner, key_for(alice))
        yield client
        assert client.works()
        assert not ends._calls
        assert not ends._listeners
        runner.run(recorder.drain())
    assert errors(caplog) == []


def test_what_is_mutated_was_good(client: Client) -> None:
    for name, message in GOOD.items():
        answer = client.send(json.dumps(message).encode())
        assert answer.status == {"cancelled": 202, "result": 400, "error": 400}.get(name, 200)
        assert answer.status != 200 or "result" in answer.messages[0]


@pytest.mark.parametrize("name", GOOD)
def test_a_message_of_a_wrong_structure(client: Client, name: str) -> None:
    @steady(30)
    @given(mutated(GOOD[name]))
    def each(message: Any) -> None:
        check(client.send(json.dumps(message).encode()))

    each()


def test_a_message_of_torn_bytes(client: Client) -> None:
    @steady(100)
    @given(st.sampled_from(list(GOOD)), st.data())
    def each(name: str, data: st.DataObject) -> None:
        check(client.send(data.draw(torn(json.dumps(GOOD[name]).encode()))))

    each()


def test_a_body_of_any_bytes(client: Client) -> None:
    @steady(50)
    @given(st.binary() | (ANYTHING | NEVER_JSON).map(json.dumps).map(str.encode))
    def each(body: bytes) -> None:
        check(client.send(body))

    each()


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_headers_that_were_meddled_with(client: Client, method: str) -> None:
    body = json.dumps(GOOD["tools/call"]).encode() if method == "POST" else b""

    @steady(100)
    @given(meddled(client.headers))
    def each(headers: Headers) -> None:
        answer = client.send(body, headers, method=method)
        if answer.status == 200 and method == "GET":
            assert answer.body.startswith(b"retry: ")
        else:
            check(answer)

    each()
