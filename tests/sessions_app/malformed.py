"""Requests that no client should send, as strategies: good ones, and what can be wrong with them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from mcp.shared.inbound import encode_header_value

from tests.wire import NAMED, VERSION

Headers = list[tuple[bytes, bytes]]
Path = tuple[str | int, ...]

META = "io.modelcontextprotocol/"
ENVELOPE = {
    f"{META}protocolVersion": VERSION,
    f"{META}clientInfo": {"name": "pytest", "version": "1"},
    f"{META}clientCapabilities": {"elicitation": {"form": {}}},
    "progressToken": "p1",
}
GOOD: dict[str, dict[str, Any]] = {
    "tools/call": {"name": "typed", "arguments": {"number": 1, "tags": ["a"], "note": None}},
    "tools/list": {"cursor": "ZWNobw=="},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "suggest"},
        "argument": {"name": "drink", "value": "t"},
        "context": {"arguments": {"mood": "calm"}},
    },
    "prompts/get": {"name": "suggest", "arguments": {"drink": "tea", "mood": "calm"}},
    "resources/read": {"uri": "shop://items/tea"},
    "subscriptions/listen": {
        "notifications": {"toolsListChanged": True, "resourceSubscriptions": ["shop://menu", "shop://none"]}
    },
}


def good(method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": GOOD[method] | {"_meta": ENVELOPE}}


def steady(examples: int) -> settings:
    """The same examples on every machine, however long one takes."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
WORDS = [
    "",
    "null",
    "[1]",
    "tools/call",
    "restock",
    "suggest",
    "shop://ledger",
    "../..",
    "{item}",
    "%00",
    "é" * 300,
]
TEXTS = LETTERS | st.sampled_from(WORDS)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
NEVER_JSON = st.text(max_size=8) | st.integers() | st.floats() | st.sampled_from(["\x00", "\ud800", 2**53, 10**30])
KEYS = TEXTS | st.sampled_from(["_meta", "id", "method", "params", "name", "uri", "requestState", "task"])


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to each part of a document, the whole one first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, message: dict[str, Any]) -> Any:
    """`message` with some of its parts dropped, replaced, renamed or made up."""
    document: Any = {"": copy.deepcopy(message)}
    for _ in range(draw(st.integers(1, 3))):
        everywhere = [path for path in paths(document) if path]
        # Most of what is wrong is wrong far inside; the envelope would refuse the rest.
        deep = [path for path in everywhere if path[:2] == ("", "params") and path[2:3] != ("_meta",)]
        *way, key = draw(st.sampled_from(deep or everywhere) | st.sampled_from(everywhere))
        parent = document
        for step in way:
            parent = parent[step]
        match draw(st.sampled_from(["drop", "replace", "rename", "wrap", "add", "spoil"])):
            case "drop" if way:
                del parent[key]
            case "rename" if way and isinstance(parent, dict):
                parent[draw(KEYS)] = parent.pop(key)
            case "wrap":
                parent[key] = draw(st.sampled_from([[parent[key]], {"value": parent[key]}, [parent[key]] * 2]))
            case "spoil" if draw(st.booleans()):
                parent[key] = draw(NEVER_JSON)
            case "add" if isinstance(parent[key], dict):
                parent[key][draw(KEYS)] = draw(ANYTHING)
            case _:
                parent[key] = draw(ANYTHING)
    return document[""]


def headers_for(key: str, message: Any, method: str) -> Headers:
    """Headers that agree with the body where they can, so that it is refused further in."""
    request = as_object(message)
    params = as_object(request.get("params"))
    said = request.get("method", method)
    headers = {
        "host": "127.0.0.1:8000",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-method": said if isinstance(said, str) else method,
        "mcp-protocol-version": str(as_object(params.get("_meta")).get(f"{META}protocolVersion", VERSION)),
    }
    if isinstance(name := params.get(NAMED.get(method, "")), str):
        headers["mcp-name"] = encode_header_value(name.encode("utf-8", "replace").decode())
    return [(field.encode(), value.encode("latin-1", "replace")) for field, value in headers.items()]


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


SCRAPS = [b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"{", b"]", b"," * 99, b"[" * 99, b"\\ud800"]


@st.composite
def torn(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with some bytes cut out, put in, repeated or flipped."""
    pieces = bytearray(body)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(pieces)))
        end = min(len(pieces), start + draw(st.sampled_from([0, 1, 2, 8, 1000])))
        twice = bytes(pieces[start:end] * 2)
        pieces[start:end] = draw(st.binary(max_size=4) | st.sampled_from(SCRAPS) | st.just(twice))
    return bytes(pieces)


NAMES = st.sampled_from(
    [
        b"host", b"origin", b"authorization", b"x-api-key", b"content-type", b"content-length",
        b"content-encoding", b"accept", b"mcp-method", b"mcp-name", b"mcp-protocol-version", b"mcp-session-id",
        b"mcp-param-region", b"last-event-id", b"transfer-encoding", b"expect", b"user-agent",
        b"x-forwarded-for", b"cookie", b"",
    ]
)  # fmt: skip
VALUES = st.binary(max_size=12) | st.sampled_from(
    [
        b"", b"null", b"Bearer", b"Bearer \xff", b"Bearer cgk_", b"cgk_aaaaaaaaaaaa_" + b"a" * 49, b"tools/list",
        b"=?base64?w6k=?=", b"=?base64?!?=", b"2025-11-25", b"2026-07-28", b"application/json",
        b"text/event-stream", b"127.0.0.1:8000", b"http://127.0.0.1:8000", b"evil.com", b"0", b"-1", b"9" * 30,
        b"chunked", b"x" * 9000,
    ]
)  # fmt: skip


@st.composite
def meddled(draw: st.DrawFn, headers: Headers) -> Headers:
    """`headers` with some left out, changed, doubled or made up."""
    lines = list(headers)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "change", "double", "add"])):
            case "drop" if len(lines) > 1:
                del lines[position]
            case "change":
                lines[position] = (lines[position][0], draw(VALUES))
            case "double":
                lines.append(lines[position])
            case _:
                lines.insert(position, (draw(NAMES), draw(VALUES)))
    return lines


# --- As it goes over a socket ---------------------------------------------------------------------

LINES = st.sampled_from(
    [
        b"POST /mcp HTTP/1.0", b"POST /mcp HTTP/2.0", b"POST /mcp HTTP/1.1 ", b"POST /mcp",
        b"POST  /mcp HTTP/1.1", b"POST /mcp\x00 HTTP/1.1", b"POST /\xff HTTP/1.1", b"POST /%ff HTTP/1.1",
        b"POST /mcp?key=cgk_x HTTP/1.1", b"POST /mcp?\xff HTTP/1.1", b"POST /mcp#x HTTP/1.1",
        b"POST http://evil.com/mcp HTTP/1.1", b"POST * HTTP/1.1", b"POST //mcp HTTP/1.1",
        b"POST /mcp/../mcp HTTP/1.1", b"POST /%6dcp HTTP/1.1", b"POST /mcp/ HTTP/1.1", b"GET /mcp HTTP/1.1",
        b"GET / HTTP/1.1", b"HEAD /mcp HTTP/1.1", b"DELETE /mcp HTTP/1.1", b"OPTIONS * HTTP/1.1",
        b"CONNECT 127.0.0.1:8000 HTTP/1.1", b"PRI * HTTP/2.0", b"post /mcp HTTP/1.1", b"POST /admin/ HTTP/1.1",
        b"POST /livez HTTP/1.1", b"\x16\x03\x01\x02\x00\x01", b"", b"\r\n", b"X" * 3000, b"\xff\xfe",
    ]
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        b"Host: 127.0.0.1:8000", b"Host: evil.com", b"Host:", b"Host : 127.0.0.1:8000", b"Origin: null",
        b"Content-Type: text/plain", b"Content-Length: 2", b"Content-Length: -1", b"Content-Length: 99",
        b"Content-Length: " + b"9" * 30, b"Content-Length: 2, 2", b"Content-Length: 0x2",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \x0bchunked",
        b"Expect: 100-continue", b"Expect: x", b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c\r\nConnection: Upgrade", b"Upgrade: x", b"Connection: keep-alive",
        b"Authorization: Bearer \xff", b"X-Api-Key: cgk_x", b"X-Null: a\x00b", b"X-Folded: a\r\n b",
        b"X-Bare: a\rb", b"No colon here", b": no name", b"X-Long: " + b"x" * 9000, b"\xff: \xff",
        b"X-High: \xff", b"Mcp-Method: tools/list", b"Mcp-Protocol-Version: x", b"Accept: text/html",
        b"Cookie: sessionid=\xff; csrftoken=x", b"X-Forwarded-For: \xff", b"Forwarded: for=x",
        b"Range: bytes=0-",
    ]
)  # fmt: skip
BODIES = st.binary(max_size=40) | st.sampled_from(
    [
        b"", b"{}", b"[]", b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}", b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"f" * 18,
        b"2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\n", b"{}POST /mcp HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"{" * 99,
    ]
)  # fmt: skip


def raw_lines(key: str) -> tuple[list[bytes], bytes]:
    """A good tools/call as it goes over a socket: its head, line by line, and its body."""
    message = good("tools/call")
    body = json.dumps(message).encode()
    lines = [b"%b: %b" % field for field in headers_for(key, message, "tools/call")]
    return [b"POST /mcp HTTP/1.1", *lines, b"content-length: %d" % len(body), b"connection: close"], body


@st.composite
def raw_requests(draw: st.DrawFn, key: str) -> bytes:
    lines, body = raw_lines(key)
    end = b"\r\n"
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["line", "add", "drop", "end", "body", "tear"])):
            case "line":
                lines[0] = draw(LINES)
            case "add":
                lines.insert(draw(st.integers(1, len(lines))), draw(FIELDS))
            case "drop":
                del lines[draw(st.integers(1, len(lines) - 1))]
            case "end":
                end = draw(st.sampled_from([b"\n", b"\r", b"\r\r\n"]))
            case "body":
                body = draw(BODIES)
            case "tear":
                body = draw(torn(body))
    return end.join([*lines, b"", body])
