"""What to paste into a client, ready to run. One function a client; docs/quickstart.md shows the same."""

import json
from collections.abc import Callable
from typing import NamedTuple

WEBSOCKET = "-websocket"
"""How those are called that connect over one."""
PLACEHOLDER = "YOUR_API_KEY"
"""Where a key goes, for who has none yet or does not want it shown."""
Write = Callable[[str, str], str]


class Client(NamedTuple):
    title: str
    where: str
    """What to do with the lines, as a sentence."""
    write: Write


class Lines(NamedTuple):
    """What to paste into one client, and where."""

    name: str
    title: str
    where: str
    text: str


CLIENTS: dict[str, Client] = {}


def client(name: str, title: str, where: str) -> Callable[[Write], Write]:
    def register(write: Write) -> Write:
        CLIENTS[name] = Client(title, where, write)
        return write

    return register


def instructions(name: str, origin: str, key: str) -> str:
    """For `name` in CLIENTS: a command or a configuration, with the endpoint and the key filled in."""
    over_websocket = f"{origin.replace('http', 'ws', 1)}/ws/mcp"
    return CLIENTS[name].write(over_websocket if name.endswith(WEBSOCKET) else f"{origin}/mcp", key)


def lines_with(key: str, origin: str) -> list[Lines]:
    """For each client."""
    return [
        Lines(name, client.title, client.where, instructions(name, origin, key))
        for name, client in CLIENTS.items()
    ]


@client("claude-code", "Claude Code", "Run this in a terminal.")
def claude_code(url: str, key: str) -> str:
    return f'claude mcp add --transport http concierge {url} --header "Authorization: Bearer {key}"'


@client(
    "claude-desktop",
    "Claude Desktop",
    "Put this into claude_desktop_config.json (Settings, Developer, Edit Config), and start Claude anew."
    " It takes Node.js, from which mcp-remote runs.",
)
def claude_desktop(url: str, key: str) -> str:
    """It starts programs and speaks to them over pipes; mcp-remote is one that speaks HTTP on.

    The header's value is in the environment: some systems split arguments at spaces. Plain HTTP has to be allowed
    by name, wherever it is not this machine.
    """
    arguments = ["-y", "mcp-remote", url, "--transport", "http-only", "--header", "Authorization:${AUTHORIZATION}"]
    insecure = ["--allow-http"] if url.startswith("http://") else []
    server = {"command": "npx", "args": arguments + insecure, "env": {"AUTHORIZATION": f"Bearer {key}"}}
    return pretty({"mcpServers": {"concierge": server}})


@client("cursor", "Cursor", "Put this into ~/.cursor/mcp.json.")
def cursor(url: str, key: str) -> str:
    return pretty({"mcpServers": {"concierge": {"url": url, "headers": {"Authorization": f"Bearer {key}"}}}})


@client("vscode", "VS Code", "Put this into .vscode/mcp.json. VS Code asks for the key once, and keeps it.")
def vscode(url: str, key: str) -> str:
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


@client(
    "inspector", "MCP Inspector", "Run this in a terminal. It lists the tools, and takes Node.js 22.19 or newer."
)
def inspector(url: str, key: str) -> str:
    return (
        f"npx @modelcontextprotocol/inspector --cli {url} --transport http --protocol-era modern"
        f' --header "Authorization: Bearer {key}" --stored-auth-only --method tools/list'
    )


@client("python", "Python", "Run this after pip install mcp. It lists the tools.")
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


@client(
    "typescript",
    "TypeScript",
    "Run this as connect.mjs with Node.js 20 or newer, after npm install @modelcontextprotocol/client."
    " It lists the tools.",
)
def typescript(url: str, key: str) -> str:
    return f"""\
import {{ Client, StreamableHTTPClientTransport }} from "@modelcontextprotocol/client";

const client = new Client({{ name: "my-client", version: "1.0.0" }}, {{ versionNegotiation: {{ mode: "auto" }} }});
const headers = {{ Authorization: "Bearer {key}" }};
await client.connect(new StreamableHTTPClientTransport(new URL("{url}"), {{ requestInit: {{ headers }} }}));
console.log((await client.listTools()).tools.map((tool) => tool.name));
await client.close();"""


@client(f"claude-code{WEBSOCKET}", "Claude Code, over WebSocket", "Run this in a terminal.")
def claude_code_websocket(url: str, key: str) -> str:
    server = {"type": "ws", "url": url, "headers": {"Authorization": f"Bearer {key}"}}
    return f"claude mcp add-json concierge '{json.dumps(server)}'"


@client(
    f"python{WEBSOCKET}",
    "Python, over WebSocket",
    "Run this beside a copy of sessions_app/client.py, as client.py, after pip install mcp websockets.",
)
def python_websocket(url: str, key: str) -> str:
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
