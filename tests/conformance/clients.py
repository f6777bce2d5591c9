"""Clients that others wrote, in each of their eras. They send a key themselves, and have to be its owner here."""

import asyncio
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from sessions_app.client import websocket
from sessions_app.connect import instructions
from tests.bench.contest import clean_environ
from tests.bench.servers import ROOT

from .fixtures import PATIENCE, TOOLS, leaves
from .server import MEMBER, Served
from .suite import MODULES, node
from .verdict import Problem

INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCP_REMOTE = MODULES / "mcp-remote/dist/proxy.js"
SDK_1, SDK_1_CLIENT = ROOT / ".venv/sdk-1", Path(__file__).with_name("sdk_1.py")
SHIPPED: dict[str, dict[str, str]] = {
    "get-user-profile": {},
    "admin-operations": {"operation": "system-stats"},
    "manage-preferences": {"action": "get"},
    "session-analytics": {},
    "cached-data-fetch": {"dataType": "reports"},
    "rate-limited-operation": {"operation": "verify-integrity"},
    "collaboration": {"action": "list"},
}
"""A call of each tool that ships, which changes nothing."""
LONGEST = 60
"""Seconds for one command of a client."""


@dataclass(frozen=True)
class Seen:
    """What a client learned of the server."""

    revision: str
    tools: frozenset[str]
    username: str
    worked: frozenset[str] = frozenset()
    """Of SHIPPED, where it called them: those that gave structured content."""


@dataclass(frozen=True)
class Visit:
    """A client, the revision that it has to find, and how it is run."""

    name: str
    revision: str
    look: Callable[[Served, Path], Seen]

    def problems(self, served: Served, home: Path) -> list[Problem]:
        """`home` is a directory for what the client keeps and prints."""
        home.mkdir(exist_ok=True)
        try:
            seen = self.look(served, home)
        except (subprocess.SubprocessError, ExceptionGroup, MCPError, LookupError, ValueError) as failure:
            said = "; ".join(str(getattr(error, "stderr", None) or error) for error in leaves(failure))
            return [Problem(self.name, "-", f"did not come to its end: {said}")]
        return [Problem(self.name, "-", complaint) for complaint in self.complaints(seen)]

    def complaints(self, seen: Seen) -> list[str]:
        missing = ", ".join(sorted(TOOLS - seen.tools))
        broken = ", ".join(sorted(SHIPPED.keys() - seen.worked)) if seen.worked else ""
        wrong = {
            f"cannot use {broken}": bool(broken),
            f"speaks {seen.revision}": seen.revision != self.revision,
            f"does not list {missing}": bool(missing),
            f"is {seen.username} here": seen.username != MEMBER,
        }
        return [complaint for complaint, is_so in wrong.items() if is_so]


def inspector(era: str, served: Served, home: Path) -> Seen:
    """The command is the one that `manage.py connect inspector` prints, with an era and a method."""
    _npx, _package, *printed = shlex.split(instructions("inspector", served.origin, served.key))
    environ = clean_environ() | {"HOME": str(home), "MCP_INSPECTOR_SECRET_STORE": "memory"}

    def ask(*method: str) -> Any:
        options = ["--protocol-era", era, "--format", "json", "--quiet", "--method", *method]
        done = subprocess.run(
            [node(), INSPECTOR, *printed, *options],
            env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)["result"]

    def call(name: str, arguments: dict[str, str]) -> Any:
        given = [part for key, value in arguments.items() for part in ("--tool-arg", f"{key}={value}")]
        return ask("tools/call", "--tool-name", name, *given)["structuredContent"]

    done = {name: call(name, arguments) for name, arguments in SHIPPED.items()}
    return Seen(
        revision=ask("initialize")["protocolVersion"],
        tools=frozenset(tool["name"] for tool in ask("tools/list")["tools"]),
        username=done["get-user-profile"]["username"],
        worked=frozenset(done),
    )


def python_sdk(mode: str, served: Served, home: Path) -> Seen:
    """The SDK's client over its own HTTP, as `manage.py connect python` prints it."""

    async def look() -> Seen:
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {served.key}"})
        transport = streamable_http_client(f"{served.origin}/mcp", http_client=http)
        async with http, Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
            return await seen_by(client)

    return asyncio.run(look())


def mcp_remote(mode: str, served: Served, home: Path) -> Seen:
    """The proxy for clients that only speak over pipes, as `manage.py connect claude-desktop` prints it."""
    printed = json.loads(instructions("claude-desktop", served.origin, served.key))["mcpServers"]["concierge"]
    _yes, _package, *arguments = printed["args"]
    command = StdioServerParameters(
        command=str(node()),
        args=[str(MCP_REMOTE), *arguments],
        env=clean_environ() | {"HOME": str(home), "MCP_REMOTE_CONFIG_DIR": str(home)} | printed["env"],
    )

    async def look() -> Seen:
        with (home / "stderr").open("a") as log:
            async with Client(stdio_client(command, log), mode=mode, read_timeout_seconds=PATIENCE) as client:
                return await seen_by(client)

    return asyncio.run(look())


LOOK_ROUND = """
const worked = [];
let username = "";
for (const [name, args] of Object.entries(SHIPPED)) {
  const done = await client.callTool({ name, arguments: args });
  if (!done.isError && done.structuredContent) worked.push(name);
  username = done.structuredContent?.username ?? username;
}
const tools = (await client.listTools()).tools.map((tool) => tool.name);
console.log(JSON.stringify({ revision: client.getNegotiatedProtocolVersion(), tools, username, worked }));
"""


def typescript(mode: str, served: Served, home: Path) -> Seen:
    """The script is the one that `manage.py connect typescript` prints; before it closes, it looks round."""
    printed = instructions("typescript", served.origin, served.key).replace('"auto"', json.dumps(mode))
    *begin, close = printed.splitlines()
    script = home / "connect.mjs"
    script.write_text("\n".join([*begin, LOOK_ROUND.replace("SHIPPED", json.dumps(SHIPPED)), close]))
    with suppress(FileExistsError):
        (home / "node_modules").symlink_to(MODULES)
    done = subprocess.run(
        [node(), script], env=clean_environ(), capture_output=True, text=True, timeout=LONGEST, check=True
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    return Seen(seen["revision"], frozenset(seen["tools"]), seen["username"], frozenset(seen["worked"]))


async def seen_by(client: Client) -> Seen:
    tools = (await client.list_tools()).tools
    results = {name: await client.call_tool(name, arguments) for name, arguments in SHIPPED.items()}
    done = {name: result.structured_content for name, result in results.items() if not result.is_error}
    names = frozenset(tool.name for tool in tools)
    username = str((done.get("get-user-profile") or {}).get("username"))
    return Seen(client.protocol_version, names, username, frozenset(name for name in done if done[name]))


def our_socket(mode: str, served: Served, home: Path) -> Seen:
    """The SDK's client over the transport that we give it."""

    async def look() -> Seen:
        transport = websocket(socket_of(served), token=served.key)
        async with Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
            return await seen_by(client)

    return asyncio.run(look())


def sdk_1(served: Served, home: Path) -> Seen:
    """In a process of its own: two versions of one package do not fit into one."""
    command = [sys.executable, str(SDK_1_CLIENT), socket_of(served), served.key]
    environ = clean_environ() | {"PYTHONPATH": str(SDK_1)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LONGEST, check=True)
    seen = json.loads(done.stdout)
    return Seen(seen["revision"], frozenset(seen["tools"]), seen["username"])


def socket_of(served: Served) -> str:
    return f"{served.origin.replace('http', 'ws', 1)}/ws/mcp"


VISITS = [
    Visit("Inspector", "2025-11-25", partial(inspector, "legacy")),
    Visit("Inspector", "2026-07-28", partial(inspector, "modern")),
    Visit("Python SDK", "2025-11-25", partial(python_sdk, "legacy")),
    Visit("Python SDK", "2026-07-28", partial(python_sdk, "auto")),
    Visit("TypeScript SDK", "2025-11-25", partial(typescript, "legacy")),
    Visit("TypeScript SDK", "2026-07-28", partial(typescript, "auto")),
    Visit("mcp-remote", "2025-11-25", partial(mcp_remote, "legacy")),
    Visit("mcp-remote", "2026-07-28", partial(mcp_remote, "auto")),
    Visit("Python SDK 1.30, WebSocket", "2025-11-25", sdk_1),
    Visit("our WebSocket", "2025-11-25", partial(our_socket, "legacy")),
    Visit("our WebSocket", "2026-07-28", partial(our_socket, "auto")),
]


def run(served: Served, scratch: Path) -> list[str]:
    """Let each come, and print a line for each. What failed."""
    failed: list[str] = []
    for visit in VISITS:
        began = time.monotonic()
        problems = visit.problems(served, scratch / visit.name)
        verdict = "failed" if problems else "passed"
        print(f"{visit.revision:<12}{visit.name:<28}{verdict:>9}{time.monotonic() - began:>8.1f}", flush=True)
        failed += [f"{visit.revision} {problem}" for problem in problems]
    return failed
