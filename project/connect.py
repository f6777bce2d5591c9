"""What to paste into a client, ready to run. One function a client; docs/quickstart.md shows the same."""

import json
from collections.abc import Callable

WEBSOCKET = "-websocket"
"""How those are called that connect over one."""
CLIENTS: dict[str, Callable[[str, str], str]] = {}


def client(name: str) -> Callable[[Callable[[str, str], str]], Callable[[str, str], str]]:
    def register(write: Callable[[str, str], str]) -> Callable[[str, str], str]:
        CLIENTS[name] = write
        return write

    return register


def instructions(name: str, origin: str, key: str) -> str:
    """For `name` in CLIENTS: a command or a configuration, with the endpoint and the key filled in."""
    over_websocket = f"{origin.replace('http', 'ws', 1)}/ws/mcp"
    return CLIENTS[name](over_websocket if name.endswith(WEBSOCKET) else f"{origin}/mcp", key)


@client("claude-code")
def claude_code(url: str, key: str) -> str:
    return f'claude mcp add --transport http concierge {url} --header "Authorization: Bearer {key}"'


@client(f"claude-code{WEBSOCKET}")
def claude_code_websocket(url: str, key: str) -> str:
    server = {"type": "ws", "url": url, "headers": {"Authorization": f"Bearer {key}"}}
    return f"claude mcp add-json concierge '{json.dumps(server)}'"


@client("cursor")
def cursor(url: str, key: str) -> str:
    """~/.cursor/mcp.json"""
    return pretty({"mcpServers": {"concierge": {"url": url, "headers": {"Authorization": f"Bearer {key}"}}}})


@client("vscode")
def vscode(url: str, key: str) -> str:
    """.vscode/mcp.json; VS Code asks for the key once and keeps it."""
    return pretty(
        {
            "inputs": [
                {"type": "promptString", "id": "concierge-key", "description": "API key", "password": True}
            ],
            "servers": {
                "concierge": {
                    "type": "http",
                    "url": url,
                    "headers": {"Authorization": "Bearer ${input:concierge-key}"},
                }
            },
        }
    )


@client("inspector")
def inspector(url: str, key: str) -> str:
    return (
        f"npx @modelcontextprotocol/inspector --cli {url} --transport http --protocol-era modern"
        f' --header "Authorization: Bearer {key}" --stored-auth-only --method tools/list'
    )


@client("python")
def python(url: str, key: str) -> str:
    return f"""\
import asyncio, httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main():
    http = httpx2.AsyncClient(headers={{"Authorization": "Bearer {key}"}})
    async with http, Client(streamable_http_client("{url}", http_client=http)) as client:
        print([tool.name for tool in (await client.list_tools()).tools])

asyncio.run(main())"""


@client(f"python{WEBSOCKET}")
def python_websocket(url: str, key: str) -> str:
    """Beside a copy of sessions_app/client.py."""
    return f"""\
import asyncio
from client import websocket  # a copy of sessions_app/client.py
from mcp import Client

async def main():
    async with Client(websocket("{url}", token="{key}")) as client:
        print([tool.name for tool in (await client.list_tools()).tools])

asyncio.run(main())"""


def pretty(value: object) -> str:
    return json.dumps(value, indent=2)
