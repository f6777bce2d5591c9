"""A thousand requests that no client should send: each is refused in JSON-RPC, and none leaves a mark."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import deadline
from sessions_app.models import User
from sessions_app.transport.envelope import read_usual
from tests.conftest import key_for
from tests.sessions_app.malformed import (
    ANYTHING,
    ENVELOPE,
    GOOD,
    META,
    NEVER_JSON,
    Headers,
    good,
    headers_for,
    meddled,
    mutated,
    raw_lines,
    raw_requests,
    steady,
    torn,
)
from tests.wire import Answer, Exchange, Wire
from tools_app.recorder import recorder

pytestmark = pytest.mark.alike

# --- What comes back ------------------------------------------------------------------------------


def check_message(message: Any) -> None:
    assert message["jsonrpc"] == "2.0"
    if "error" in message:
        assert "result" not in message
        assert isinstance(message["error"]["code"], int)
        assert isinstance(message["error"]["message"], str)
        assert message["error"]["code"] != -32603, message
    else:
        assert "result" in message or message["method"].startswith("notifications/")


def check_text(body: bytes, sent: bytes = b"") -> None:
    """Nothing of the server's insides; some of what was sent is said back."""
    for inside in (b"Traceback", b'File "', b"site-packages", b"pydantic", b"sqlite", b"psycopg", b"SELECT"):
        assert inside not in body or inside in sent


def check(answer: Answer, sent: bytes = b"") -> None:
    assert 200 <= answer.status < 500
    check_text(answer.body, sent)
    if answer.status == 202:
        assert answer.body == b""
    else:
        assert answer.messages
        for message in answer.messages:
            check_message(message)


async def answer_of(exchange: Exchange) -> Answer:
    """What came; a stream that was opened after all is left."""
    arrived = asyncio.ensure_future(exchange.arrived.wait())
    await asyncio.wait([exchange.task, arrived], timeout=5, return_when=asyncio.FIRST_COMPLETED)
    arrived.cancel()
    exchange.leave()
    return await exchange.wait()


class Client:
    """Sends what it is told, from synchronous code: one loop for all examples."""

    def __init__(self, runner: asyncio.Runner, key: str) -> None:
        self.key = key
        self._runner = runner
        self._wire = Wire(key)

    def send(self, body: bytes, headers: Headers, **scope: Any) -> Answer:
        async def exchange() -> Answer:
            return await answer_of(self._wire.open(body, raw_headers=headers, **scope))

        return self._runner.run(exchange())

    def works(self) -> bool:
        return self._runner.run(self._wire.call("echo", {"text": "still here"})).text == "still here"


OURS = ("sessions_app", "tools_app", "project", "uvicorn", "asyncio", "mcp")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the test itself made the server log as an error."""
    records = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    return [record.getMessage() for record in records if record.name.startswith(OURS)]


@pytest.fixture
def client(alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Client]:
    """alice's; at the end the server must be as well as before."""
    monkeypatch.setattr(deadline, "TICK", 0.001)  # so soon is a client that left a stream noticed
    with asyncio.Runner() as runner:
        client = Client(runner, key_for(alice))
        yield client
        assert client.works()
        runner.run(recorder.drain())
    assert errors(caplog) == []


@pytest.mark.parametrize("method", GOOD)
def test_what_is_mutated_was_good(client: Client, method: str) -> None:
    message = good(method)
    answer = client.send(json.dumps(message).encode(), headers_for(client.key, message, method))
    assert answer.status == 200
    assert "error" not in answer.messages[0]


@pytest.mark.parametrize("method", GOOD)
def test_a_request_of_a_wrong_structure(client: Client, method: str) -> None:
    @steady(110)
    @given(mutated(good(method)))
    def each(message: Any) -> None:
        body = json.dumps(message).encode()
        check(client.send(body, headers_for(client.key, message, method)), body)

    each()


def test_a_request_of_torn_bytes(client: Client) -> None:
    @steady(200)
    @given(st.sampled_from(list(GOOD)), st.data())
    def each(method: str, data: st.DataObject) -> None:
        message = good(method)
        body = data.draw(torn(json.dumps(message).encode()))
        check(client.send(body, headers_for(client.key, message, method)), body)

    each()


def test_a_body_of_any_bytes(client: Client) -> None:
    headers = headers_for(client.key, {}, "tools/call")

    @steady(100)
    @given(st.binary() | (ANYTHING | NEVER_JSON).map(json.dumps).map(str.encode))
    def each(body: bytes) -> None:
        check(client.send(body, headers), body)

    each()


def test_headers_that_were_meddled_with(client: Client) -> None:
    @steady(250)
    @given(st.sampled_from(list(GOOD)), st.data())
    def each(method: str, data: st.DataObject) -> None:
        message = good(method)
        headers = data.draw(meddled(headers_for(client.key, message, method)))
        check(client.send(json.dumps(message).encode(), headers))

    each()


def test_a_client_that_describes_itself_at_length_is_not_remembered(client: Client) -> None:
    message = good("tools/list")
    message["params"]["_meta"] = ENVELOPE | {f"{META}clientInfo": {"name": "x" * 10_000, "version": "1"}}
    remembered = read_usual.cache_info().currsize
    answer = client.send(json.dumps(message).encode(), headers_for(client.key, message, "tools/list"))
    assert answer.status == 200
    assert read_usual.cache_info().currsize == remembered


# --- Over a real socket ---------------------------------------------------------------------------


SILENCE = 0.2  # seconds


async def heard(port: int, request: bytes) -> bytes:
    """All that the server says to `request`, until it hangs up or is silent, waiting for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = b""
    with suppress(TimeoutError, ConnectionError):
        while part := await asyncio.wait_for(reader.read(65_536), SILENCE):
            said += part
    writer.transport.abort()
    return said


RESPONSE = re.compile(rb"HTTP/1\.1 (?P<status>\d{3}) [^\r]*\r\n(?P<headers>(?:[^\r]+\r\n)*)\r\n")


def check_responses(said: bytes) -> None:
    check_text(said)
    while said:
        response = RESPONSE.match(said)
        assert response is not None, said
        assert int(response["status"]) < 500, said
        headers = dict(line.lower().split(b": ", 1) for line in response["headers"].splitlines())
        body, said = said[response.end() :], b""
        if headers.get(b"content-type") == b"application/json":
            length = int(headers[b"content-length"])
            body, said = body[:length], body[length:]
            if body:  # a HEAD has none
                check_message(json.loads(body))


def test_a_socket_that_says_anything(served: str, client: Client) -> None:
    port = urlsplit(served).port
    assert port is not None
    lines, body = raw_lines(client.key)

    async def all_heard(requests: list[bytes]) -> list[bytes]:
        return await asyncio.gather(*(heard(port, request) for request in requests))

    with asyncio.Runner() as runner:

        @steady(8)
        @given(st.lists(raw_requests(client.key), min_size=50, max_size=50))
        def each(requests: list[bytes]) -> None:
            for said in runner.run(all_heard(requests)):
                check_responses(said)

        each()
        said = runner.run(heard(port, b"\r\n".join([*lines, b"", body])))
    assert b'"structuredContent"' in said
