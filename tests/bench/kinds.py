"""What callers do, over and over, while it is weighed."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.bench.contest import ECHO
from tests.bench.load import CLIENT, HANDSHAKE, Call, Line, WrongAnswer, is_right

INITIALIZE = json.dumps({
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": HANDSHAKE, "clientInfo": CLIENT, "capabilities": {}},
})  # fmt: skip


def caller_name(number: int | str) -> str:
    return f"bench-{number}"


@dataclass(frozen=True)
class Caller:
    name: str
    line: Line
    """Without a session."""
    durable: Line
    """With one of the handshake's."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    session_id: str | None


Ask = Callable[[str, str, dict[str, str], str], Answer]
"""Of a method, a path, headers and a body."""
Kind = Callable[[Ask, Caller], None]
"""One call. Raises: WrongAnswer."""


def echo(ask: Ask, caller: Caller) -> None:
    make(ask, caller.line, ECHO)


def durable_echo(ask: Ask, caller: Caller) -> None:
    make(ask, caller.durable, replace(ECHO, revision=HANDSHAKE))


def read_one(ask: Ask, caller: Caller) -> None:
    make(ask, caller.line, Call("read-one", caller.name))


def make(ask: Ask, line: Line, call: Call) -> None:
    answer = ask("POST", "/mcp", {**line.headers(), **call.headers()}, call.body())
    if answer.status != 200 or not is_right(json.loads(answer.body), call):
        raise WrongAnswer(f"{call.tool}: status {answer.status}, {answer.body[:500]!r}")


def open_and_end(ask: Ask, caller: Caller) -> None:
    opened = ask("POST", "/mcp", caller.line.headers(), INITIALIZE)
    line = replace(caller.line, session_id=opened.session_id)
    ended = ask("DELETE", "/mcp", line.headers(), "")
    if (opened.status, ended.status) != (200, 204):
        raise WrongAnswer(f"a session: {opened.status}, {ended.status}, {opened.body[:500]!r}")


def listing(path: str) -> Kind:
    def look(ask: Ask, caller: Caller) -> None:
        answer = ask("GET", path, {"Authorization": f"Bearer {caller.line.token}"}, "")
        if answer.status != 200 or not json.loads(answer.body)["results"]:
            raise WrongAnswer(f"{path}: status {answer.status}, {answer.body[:500]!r}")

    return look


KINDS: dict[str, Kind] = {
    "echo, 2026-07-28": echo,
    "echo in a session, 2025-11-25": durable_echo,
    "one ORM read, 2026-07-28": read_one,
    "a session opened and ended": open_and_end,
    "GET /api/sessions/": listing("/api/sessions/"),
    "GET /api/usage/": listing("/api/usage/"),
}
"""The lists come last: they show what the others did."""
