"""What is refused before it comes to a tool is a line of the log, alike on every wire, and without a secret."""

from typing import Any

import pytest

from sessions_app.models import User
from tests.conftest import key_for
from tests.rest import Rest
from tests.socket import Line
from tests.wire import Durable, Exchange, Wire, encoded
from tests.written import written

SECRET = "hunter2-hunter2-hunter2"
BAD_KEY = {"authorization": f"Bearer {SECRET}"}
ELSEWHERE = {"origin": "https://evil.example"}
HEADERS = {"host": "127.0.0.1:8000"}


async def ask(path: str, *, is_socket: bool = False, **headers: str) -> int:
    named = encoded({**HEADERS, **headers})
    if is_socket:
        line = Line(named, path=path)
        await line.task
        return line.answer.status
    exchange = Exchange(b"", named, method="GET", path=path, raw_path=path.encode())
    return (await exchange.wait()).status


KNOCKS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a bad key at /mcp": ("/mcp", {**BAD_KEY, "accept": "text/event-stream"}, "http", "bad-credential"),
    "none at /mcp": ("/mcp", {"accept": "text/event-stream"}, "http", "no-credential"),
    "another host": ("/mcp", {"host": "evil.example"}, "http", "wrong-site"),
    "a bad key over REST": ("/api/keys/", BAD_KEY, "http", "bad-credential"),
    "another host over REST": ("/api/keys/", {"host": "evil.example"}, "http", "wrong-site"),
    "a bad key at a socket": ("/ws/mcp", {**BAD_KEY, "is_socket": True}, "websocket", "bad-credential"),
    "a room from another site": ("/ws/rooms/a", {**ELSEWHERE, "is_socket": True}, "websocket", "wrong-site"),
    "a socket's path": ("/ws/mcp", {}, "http", "bad-request"),
}  # fmt: skip


@pytest.mark.parametrize("knock", KNOCKS)
async def test_each_is_one_line(knock: str, db_for_threads: None) -> None:
    path, details, transport, reason = KNOCKS[knock]
    with written("json") as log:
        status = await ask(path, **details)
    [line] = log.by("concierge.refusals")
    assert (line["reason"], line["status"], line["transport"]) == (reason, status, transport)
    assert line["ip"] == "127.0.0.1"
    assert line["request_id"]
    assert line["message"].startswith(f"Refused ({status} {reason}) over {transport} from 127.0.0.1: ")
    assert SECRET not in log.text


async def test_a_message_that_is_refused_is_a_line(wire: Wire) -> None:
    with written("text") as log:
        await wire.post(b"{")
        await Durable(wire.key, session_id="nothing").call("echo", {"text": "a"})
    first, second = [line for line in log.lines if " concierge.refusals " in line]
    assert "Refused (400 bad-request) over http from 127.0.0.1: " in first
    assert "Refused (404 not-found) over http from 127.0.0.1: Session not found" in second


def test_what_rest_does_not_find_is_a_line(alice: User) -> None:
    with written("json") as log:
        assert Rest(key_for(alice)).delete("keys/7000/").status == 404
    [line] = log.by("concierge.refusals")
    assert (line["reason"], line["status"]) == ("not-found", 404)
