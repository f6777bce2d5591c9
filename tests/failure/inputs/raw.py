"""Bytes that are hardly HTTP."""

from tests.failure.chance import SNIPPETS, Chance

from .given import Given
from .headers import valid
from .http import request

LINES = (
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: xchunked", b"transfer-encoding : chunked", b"Transfer-Encoding: gzip, chunked",
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: +5", b"Content-Length: 5, 5",
    b"Content-Length: -1",
    b"Content-Length: 0x5", b"Content-Length: 99999999999999999999", b"Content-Length:", b"Content-Length: 1 1",
    b" folded: yes", b"\tfolded", b"no colon", b": no name", b"na me: x", b"name\x00: x", b"name: a\x00b",
    b"name: a\rb",
    b"n\xc3\xa4me: x", b"name: \xff\xfe", b"name:" + b" " * 9000, b"x" * 9000 + b": x", b"Host: other", b"Host:",
    b"Connection: close", b"Connection: Upgrade", b"Upgrade: websocket",
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"Expect: 100-continue", b"Trailer: x", b"X: " + b"y" * 70_000, b"GET / HTTP/1.1", b"",
)  # fmt: skip
STARTS = (
    b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/9.9", b"GET /",
    b"GET", b"",
    b"PRI * HTTP/2.0", b"OPTIONS * HTTP/1.1", b"CONNECT 127.0.0.1:80 HTTP/1.1", b"TRACE / HTTP/1.1",
    b"FOO / HTTP/1.1",
    b"get / HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/\tHTTP/1.1", b" GET / HTTP/1.1",
    b"GET / HTTP/1.1 ",
    b"GET http://127.0.0.1/ HTTP/1.1", b"GET //evil.example/ HTTP/1.1", b"GET \\ HTTP/1.1",
    b"GET /\x00 HTTP/1.1",
    b"GET /%00 HTTP/1.1", b"GET /%ff%fe HTTP/1.1", b"GET /%zz HTTP/1.1", b"GET /\xff HTTP/1.1",
    b"GET /../../ HTTP/1.1",
    b"GET /mcp/../me/ HTTP/1.1", b"GET /?" + b"a=b&" * 3000 + b" HTTP/1.1",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    b"GET /#x HTTP/1.1", b"GET /admin/%2e%2e/ HTTP/1.1", b"GET /api/keys/%0a HTTP/1.1",
    b"PUT /sign-in/ HTTP/1.1",
    b"PATCH /mcp HTTP/1.1", b"QUERY /mcp HTTP/1.1", b"POST /ws/mcp HTTP/1.1", b"GET /ws/mcp HTTP/1.1",
    b"M-SEARCH * HTTP/1.1",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 50, b"\r\n\r\nGET / HTTP/1.1",
    b"GET / HTTP/1.1\nX: y",
)  # fmt: skip


def raw(chance: Chance, given: Given) -> bytes:
    """Bytes that begin as a request."""
    parts = [request(*valid(chance, given)) for _ in range(chance.choice((1, 1, 1, 2, 5)))]
    at = chance.randrange(len(parts))
    head, _, body = parts[at].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    match chance.randrange(7):
        case 0:
            lines[0] = chance.choice(STARTS)
        case 1 | 2:
            lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(LINES))
        case 3:
            lines = [*without_length(lines), b"Transfer-Encoding: chunked"]
            body = chunked(chance, body)
        case 4:
            lines = [
                *without_length(lines),
                b"Content-Length: %d" % chance.choice((0, 1, len(body) + 5, 2**20 + 1, 2**40)),
            ]
        case 5:
            lines = [chance.damaged(line) if chance.one_in(4) else line for line in lines]
    end = chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
    parts[at] = end.join(lines) + end * 2 + body
    data = b"".join(parts)
    return chance.damaged(data, 5) if chance.one_in(3) else data


def without_length(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.lower().startswith(b"content-length")]


def chunked(chance: Chance, body: bytes) -> bytes:
    """In chunks that may lie."""
    pieces = [body[start : start + 50] for start in range(0, len(body), 50)]
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    ends = (
        b"0\r\n\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"00000\r\n\r\n",
        b"-1\r\n",
        b"ffffffffffffffff\r\n",
        b"",
        b"5",
    )
    data += chance.choice(ends)
    sizes = (b"0x", b"g", b" ", b";ext=" + b"x" * 300, b"\x00", b"ffffffff")
    if chance.one_in(2):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice((*sizes, *SNIPPETS)) + data[at:]
    return data
