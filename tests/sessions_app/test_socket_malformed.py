"""Messages that no client should send, over an open socket: each is refused, and the socket goes on."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.models import User
from sessions_app.transport import socket
from tests.conftest import key_for
from tests.sessions_app.malformed import ANYTHING, GOOD, NEVER_JSON, good, mutated, steady, torn
from tests.sessions_app.test_malformed import check_message, check_text, errors
from tests.socket import SocketWire
from tools_app.recorder import recorder

pytestmark = pytest.mark.alike


class Client:
    """One socket for all examples, driven from synchronous code."""

    def __init__(self, runner: asyncio.Runner, key: str, era: str) -> None:
        self._runner = runner
        open_socket = SocketWire.open if era == "2026-07-28" else SocketWire.shake_hands
        self._wire = runner.run(open_socket(key))
        runner.run(self._wire.ask("tools/list"))

    def send(self, text: str) -> list[dict[str, Any]]:
        """What was said before a call that is sent after it was answered."""

        async def exchange() -> list[dict[str, Any]]:
            self._wire.line.messages.clear()
            self._wire.line.send(text)
            called = self._wire.calling("echo", {"text": "still here"})
            assert (await self._wire.answer_to(called)).text == "still here"
            return [message for message in self._wire.line.messages if message.get("id") != called]

        return self._runner.run(exchange())

    def check(self, text: str) -> None:
        for message in self.send(text):
            check_message(message)
            check_text(json.dumps(message).encode(), text.encode())

    def leave(self) -> None:
        assert self._wire.line.close is None
        self._runner.run(self._wire.leave())


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
def client(
    alice: User, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Client]:
    monkeypatch.setattr(socket, "MOST_REFUSED", 10**9)
    with asyncio.Runner() as runner:
        client = Client(runner, key_for(alice), request.param)
        yield client
        client.leave()
        runner.run(recorder.drain())
    assert errors(caplog) == []


@pytest.mark.parametrize("method", [name for name in GOOD if name != "subscriptions/listen"])
def test_a_request_of_a_wrong_structure(client: Client, method: str) -> None:
    @steady(40)
    @given(mutated(good(method) | {"id": "mutated"}))
    def each(message: Any) -> None:
        client.check(json.dumps(message))

    each()


def test_a_request_of_torn_bytes(client: Client) -> None:
    @steady(80)
    @given(st.sampled_from([name for name in GOOD if name != "subscriptions/listen"]), st.data())
    def each(method: str, data: st.DataObject) -> None:
        body = data.draw(torn(json.dumps(good(method) | {"id": "torn"}).encode()))
        client.check(body.decode("utf-8", "replace"))

    each()


def test_a_text_of_anything(client: Client) -> None:
    @steady(80)
    @given(st.text(st.characters(exclude_categories=["Cs"])) | (ANYTHING | NEVER_JSON).map(json.dumps))
    def each(text: str) -> None:
        client.check(text)

    each()
