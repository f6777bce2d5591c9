"""For tests of tools: a call takes the whole gate, in this process, without a server.

    @pytest.mark.django_db(transaction=True)
    def test_it_greets(alice: User) -> None:
        assert call_tool(alice, "greet", name="Ada").text == "Hello Ada"

Tools run on threads of their own and see only committed rows. So a test has to commit: `transaction=True`, or
`TransactionTestCase`. What a plain `TestCase` wrote is in a transaction that nobody else looks into.
"""

import asyncio
from typing import Any

from django.db import connection

from sessions_app.callers import callers
from sessions_app.models import User
from sessions_app.transport import presence

from .direct import Insider, Result
from .policies import policies
from .recorder import recorder

__all__ = ["Result", "acall_tool", "call_tool"]

CLIENT = "tests"
"""The client's name in the record, and of the session."""


def call_tool(user: User, name: str, /, **arguments: Any) -> Result:
    """What the tool returned to this user, or failed with; by then the call is recorded.

    Raises: MCPError for what is no result, such as an unknown tool or a limit that is used up.
    """
    if is_inside_a_loop():
        raise RuntimeError("An event loop runs in this thread: await acall_tool(…)")
    if connection.in_atomic_block:
        raise RuntimeError(
            "A tool sees only committed rows, and this is inside of a transaction: use TransactionTestCase,"
            " or @pytest.mark.django_db(transaction=True)"
        )
    return asyncio.run(acall_tool(user, name, **arguments))


async def acall_tool(user: User, name: str, /, **arguments: Any) -> Result:
    """The same for a test that is `async def`."""
    for remembered in (callers, presence, policies):
        remembered.forget()  # a test may change rows in ways that no server hears of
    try:
        return await Insider.of(user, CLIENT).call(name, arguments)
    finally:
        await recorder.drain()


def is_inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
