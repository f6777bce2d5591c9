"""What a tool may ask for. Annotate a keyword parameter; callers never see it, let alone set it.

@tool("whoami", groups=EVERYONE, read_only=True)
def whoami(*, principal: CurrentPrincipal) -> str:
    return principal.username
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from pydantic import Field

from sessions_app.call import Call
from sessions_app.models import Preference, Session
from sessions_app.principal import Principal

from .execution import GivenUp

logger = logging.getLogger(__name__)


def call_of(ctx: ServerRequestContext[Any, Call]) -> Call:
    """The call that the transport put into the SDK's context."""
    assert ctx.request is not None  # noqa: S101 (every transport of ours does)
    return ctx.request


class FromCall(Resolve):
    """Filled from the call itself. The gate takes it directly; for the SDK it is an ordinary resolver."""

    def __init__(self, take: Callable[[Call], Any]) -> None:
        async def resolver(ctx: Context[Any, Any]) -> Any:
            return take(call_of(ctx.request_context))

        super().__init__(resolver)
        self.take = take


class Progress:
    """Tells the client how far the call is; from any thread. Without effect if it did not ask.

    Raises GivenUp when nobody waits for the call any more: so work that tells how far it is ends early.
    """

    def __init__(self, call: Call) -> None:
        self._exchange = call.exchange
        self._loop = asyncio.get_running_loop()

    def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self._exchange.is_over:
            raise GivenUp
        self._loop.call_soon_threadsafe(self._exchange.progress_soon, progress, total, message)


class Log:
    """Says what a tool does, to the server's log and to a client that asked for it; from any thread.

    What is said here leaves the server: no secret, no text of others.
    """

    def __init__(self, call: Call) -> None:
        self._exchange = call.exchange
        self._loop = asyncio.get_running_loop()

    def info(self, message: str, **details: Any) -> None:
        self._say("info", message, details)

    def warning(self, message: str, **details: Any) -> None:
        self._say("warning", message, details)

    def _say(self, level: str, message: str, details: dict[str, Any]) -> None:
        told = "".join(f" {name}={value!r}" for name, value in details.items())
        logger.log(getattr(logging, level.upper()), "%s:%s", message, told)
        data = {"message": message, **details}
        self._loop.call_soon_threadsafe(self._exchange.log_soon, level, "tools", data)


class Preferences(Mapping[str, Any]):
    """The caller's own, as they are when they are first looked at: in a plain `def`. A guest has none."""

    def __init__(self, call: Call) -> None:
        self._account = call.principal.account

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {} if self._account is None else Preference.objects.of(self._account).as_dict()

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


CurrentCall = Annotated[Call, FromCall(lambda call: call)]
CurrentPrincipal = Annotated[Principal, FromCall(attrgetter("principal"))]
CurrentSession = Annotated[Session, FromCall(attrgetter("session"))]
CurrentPreferences = Annotated[Preferences, FromCall(Preferences)]
CurrentLog = Annotated[Log, FromCall(Log)]
CurrentProgress = Annotated[Progress, FromCall(Progress)]


class Absent:
    """What an optional argument is when the caller did not send it, where `null` is a value of its own."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


def optional() -> Any:
    """A default that tells absent from null: `value: Any = optional()`, then `if value is ABSENT`."""
    return Field(default_factory=lambda: ABSENT)
