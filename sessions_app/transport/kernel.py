"""From a request to its result: the SDK's kernel, and the short way past it."""

from collections.abc import Awaitable, Mapping
from typing import Any

from mcp.server.lowlevel.server import Server
from mcp.server.runner import ServerRunner
from mcp.shared.message import ServerMessageMetadata

from sessions_app.call import Call
from sessions_app.principal import Principal

from .envelope import Client
from .jsonrpc import Message

Result = dict[str, Any]


class HostedServer(Server[None]):
    """A low-level MCP server that a consumer of ours hosts. Its handlers find the `Call` in `ctx.request`."""

    def shortcut(self, call: Call, method: str, params: Mapping[str, Any]) -> Awaitable[Result] | None:
        """The result of a request so plain that the SDK's kernel would only validate it again; or None.

        It must be the same result that the kernel would give, envelope included.
        """
        return None

    def still_allows(self, call: Call, now: Principal, params: Mapping[str, Any]) -> bool:
        """Whether an open stream may go on, now that its caller is `now`."""
        return True


async def result_of(server: HostedServer, call: Call, client: Client, message: Message) -> Result:
    """The result of one request. Raises whatever its handler raises."""
    if (result := server.shortcut(call, message.method, message.params or {})) is not None:
        return await result
    return await run_kernel(server, call, client, message)


async def run_kernel(server: HostedServer, call: Call, client: Client, message: Message) -> Result:
    """The SDK's `serve_one`, less a shielded clean-up that has nothing to clean, and a reference cycle.

    `ServerRunner.on_request` is a cached property holding a bound method of its owner; left in place,
    each request leaves fifteen objects to the garbage collector, and p99 pays for it.
    """
    call.exchange.message_metadata = ServerMessageMetadata(request_context=call)
    connection = client.connection()
    runner = ServerRunner(server, connection, None)
    try:
        return await runner.on_request(call.exchange, message.method, message.params)
    finally:
        del runner.on_request
        call.exchange.message_metadata = None  # another cycle, through the call
        await connection.exit_stack.aclose()
