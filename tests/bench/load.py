"""wrk, driven: one kind of call for some seconds, and what came of it."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

REVISION = "2026-07-28"
SCRIPT = Path(__file__).with_name("call.lua")


class WrongAnswer(Exception):
    """A server refused, or said something else than it should: its figures would mean nothing."""


@dataclass(frozen=True)
class Call:
    """One tools/call and the text that answers it."""

    tool: str
    text: str
    arguments: dict[str, str] = field(default_factory=dict)

    def body(self) -> str:
        meta = {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": self.tool, "arguments": self.arguments, "_meta": meta}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    def headers(self, token: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": REVISION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": self.tool,
        }


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


def verify(port: int, token: str, call: Call) -> None:
    """Make the call once and read the answer; ConnectionError while nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/mcp", call.body(), call.headers(token))
        response = connection.getresponse()
        status, answer = response.status, response.read().decode()
    finally:
        connection.close()
    if status != 200 or not is_right(json.loads(answer), call):
        raise WrongAnswer(f"{call.tool}: status {status}, {answer[:500]}")


def is_right(answer: dict[str, Any], call: Call) -> bool:
    result = answer.get("result", {})
    texts = [block.get("text") for block in result.get("content", [])]
    return texts == [call.text] and not result.get("isError", False)


def run(port: int, token: str, call: Call, *, seconds: int, connections: int, core: int) -> Load:
    """Raise WrongAnswer unless every single answer was right."""
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
    finished = subprocess.run(
        [*command, "--timeout=10s", f"--script={SCRIPT}", f"http://127.0.0.1:{port}/mcp"],
        env=os.environ
        | {
            "BENCH_TOKEN": token,
            "BENCH_BODY": call.body(),
            "BENCH_TOOL": call.tool,
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
