"""Requests whose headers were changed."""

import json

from tests.failure.chance import Chance
from tests.wire import HANDSHAKE_VERSION, VERSION, Wire

from .given import TOKEN, Given, Headers
from .http import bearer, on_one_line, request
from .messages import envelope_headers

POOL: dict[str, tuple[str, ...]] = {
    "Mcp-Method": ("tools/call", "tools/list", "TOOLS/CALL", "=?base64?dG9vbHMvY2FsbA==?=", "=?base64?!?=", ""),
    "Mcp-Name": ("echo", "Echo", "=?base64?ZWNobw==?=", "=?base64?/w==?=", "=?base64??=",
    "=?BASE64?ZWNobw==?=", "é"),
    "Mcp-Param-Region": ("eu", "", "=?base64?ZXU=?=", "=?base64?"),
    "Mcp-Param-": ("x",),
    "MCP-Protocol-Version": (VERSION, HANDSHAKE_VERSION, "2025-03-26", "2024-11-05", "1.0", "2099-01-01", ""),
    "Mcp-Session-Id": ("A" * 43, "", "x" * 5000, "../", "%00"),
    "Origin": ("null", "http://evil.example", "http://127.0.0.1", "https://127.0.0.1:99999", "http://[",
    "file://", ""),
    "Host": ("localhost", "evil.example", "127.0.0.1:99999999", "[::1", "a@b", "", "127.0.0.1:80:80",
    "127.0.0.1\\"),
    "Authorization": (
        "Bearer", "bearer x", "Basic YTpi", "Basic !", "Bearer a b", "Bearer  ", "Digest x",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLyJ9.eyJzdWIiOjF9.AAAA", "Bearer ....", "Bearer eyJ.eyJ.x",
        "Bearer é",
    ),
    "X-API-Key": ("mcp_key_a", "mcp_key_aaaaaaaaaaaa_" + "b" * 50, ""),
    "X-Session-Token": ("mcp_st_a", "x" * 300, ""),
    "Content-Type": (
        "text/plain", "application/json; charset=utf-16", "application/json;;;", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 300,
        "application/x-www-form-urlencoded",
        "application/json, text/html", "*/*", "", "application/json; charset=nonsense",
        'multipart/form-data; boundary="',
    ),
    "Accept": ("*/*", "application/json", "text/event-stream", "text/html;q=nan", "a/b;q=-1", "*", "", ";",
    "a/b;" * 500),
    "Accept-Encoding": ("gzip", "br;q=1.0", "identity;q=0", "*;q=0", "gzip;q=x", ""),
    "Accept-Language": ("de", "xx-" + "a" * 500, "en;q=nan", "*", ",", "é"),
    "Content-Encoding": ("gzip", "identity", "br", ""),
    "Cookie": ("sessionid=", "sessionid=x; sessionid=y", "csrftoken=" + TOKEN, "a", "=;=;=", "sessionid=%00",
    "a=" + "b" * 4000),
    "X-CSRFToken": (TOKEN, "é", ""),
    "Referer": ("http://evil.example/", "http://[", ""),
    "X-Forwarded-For": ("1.2.3.4", "1.2.3.4, x", "::1", "x" * 1000, ""),
    "X-Forwarded-Proto": ("https", "x"),
    "X-Forwarded-Host": ("evil.example",),
    "Forwarded": ("for=1.2.3.4;proto=https",),
    "X-HTTP-Method-Override": ("DELETE",),
    "X-Request-Id": ("x", "a b", "x" * 500),
    "traceparent": ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0", "ff-" + "0" * 32),
    "tracestate": ("a=1", "=" * 600),
    "baggage": ("a=1", "=" * 600),
    "Idempotency-Key": ("a", "é", "a" * 300, ""),
    "Last-Event-ID": ("1", "x"),
    "If-None-Match": ("*", "x", '"'),
    "If-Modified-Since": ("x", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Jan 99999 00:00:00 GMT"),
    "Range": ("bytes=0-", "bytes=-", "bytes=" + "0-1," * 500, "x"),
    "Expect": ("100-continue", "x"),
    "Connection": ("close", "keep-alive", "x", "Upgrade, x"),
    "TE": ("trailers",),
    "Date": ("x",),
    "User-Agent": ("", "x" * 3000, "é"),
    "X_Api_Key": ("x",),
    "Mcp_Session_Id": ("x",),
    "Sec-Fetch-Site": ("cross-site", "x"),
}  # fmt: skip


def valid(chance: Chance, given: Given) -> tuple[str, str, Headers, bytes]:
    """A request that is answered with success."""
    host = ("Host", given.host)
    key, session = chance.choice(given.sessions)
    both = [("Accept", "application/json, text/event-stream"), ("Content-Type", "application/json")]
    kept = [bearer(key), ("Mcp-Session-Id", session), ("MCP-Protocol-Version", HANDSHAKE_VERSION)]
    match chance.randrange(8):
        case 0 | 1 | 2:
            content = Wire(None).request("tools/call", {"name": "echo", "arguments": {"text": "a"}})
            who = bearer(given.key(chance))
            return (
                "POST",
                "/mcp",
                [host, *both, who, *envelope_headers(chance, content)],
                json.dumps(content).encode(),
            )
        case 3 | 4:
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "menu"}}
            call["params"] = {"name": "by-region", "arguments": {"region": "eu"}}
            return "POST", "/mcp", [host, *both, *kept], json.dumps(call).encode()
        case 5:
            method = "GET" if not chance.one_in(20) else "DELETE"
            return method, "/mcp", [host, ("Accept", "text/event-stream"), *kept], b""
        case 6:
            return (
                "GET",
                chance.choice(("/api/keys/", "/api/usage/", "/api/preferences/")),
                [host, bearer(key)],
                b"",
            )
    return "GET", chance.choice(given.paths), [host, ("Cookie", f"sessionid={chance.choice(given.cookies)}")], b""


def headers(chance: Chance, given: Given) -> bytes:
    """A valid request with other headers. Where it ends is not touched."""
    method, path, sent, body = valid(chance, given)
    for _ in range(chance.randint(1, 4)):
        sent = with_other(chance, sent)
    return request(method, path, [(name, on_one_line(value)) for name, value in sent], body)


def with_other(chance: Chance, sent: Headers) -> Headers:
    sent = list(sent)
    at = chance.randrange(len(sent)) if sent else 0
    match chance.randrange(10):
        case 0 if sent:
            del sent[at]
        case 1 if sent:
            sent.insert(at, sent[at])
        case 2 if sent:
            name, value = sent[at]
            sent[at] = (
                name,
                chance.text(value + " ", value.upper(), value * 2, value[:-1], f'"{value}"', f"{value},"),
            )
        case 3 if sent:
            name, value = sent[at]
            sent[at] = (chance.choice((name.upper(), name.lower(), name.replace("-", "_"), name)), value)
        case 4 if sent and sent[at][0] in POOL:
            sent[at] = (sent[at][0], chance.choice(POOL[sent[at][0]]))
        case 5 if chance.one_in(4):
            sent += [
                (f"X-{number}", "x" * chance.choice((1, 100, 600))) for number in range(chance.randint(40, 130))
            ]
        case 6 if chance.one_in(4):
            sent.append((chance.choice(list(POOL)), "x" * chance.choice((8000, 9000, 40_000, 70_000))))
        case _:
            name = chance.choice(list(POOL))
            sent.insert(at, (name, chance.choice(POOL[name]) if not chance.one_in(4) else chance.text()))
    return sent
