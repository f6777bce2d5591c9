"""Who is let into a socket: each way of asking, and how the others are told. None is a 5xx."""

from typing import Any

import pytest

from sessions_app.models import Session, User
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.rest import browser
from tests.socket import USUAL, Line, dial
from tests.wire import Exchange, Wire, encoded

pytestmark = pytest.mark.alike

ORIGIN = "http://127.0.0.1:8000"
PUBLIC = {"host": "mcp.example.com"}
HERE: dict[str, str | None] = {}


def origin(value: str) -> dict[str, str | None]:
    return {"origin": value}


def host(value: str | None) -> dict[str, str | None]:
    return {"host": value}


VARIANTS: dict[str, tuple[dict[str, Any], int]] = {
    # Origins: of this server, and of none other
    "no Origin": (HERE, 101),
    "its own Origin": (origin(ORIGIN), 101),
    "null": (origin("null"), 403),
    "an empty one": (origin(""), 403),
    "another site": (origin("http://evil.example"), 403),
    "https for http": (origin("https://127.0.0.1:8000"), 403),
    "ws for http": (origin("ws://127.0.0.1:8000"), 403),
    "another port": (origin("http://127.0.0.1:8001"), 403),
    "no port": (origin("http://127.0.0.1"), 403),
    "port 99999": (origin("http://127.0.0.1:99999"), 403),
    "a port that is none": (origin("http://127.0.0.1:x"), 403),
    "half an IPv6 address": (origin("https://[::1"), 403),
    "an IPv6 address": (origin("http://[::1]:8000"), 403),
    "another loopback name": (origin("http://localhost:8000"), 403),
    "userinfo": (origin("http://127.0.0.1:8000@evil.example"), 403),
    "userinfo before": (origin("http://evil@127.0.0.1:8000"), 403),
    "a suffix": (origin("http://127.0.0.1:8000.evil.example"), 403),
    "a prefix": (origin("http://evil127.0.0.1:8000"), 403),
    "upper case": (origin("HTTP://127.0.0.1:8000"), 403),
    "a trailing slash": (origin("http://127.0.0.1:8000/"), 403),
    "a path": (origin("http://127.0.0.1:8000/ws/mcp"), 403),
    "a trailing dot": (origin("http://127.0.0.1.:8000"), 403),
    "two in one": (origin(f"{ORIGIN}, http://evil.example"), 403),
    "bytes that are no ASCII": (origin("http://127.0.0.1:8000\xff"), 403),
    "a star": (origin("*"), 403),
    "a file": (origin("file://"), 403),
    "an extension": (origin("chrome-extension://abcdefgh"), 403),
    "spaces around": (origin(f" {ORIGIN}\t"), 101),
    "a space within": (origin("http://127.0.0.1 :8000"), 403),
    "a line break": (origin(f"{ORIGIN}\r\nx-y: z"), 403),
    "one that is very long": (origin("http://" + "a" * 5000), 403),
    "leading zeros": (origin("http://127.0.0.1:08000"), 403),
    "the address as a number": (origin("http://2130706433:8000"), 403),
    # Hosts
    "localhost": (host("localhost:8000"), 101),
    "a name of IPv6": (host("[::1]:8000"), 101),
    "no Host": (host(None), 421),
    "an empty Host": (host(""), 421),
    "a rebound name": (host("evil.example"), 421),
    "a rebound name with its Origin": ({"host": "evil.example", "origin": "http://evil.example"}, 421),
    "upper case in a Host": (host("LOCALHOST:8000"), 101),
    "a Host with a trailing dot": (host("localhost.:8000"), 421),
    "a Host with a suffix": (host("127.0.0.1.evil.example"), 421),
    "a Host with a port that is none": (host("127.0.0.1:x"), 421),
    "two Hosts in one": (host("127.0.0.1:8000, evil.example"), 421),
    "a Host with a path": (host("127.0.0.1:8000/x"), 421),
    "a Host with userinfo": (host("evil@127.0.0.1:8000"), 421),
    "a Host of no ASCII": (host("127.0.0.1:8000\xff"), 421),
    # Credentials
    "none": ({"authorization": None}, 401),
    "an empty credential": ({"authorization": ""}, 401),
    "Bearer alone": ({"authorization": "Bearer"}, 401),
    "Basic": ({"authorization": "Basic YWxpY2U6Y29ycmVjdA=="}, 401),
    "a bad one": ({"authorization": "Bearer cgk_nobody"}, 401),
    "a key in the header of tokens": ({"authorization": None, "x-session-token": "cgk_x"}, 401),
    "two": ({"x-api-key": "cgk_x"}, 400),
    "an empty one beside": ({"x-session-token": ""}, 400),
    "a digest": ({"authorization": 'Digest username="alice"'}, 401),
    "a key that is cut": ({"authorization": "Bearer cgk_000000000000_"}, 401),
    "bytes as a credential": ({"authorization": "Bearer \xff\xfe"}, 401),
    # What means nothing here
    "the id of a session": ({"mcp-session-id": "A" * 43}, 101),
    "a revision": ({"mcp-protocol-version": "1999-01-01"}, 101),
    "an event's id": ({"last-event-id": "7"}, 101),
    "a type and a length": ({"content-type": "text/plain", "content-length": "-1"}, 101),
    # Sizes
    "a header that is too large": ({"x-large": "x" * 9000}, 431),
    "too many headers": ({f"x-{number}": "x" for number in range(120)}, 431),
}
SCOPES: dict[str, tuple[dict[str, Any], int]] = {
    "the subprotocol beside others": ({"subprotocols": ["chat", "mcp"]}, 101),
    "no subprotocol": ({"subprotocols": []}, 400),
    "another subprotocol": ({"subprotocols": ["chat"]}, 400),
    "the subprotocol in capitals": ({"subprotocols": ["MCP"]}, 400),
    "the subprotocol and many more": ({"subprotocols": [*map(str, range(1000)), "mcp"]}, 101),
    "the subprotocol twice": ({"subprotocols": ["mcp", "mcp"]}, 101),
    "an empty subprotocol": ({"subprotocols": [""]}, 400),
    "a subprotocol that begins alike": ({"subprotocols": ["mcp.v2", "mcp "]}, 400),
    "a query string": ({"query_string": b"a=1"}, 400),
    "a token in the URL": ({"query_string": b"token=cgk_secret"}, 400),
    "an empty secret in the URL": ({"query_string": b"access_token="}, 400),
    "a trailing slash": ({"path": "/ws/mcp/"}, 101),
    "a path below": ({"path": "/ws/mcp/x"}, 403),
    "a path above": ({"path": "//ws/mcp"}, 403),
    "another case of its path": ({"path": "/WS/MCP"}, 403),
    "a path that goes up": ({"path": "/ws/mcp/../mcp"}, 403),
    "a query string of bytes": ({"query_string": b"\xff=%00"}, 400),
    "the path of HTTP": ({"path": "/mcp"}, 403),
    "the guests' path": ({"path": "/mcp/guest"}, 403),
    "a path of guests that there is not": ({"path": "/ws/mcp/guest"}, 403),
    "a path that is none": ({"path": "/ws/"}, 403),
    "the admin's": ({"path": "/admin/"}, 403),
    "no address": ({"client": None}, 101),
}


async def answered(line: Line) -> Line:
    await line.opened()
    if line.answer.status != 101:
        await line.over()
    return line


@pytest.mark.parametrize("name", VARIANTS)
async def test_by_its_headers(wire: Wire, name: str) -> None:
    headers, status = VARIANTS[name]
    line = await answered(dial(wire.key, headers))
    assert line.answer.status == status
    if status == 101:
        assert line.subprotocol == "mcp"
        await line.leave()
    else:
        assert line.answer.error["message"]
        assert line.answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in line.answer.headers) == (status == 401)


@pytest.mark.parametrize("name", SCOPES)
async def test_by_what_it_asks_for(wire: Wire, name: str) -> None:
    details, status = SCOPES[name]
    line = await answered(dial(wire.key, **details))
    assert line.answer.status == status
    assert b"secret" not in line.answer.body
    await line.leave()


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "x-api-key"])
async def test_a_header_that_is_there_twice_is_refused(wire: Wire, name: str) -> None:
    value = {"host": "127.0.0.1:8000", "origin": ORIGIN, "authorization": f"Bearer {wire.key}"}.get(name, "cgk_x")
    usual = encoded({**USUAL, "authorization": f"Bearer {wire.key}"})
    twice = [(name.encode(), value.encode())] * (1 if name in ("host", "authorization") else 2)
    assert (await answered(Line([*usual, *twice]))).answer.status == 400


@pytest.mark.parametrize("name", [name for name, (_, status) in VARIANTS.items() if status != 101])
async def test_a_refusal_is_the_one_that_http_gives(wire: Wire, name: str) -> None:
    headers, _ = VARIANTS[name]
    over_http = await wire.ask("tools/list", headers=headers)
    line = await answered(dial(wire.key, headers))
    del line.answer.headers["content-length"], over_http.headers["content-length"]  # a request has an id
    assert (line.answer.status, line.answer.headers) == (over_http.status, over_http.headers)
    assert line.answer.error == over_http.error
    assert not await Session.objects.aexists()


async def test_a_cookie_opens_nothing(alice: User) -> None:
    cookie = (await identity_pool.run(lambda: browser(alice))).headers["cookie"]
    line = await answered(dial(None, {"cookie": cookie, "origin": ORIGIN}))
    assert line.answer.status == 401
    assert not await Session.objects.aexists()


async def test_a_refused_handshake_leaves_nothing(alice: User) -> None:
    narrow = await identity_pool.run(lambda: key_for(alice, rate="2/h"))
    for _ in range(2):
        line = await answered(dial(narrow))
        assert line.answer.status == 101
        await line.leave()
    refused = await answered(dial(narrow))
    assert (refused.answer.status, refused.answer.error["data"]["limit"]) == (429, "api-key")
    assert not await Session.objects.aexists()


@pytest.mark.parametrize("path", ["/ws/mcp", "/ws/mcp/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS"])
async def test_http_at_its_path_is_told_what_it_is(wire: Wire, method: str, path: str) -> None:
    for headers in ({"host": "127.0.0.1:8000"}, {"host": "evil.example", "origin": "null"}):
        answer = await Exchange(b"", encoded(headers), method=method, path=path).wait()
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
