"""The other side: the MCP SDK's own servers with the same two tools, behind a token verifier.

`mcpserver` is the SDK as people use it. `lowlevel` leaves out what MCPServer adds; the handler does by hand
what the tool needs and nothing else. Where DJANGO_SETTINGS_MODULE is set, Django is there
for `read-one`.

Clients of the handshake era get no session of either: the SDK would keep it in the memory of one process, and
serves them from several only when it is stateless.
"""

import hashlib
import os

import anyio.to_thread
import django
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from tests.bench.rows import bench_user_pk, read_username

if "DJANGO_SETTINGS_MODULE" in os.environ:
    django.setup()


class DigestVerifier:
    """As little as a verifier can honestly do: the token's digest, looked up in a dict."""

    def __init__(self, token: str) -> None:
        access = AccessToken(token=token, client_id="bench", scopes=["read", "call"], subject="bench")
        self.known = {self.digest(token): access}

    @staticmethod
    def digest(token: str) -> bytes:
        return hashlib.sha256(token.encode()).digest()

    async def verify_token(self, token: str) -> AccessToken | None:
        return self.known.get(self.digest(token))


AUTH = AuthSettings(
    issuer_url=AnyHttpUrl("http://127.0.0.1/"),
    resource_server_url=AnyHttpUrl("http://127.0.0.1/mcp"),
    validate_token_resource=False,
    required_scopes=["read"],
)


async def echo(text: str) -> str:
    """Say it back."""
    return text


def read_one() -> str:
    """Read the caller's row."""
    return read_username(bench_user_pk())


def mcpserver() -> Starlette:
    server = MCPServer("bench", log_level="WARNING", auth=AUTH, token_verifier=verifier())
    server.tool(name="echo", title="Echo")(echo)
    server.tool(name="read-one", title="Read one row")(read_one)
    return server.streamable_http_app(json_response=True, stateless_http=True)


SCHEMAS = {
    "echo": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "read-one": {"type": "object", "properties": {}},
}


async def list_tools(
    context: ServerRequestContext[object], params: PaginatedRequestParams | None
) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name=name, input_schema=schema) for name, schema in SCHEMAS.items()])


async def call_tool(context: ServerRequestContext[object], params: CallToolRequestParams) -> CallToolResult:
    if params.name == "echo":
        text = await echo(**(params.arguments or {}))
    else:
        text = await anyio.to_thread.run_sync(read_one)
    return CallToolResult(content=[TextContent(text=text)], structured_content={"result": text})


def lowlevel() -> Starlette:
    server = Server("bench", get_tool_input_schema=SCHEMAS.get, on_list_tools=list_tools, on_call_tool=call_tool)
    return server.streamable_http_app(
        json_response=True, stateless_http=True, auth=AUTH, token_verifier=verifier()
    )


def verifier() -> DigestVerifier:
    return DigestVerifier(os.environ["CONCIERGE_BENCH_TOKEN"])
