"""Trying a tool from a page: called by whoever is signed in there, as himself, on the way that every call takes.

It needs his permission, counts against his limits, has the tool's time, and is recorded. What he may not call, or
what is switched off, is unknown to him here as it is anywhere.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY

from sessions_app.credentials import browser
from sessions_app.credentials.ticket import proven
from sessions_app.exceptions import Unparsable
from sessions_app.transport import strict_json

from .direct import Insider, Result, words_of
from .exceptions import Crashed
from .recorder import recorder

CLIENT = "Control room"
"""The client's name in the record, and of the session."""
LARGEST = 256 * 1024
"""Bytes of arguments."""
MOST_TOLD = 100
"""Lines of what a tool tells while it runs: the last ones."""
ASKS = (
    "This tool asks its client something while it runs, and here nobody can be asked. Call it from a client that"
    " answers questions (elicitation)."
)
QUESTIONS = ("elicitation/create", "sampling/createMessage", "roots/list")
UNASKABLE = frozenset(NoBackChannelError(method).error.message for method in QUESTIONS)
"""What the SDK says for a tool that asks by itself; it has no code of its own for it."""
NO_OBJECT = 'Not accepted: the arguments are a JSON object, such as {"text": "hello"}.'


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. Of the arguments it has nothing."""

    text: str
    """Of the result, for people; or why there is none."""
    is_error: bool = True
    """The tool failed, did not like its arguments or took too long; or there is no result."""
    has_result: bool = False
    """False: it was refused, or asked what nobody answers here."""
    structured: Any = None
    others: tuple[str, ...] = ()
    """The kinds of content besides text."""
    told: tuple[str, ...] = ()
    """Progress and logs, a line each."""
    duration_ms: float = 0.0
    error_id: str = ""
    """Of a crash: finds the traceback in the log."""


def try_tool(session_key: str, ip: str | None, name: str, arguments: str) -> Trial:
    """Call it with `arguments` as JSON; by then it is recorded. For code on a thread, such as a plain view.

    `session_key`: of the session of Django's by which somebody is signed in. It is the proof of who he is, and the
    call ends when he signs out. `ip`: where his request came from.
    """
    if connection.in_atomic_block:
        # The tool's own transaction, on another connection, would wait for this one until its time is over.
        raise RuntimeError("A tool is tried outside of any transaction")
    try:
        given = read_arguments(arguments)
    except Unparsable as error:
        return Trial(error.message)
    # Below a server's view this runs on the server's own event loop, where the recorder and the sweep are.
    return async_to_sync(call)(operator(session_key, ip), name, given)


def operator(session_key: str, ip: str | None) -> Insider:
    proof = f"{browser.IDENTITY}:{session_key}"
    return Insider(proven(proof, ip), CLIENT, ip)


def read_arguments(text: str) -> dict[str, Any]:
    """Nothing is an empty object. Raises: Unparsable."""
    if not text.strip():
        return {}
    body = text.encode("utf-8", "surrogatepass")  # JSON has no lone surrogates, and says so
    if len(body) > LARGEST:
        raise Unparsable(f"Not accepted: the arguments are larger than {LARGEST} bytes.")
    arguments = strict_json.loads(body)
    if not isinstance(arguments, dict):
        raise Unparsable(NO_OBJECT)
    return arguments


async def call(caller: Insider, name: str, arguments: dict[str, Any]) -> Trial:
    told: deque[str] = deque(maxlen=MOST_TOLD)
    began = time.perf_counter()
    try:
        result = await caller.call(name, arguments, lambda notification: told.append(words_of(notification)))
    except MCPError as error:
        return Trial(reason(error), told=tuple(told), duration_ms=since(began))
    else:
        return trial_of(result, told, since(began))
    finally:
        await recorder.drain()


def trial_of(result: Result, told: deque[str], duration_ms: float) -> Trial:
    if result.raw.get("resultType") == "input_required":
        return Trial(ASKS, told=tuple(told), duration_ms=duration_ms)
    return Trial(
        result.text,
        is_error=result.is_error,
        has_result=True,
        structured=result.structured,
        others=tuple(block["type"] for block in result.content if block["type"] != "text"),
        told=tuple(told),
        duration_ms=duration_ms,
        error_id=Crashed.error_id_in(result.text) if result.is_error else "",
    )


def reason(error: MCPError) -> str:
    asks = error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY or error.error.message in UNASKABLE
    return ASKS if asks else error.error.message


def since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
