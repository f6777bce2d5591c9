"""A client and its load: a handshake, where the revision has one; then one kind of call, over and over, by wrk."""

import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
CLIENT = {"name": "bench", "version": "1"}
SCRIPT = Path(__file__).with_name("call.lua")


class WrongAnswer(Exception):
    """A server refused, or said something else than it should: its figures would mean nothing."""


@dataclass(frozen=True)
class Call:
    """One tools/call of one revision, and the text that answers it."""

    tool: str
    text: str
    arguments: dict[str, str] = field(default_factory=dict)
    revision: str = MODERN

    def body(self) -> str:
        params: dict[str, Any] = {"name": self.tool, "arguments": self.arguments}
        if self.revision == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": CLIENT,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    def headers(self) -> dict[str, str]:
        names = {"Mcp-Method": "tools/call", "Mcp-Name": self.tool} if self.revision == MODERN else {}
        return {"MCP-Protocol-Version": self.revision, **names}


@dataclass(frozen=True)
class Line:
    """A client's line to one server: its token, and the session that the server may keep for it."""

    port: int
    token: str
    session_id: str | None = None

    @classmethod
    def open(cls, port: int, token: str, call: Call) -> Self:
        """Shake hands, if the call's revision does. ConnectionError while nobody listens."""
        line = cls(port, token)
        return replace(line, session_id=line.shake_hands()) if call.revision == HANDSHAKE else line

    def shake_hands(self) -> str | None:
        params = {"protocolVersion": HANDSHAKE, "clientInfo": CLIENT, "capabilities": {}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        status, answer, session_id = self.post(json.dumps(message), {})
        if status != 200 or json.loads(answer).get("result", {}).get("protocolVersion") != HANDSHAKE:
            raise WrongAnswer(f"initialize: status {status}, {answer[:500]}")
        return session_id

    def verify(self, call: Call) -> None:
        """Make the call once and read the answer."""
        status, answer, _ = self.post(call.body(), call.headers())
        if status != 200 or not is_right(json.loads(answer), call):
            raise WrongAnswer(f"{call.tool}: status {status}, {answer[:500]}")

    def headers(self) -> dict[str, str]:
        session = {} if self.session_id is None else {"Mcp-Session-Id": self.session_id}
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **session,
        }

    def post(self, body: str, headers: dict[str, str]) -> tuple[int, str, str | None]:
        """Status, body, and the session that the server opened."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/mcp", body, {**self.headers(), **headers})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.getheader("Mcp-Session-Id")
        finally:
            connection.close()


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw; times in microseconds. wrk corrects latencies for coordinated omission."""

    requests: int
    duration: int
    p50: int
    p99: int

    @property
    def rate(self) -> float:
        return self.requests / self.duration * 1e6


def is_right(answer: dict[str, Any], call: Call) -> bool:
    result = answer.get("result", {})
    texts = [block.get("text") for block in result.get("content", [])]
    return texts == [call.text] and not result.get("isError", False)


def run(line: Line, call: Call, *, seconds: int, connections: int, core: int) -> Load:
    """Raise WrongAnswer unless every single answer was right."""
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
    finished = subprocess.run(
        [*command, "--timeout=10s", f"--script={SCRIPT}", f"http://127.0.0.1:{line.port}/mcp"],
        env=os.environ
        | {
            "BENCH_HEADERS": "\n".join(map(": ".join, {**line.headers(), **call.headers()}.items())),
            "BENCH_BODY": call.body(),
            "BENCH_TEXT": call.text,
        },
        preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WrongAnswer(f"wrk failed: {finished.stdout}{finished.stderr}")
    return parse(finished.stdout)


def parse(output: str) -> Load:
    lines = [line.partition(" ") for line in output.splitlines()]
    figures = next(rest for word, _, rest in lines if word == "figures")
    requests, duration, p50, p99, refused, wrong, lost = map(int, figures.split())
    if refused or wrong or lost or not requests:
        sample = next((rest for word, _, rest in lines if word == "sample"), "")
        raise WrongAnswer(f"{refused} not 200, {wrong} wrong answers, {lost} lost of {requests} calls. {sample}")
    return Load(requests, duration, p50, p99)
