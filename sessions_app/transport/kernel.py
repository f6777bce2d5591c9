"""From a request to its reply: the SDK's kernel, and the short way past it."""

import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db import Error as DatabaseFailure
from mcp.server.connection import Connection
from mcp.server.lowlevel.server import Server
from mcp.server.runner import ServerRunner
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.message import ServerMessageMetadata
from mcp_types import INTERNAL_ERROR, ErrorData

from sessions_app.call import Call
from sessions_app.exceptions import Header, Refused
from sessions_app.limits import Bucket
from sessions_app.outage import is_outage
from sessions_app.principal import Principal
from sessions_app.state import Epoch
from sessions_app.tracing import tracing

from . import strict_json
from .ends import ends
from .exchange import Exchange
from .jsonrpc import Message, error
from .listener import Lists
from .refusal import body_of, unavailable

logger = logging.getLogger(__name__)

Result = dict[str, Any]


class HostedServer(Server[None]):
    """A low-level MCP server that a consumer of ours hosts. Its handlers find the `Call` in `ctx.request`."""

    def shortcut(self, call: Call, method: str, params: Mapping[str, Any]) -> Awaitable[Result] | None:
        """The result of a request so plain that the SDK's kernel would only validate it again; or None.

        It must be the same result that the kernel would give, envelope included.
        """
        return None

    def limits(self, principal: Principal, message: Message) -> Sequence[Bucket]:
        """What counts this request beside the caller's own limits: those of the tool, if he may see it."""
        return ()

    def digest(self, principal: Principal, message: Message) -> str:
        """Of what this caller runs with which arguments, while it runs. It must not tell the arguments."""
        return ""

    async def refresh(self, epoch: Epoch) -> bool:
        """Have the limits of this epoch, not more than a second old. Whether they are others than before."""
        return False

    async def look(self) -> None:
        """Have the rules of now, for those who listen and send nothing. Raises: DatabaseFailure."""

    @property
    def offer(self) -> Hashable:
        """What there is to be listed by whoever may: equal to the one before, unless that has changed."""
        return None

    def listed(self, principal: Principal) -> Lists:
        """What this caller's lists hold, by the event that says that one of them changed."""
        return {}

    async def may_follow(self, principal: Principal, uri: str) -> bool:
        """Whether this caller may hear that the resource changed."""
        return False


async def answer(
    server: HostedServer,
    call: Call,
    message: Message,
    connect: Callable[[], Connection],
    statuses: Mapping[int, int],
) -> None:
    """Serve one request to its end. `statuses`: the HTTP status for an error's code, where it is not 200."""
    with ends.call(call):
        work = reply(server, call, message, connect, statuses)
        await call.exchange.serve(work, partial(body_of, message=message))


async def reply(
    server: HostedServer,
    call: Call,
    message: Message,
    connect: Callable[[], Connection],
    statuses: Mapping[int, int],
) -> None:
    headers: Sequence[Header] = ()
    try:
        result = await result_of(server, call, message, connect)
        body, status = strict_json.dumps({"jsonrpc": "2.0", "id": message.id, "result": result}), 200
    except Refused as refusal:
        body, status, headers = body_of(refusal, message), refusal.status, refusal.headers
    except Exception as exception:  # noqa: BLE001 (the edge: whatever a handler raises becomes a JSON-RPC error)
        body, code = failure(exception, message)
        status = statuses.get(code, 200)
    await call.exchange.reply(body, status, headers)


async def result_of(
    server: HostedServer, call: Call, message: Message, connect: Callable[[], Connection]
) -> Result:
    """The result of one request. Raises: Refused, and whatever else its handler raises."""
    is_short = not tracing.is_on  # spans are made on the kernel's way
    try:
        if is_short and (result := server.shortcut(call, message.method, message.params or {})) is not None:
            return await result
        return await run_kernel(server, call.exchange, message, connect(), call)
    except DatabaseFailure as error:
        if not is_outage(error):
            raise
        raise unavailable(error, f"{message.method} failed", writes=message.method == "tools/call") from None


async def run_kernel(
    server: HostedServer, exchange: Exchange, message: Message, connection: Connection, call: Call | None
) -> Result:
    """The SDK's `serve_one`, less a shielded clean-up that has nothing to clean, and a reference cycle.

    `ServerRunner.on_request` is a cached property holding a bound method of its owner; left in place,
    each request leaves fifteen objects to the garbage collector, and p99 pays for it.
    """
    exchange.message_metadata = ServerMessageMetadata(request_context=call)
    runner = ServerRunner(server, connection, None)
    try:
        return await runner.on_request(exchange, message.method, message.params)
    finally:
        del runner.on_request
        exchange.message_metadata = None  # another cycle, through the call
        await connection.exit_stack.aclose()


def failure(exception: Exception, message: Message) -> tuple[bytes, int]:
    """The JSON-RPC error for what a handler raised, and its code. Crash text stays in the log."""
    data = handler_exception_to_error_data(exception)
    try:
        if data is not None:
            return encoded(data, message), data.code
    except (TypeError, ValueError) as unencodable:
        exception = unencodable
    logger.error("%s crashed", message.method, exc_info=exception)
    return encoded(ErrorData(code=INTERNAL_ERROR, message="Internal server error"), message), INTERNAL_ERROR


def encoded(data: ErrorData, message: Message) -> bytes:
    body = error(data.code, data.message, data.data)
    return strict_json.dumps({"jsonrpc": "2.0", "id": message.id, "error": body})
