"""What is refused before anybody is looked up: by where it came from, what it is, and how large it is."""

from collections.abc import Iterable
from typing import Any

import pytest

from project.asgi import server
from sessions_app.exceptions import Refused
from sessions_app.transport.guard import Guard
from sessions_app.transport.http import McpHttpConsumer
from tests.wire import Answer, Wire

Headers = list[tuple[bytes, bytes]]

KIB = 1024
STRANGER = Wire("nobody's key")
PUBLIC = "https://mcp.example.com"


def list_tools(wire: Wire, *more: tuple[bytes, bytes], without: Iterable[str] = ()) -> Headers:
    """The headers of a tools/list, less some and with more."""
    usual = wire.headers(wire.request("tools/list"))
    return [(name.encode(), value.encode()) for name, value in usual.items() if name not in without] + list(more)


async def send(wire: Wire, headers: Headers, **scope: Any) -> Answer:
    return await wire.post(wire.request("tools/list"), raw_headers=headers, **scope)


async def send_from(wire: Wire, host: str, origin: str | None = None) -> Answer:
    headers = list_tools(wire, (b"host", host.encode("latin-1")), without=["host"])
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1")))
    return await send(wire, headers)


# --- Host and Origin ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "127.0.0.1.evil.com", "127.0.0.1.evil.com:8000", "evil-localhost", "evil.localhost",
        "localhost.evil.com", "localhostx", "xlocalhost:8000", "127.0.0.11", "1127.0.0.1", "127x0x0x1",
        "localhost.", "localhost.:8000", "127.0.0.1.", "127.0.0.1:", "127.0.0.1:8000:8000", "127.0.0.1:123456",
        "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:x", "127.0.0.1:8000/", "127.0.0.1:8000/mcp", "127.0.0.1/mcp",
        "127.0.0.1?", "127.0.0.1#", "user@127.0.0.1", "user:pw@127.0.0.1:8000", "127.0.0.1:8000@evil.com",
        "http://127.0.0.1:8000", "//127.0.0.1", "[::1", "::1", "::1]", "[::1]evil.com", "[::1]:8000.evil.com",
        "[::2]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::1%eth0]", "0.0.0.0:8000", "127.0.0.2", "127.1",
        "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost localhost",
        "127.0.0.1, evil.com", "127.0.0.1\tevil.com", "127.0.0.1\x00", "127.0.0.1\n", "127.0.0.1\xff", "\xff",
        "\xb9\xb2\xb7.0.0.1", "null", "*", " ", "", "%6cocalhost", "mcp.example.com", "testserver",
    ],
)  # fmt: skip
async def test_a_strange_host_is_misdirected(asked: list[Any], host: str) -> None:
    for origin in (None, f"http://{host}"):
        answer = await send_from(STRANGER, host, origin)
        assert answer.status == 421
        assert answer.error["message"] == "This server does not answer for that Host."
    assert asked == []


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", " ", "*", "file://", "about:blank", "data:", "chrome-extension://abcdefghijklmnop",
        "http://evil.com", "http://evil.com:8000", "http://127.0.0.1.evil.com:8000", "http://evil-127.0.0.1:8000",
        "http://127.0.0.1:8000.evil.com", "http://127.0.0.1:8000@evil.com", "http://user@127.0.0.1:8000",
        "http://user:pw@127.0.0.1:8000", "http://127.0.0.1", "http://127.0.0.1:80", "http://127.0.0.1:8001",
        "http://127.0.0.1:80000", "http://127.0.0.1:99999", "http://127.0.0.1:08000", "http://127.0.0.1:",
        "https://127.0.0.1:8000", "https://127.0.0.1", "ws://127.0.0.1:8000", "HTTP://127.0.0.1:8000",
        "http://localhost:8000", "http://LOCALHOST:8000", "http://[::1]:8000", "https://[::1", "http://[::1",
        "http://[::ffff:127.0.0.1]:8000", "http://127.0.0.1.:8000", "http://127.1:8000", "http://2130706433:8000",
        "http://127.0.0.1:8000/", "http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000?", "http://127.0.0.1:8000#",
        "http:127.0.0.1:8000", "http:///127.0.0.1:8000", "//127.0.0.1:8000", "127.0.0.1:8000", "http://",
        "http://127.0.0.1:8000 http://evil.com", "http://127.0.0.1:8000, http://evil.com",
        "http://127.0.0.1:8000\x00", "\xff",
        "http://127.0.0.1:8000\xff", "http://\xff", "http://mcp.example.com",
    ],
)  # fmt: skip
async def test_a_page_from_elsewhere_is_forbidden(asked: list[Any], origin: str) -> None:
    answer = await send_from(STRANGER, "127.0.0.1:8000", origin)
    assert answer.status == 403
    assert answer.error["message"] == "This Origin may not call the server."
    assert asked == []


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8000", None),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("localhost:8000", "http://localhost:8000"),
        ("LocalHost:8000", "http://localhost:8000"),
        ("localhost", None),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[::1]", None),
    ],
)
async def test_this_machine_may_call_itself(wire: Wire, host: str, origin: str | None) -> None:
    assert (await send_from(wire, host, origin)).status == 200


async def test_a_request_says_where_it_goes(asked: list[Any]) -> None:
    assert (await send(STRANGER, list_tools(STRANGER, without=["host"]))).status == 421
    assert asked == []


@pytest.mark.parametrize("name", ["host", "origin"])
@pytest.mark.parametrize("second", ["127.0.0.1:8000", "http://127.0.0.1:8000", "evil.com", ""])
async def test_two_hosts_or_two_origins_are_one_too_many(asked: list[Any], name: str, second: str) -> None:
    twice = [(name.encode(), value.encode()) for value in ("http://127.0.0.1:8000", second)]
    for pair in (twice, twice[::-1]):
        answer = await send(STRANGER, list_tools(STRANGER, *pair, without=[name]))
        assert answer.status == 400
        assert answer.error["message"] == f"The {name} header appears more than once."
    assert asked == []


# --- The same with a public URL -------------------------------------------------------------------


def scope_from(host: str, origin: str | None) -> dict[str, Any]:
    headers = list_tools(STRANGER, (b"host", host.encode("latin-1")), without=["host"])
    headers += [] if origin is None else [(b"origin", origin.encode("latin-1"))]
    return {"method": "POST", "query_string": b"", "headers": headers}


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        (PUBLIC, "mcp.example.com", None),
        (PUBLIC, "mcp.example.com", PUBLIC),
        (PUBLIC, "MCP.Example.COM", PUBLIC),
        (PUBLIC, "127.0.0.1:8000", PUBLIC),  # a proxy that puts its own Host
        (PUBLIC, "127.0.0.1:8000", "http://127.0.0.1:8000"),
        (PUBLIC, "127.0.0.1:8000", None),
        (f"{PUBLIC}:8443", "mcp.example.com:8443", f"{PUBLIC}:8443"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
def test_the_public_url_is_where_people_call(url: str, host: str, origin: str | None) -> None:
    headers = Guard(url).check(scope_from(host, origin))
    assert headers["host"] == host
    assert headers.get("origin") == origin


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("example.com", None, 421),
        ("evil.mcp.example.com", None, 421),
        ("mcp.example.com.evil.com", None, 421),
        ("evilmcp.example.com", None, 421),
        ("mcp-example.com", None, 421),
        ("mcp.example.com.", None, 421),
        ("mcp.example.com:8443", None, 421),
        ("mcp.example.com:80", None, 421),
        ("mcp.example.com/", None, 421),
        ("user@mcp.example.com", None, 421),
        (PUBLIC, PUBLIC, 421),
        ("", PUBLIC, 421),
        ("evil.com", PUBLIC, 421),
        ("mcp.example.com", "http://mcp.example.com", 403),
        ("mcp.example.com", "https://mcp.example.com:8443", 403),
        ("mcp.example.com", "https://mcp.example.com/", 403),
        ("mcp.example.com", "https://mcp.example.com.", 403),
        ("mcp.example.com", "https://mcp.example.com.evil.com", 403),
        ("mcp.example.com", "https://evil.mcp.example.com", 403),
        ("mcp.example.com", "https://user@mcp.example.com", 403),
        ("mcp.example.com", "HTTPS://MCP.EXAMPLE.COM", 403),
        ("mcp.example.com", "https://example.com", 403),
        ("mcp.example.com", "http://127.0.0.1:8000", 403),
        ("mcp.example.com", "http://localhost", 403),
        ("mcp.example.com", "null", 403),
        ("mcp.example.com", "", 403),
        ("127.0.0.1:8000", "https://127.0.0.1:8000", 403),
        ("127.0.0.1:8000", "http://mcp.example.com", 403),
    ],
)
def test_the_public_url_is_met_exactly(host: str, origin: str | None, status: int) -> None:
    with pytest.raises(Refused) as caught:
        Guard(PUBLIC).check(scope_from(host, origin))
    assert caught.value.status == status


async def test_a_consumer_keeps_to_the_guard_that_it_was_given(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, recorded: Any
) -> None:
    consumer = McpHttpConsumer.as_asgi(server=server, guard=Guard(PUBLIC))
    monkeypatch.setattr("tests.wire.application", consumer)
    assert (await send_from(wire, "mcp.example.com", PUBLIC)).status == 200
    assert (await send_from(wire, "mcp.example.com", "https://evil.com")).status == 403
    assert (await send_from(wire, "evil.com", PUBLIC)).status == 421


async def test_blanks_around_a_value_are_no_part_of_it(wire: Wire) -> None:
    """RFC 9110, section 5.5."""
    blanks = {"host": " 127.0.0.1:8000 ", "mcp-method": "\ttools/list "}
    assert (await wire.ask("tools/list", headers=blanks)).status == 200


# --- Method, query, content -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY", "post"])
async def test_other_methods_are_not_allowed(asked: list[Any], method: str) -> None:
    answer = await send(STRANGER, list_tools(STRANGER), method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, GET, DELETE"
    assert asked == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_since_2026_there_is_nothing_to_get_or_delete(asked: list[Any], method: str) -> None:
    answer = await send(STRANGER, list_tools(STRANGER), method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert asked == []


async def test_a_preflight_from_elsewhere_learns_nothing(asked: list[Any]) -> None:
    preflight = [(b"origin", b"https://evil.com"), (b"access-control-request-method", b"POST")]
    answer = await send(STRANGER, list_tools(STRANGER, *preflight), method="OPTIONS")
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("query", [b"a=b", b"api_key=cgk_x", b"=", b"%00", b"\xff"])
async def test_a_url_has_no_room_for_a_credential(asked: list[Any], query: bytes) -> None:
    answer = await send(STRANGER, list_tools(STRANGER), query_string=query)
    assert answer.status == 400
    assert query.decode("latin-1") not in answer.error["message"].split()
    assert asked == []


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "text/json", "application/jsonx", "application/json-patch+json", "application/ld",
        "xapplication/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=application/json",
        "text/plain; application/json", "text/plain, application/json", "application/json, text/plain", "json",
        "application", "application/", "application /json", "application/json charset=utf-8", "*/*", "\xff",
    ],
)  # fmt: skip
async def test_a_body_is_json_by_its_type(asked: list[Any], content_type: str | None) -> None:
    answer = await STRANGER.ask("tools/list", headers={"content-type": content_type})
    assert answer.status == 415
    assert asked == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        " application/json ; x",
    ],
)
async def test_parameters_and_case_of_the_type_do_not_matter(wire: Wire, content_type: str) -> None:
    assert (await wire.ask("tools/list", headers={"content-type": content_type})).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x", ""])
async def test_a_body_is_not_compressed(asked: list[Any], encoding: str) -> None:
    answer = await STRANGER.ask("tools/list", headers={"content-encoding": encoding})
    assert answer.status == 415
    assert asked == []


async def test_an_encoding_that_is_none_passes(wire: Wire) -> None:
    assert (await wire.ask("tools/list", headers={"content-encoding": "identity"})).status == 200


@pytest.mark.parametrize(
    "accept",
    ["", "text/html", "text/event-stream", "image/*", "text/*", "application/xml", "text/json, application/pdf"],
)
async def test_a_client_that_takes_no_json_is_told(asked: list[Any], accept: str) -> None:
    assert (await STRANGER.ask("tools/list", headers={"accept": accept})).status == 406
    assert asked == []


@pytest.mark.parametrize(
    "accept",
    [
        None, "*/*", "application/json", "application/*", "Application/JSON", "text/html, */*;q=0.1",
        "text/event-stream,application/json", "application/json;q=0.9 , text/event-stream", "application/* ; q=1",
    ],
)  # fmt: skip
async def test_a_client_that_takes_json_is_answered(wire: Wire, accept: str | None) -> None:
    assert (await wire.ask("tools/list", headers={"accept": accept})).status == 200


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mcp-method", "mcp-name", "mcp-protocol-version", "mcp-param-region", "mcp-anything"]
)
@pytest.mark.parametrize("same", [True, False])
async def test_an_mcp_header_appears_once(asked: list[Any], name: str, same: bool) -> None:
    pair = [(name.encode(), b"tools/list"), (name.encode(), b"tools/list" if same else b"tools/call")]
    answer = await send(STRANGER, list_tools(STRANGER, *pair, without=[name]))
    assert (answer.status, answer.error["code"]) == (400, -32020)
    assert asked == []


@pytest.mark.parametrize(
    "name", ["content-type", "content-length", "content-encoding", "authorization", "x-api-key"]
)
async def test_a_header_that_decides_appears_once(asked: list[Any], name: str) -> None:
    pair = [(name.encode(), b"1"), (name.encode(), b"1")]
    answer = await send(STRANGER, list_tools(STRANGER, *pair, without=[name]))
    assert (answer.status, answer.error["code"]) == (400, -32600)
    assert asked == []


async def test_other_headers_may_appear_twice(wire: Wire) -> None:
    twice = [(b"accept", b"application/json"), (b"accept", b"text/event-stream"), (b"via", b"a"), (b"via", b"b")]
    assert (await send(wire, list_tools(wire, *twice, without=["accept"]))).status == 200


def padding(count: int, size: int) -> Headers:
    """`count` headers of `size` bytes each, name and value together."""
    return [(b"x-%03d" % number, b"x" * (size - 5)) for number in range(count)]


@pytest.mark.parametrize(
    "headers",
    [
        padding(101, 10),
        [(b"x", b"")] * 101,
        padding(5000, 6),
        padding(1, 9 * KIB),
        padding(1, 8 * KIB + 1),
        padding(5, 7 * KIB),
        padding(90, 400),
        [(b"x" * 9 * KIB, b"")],
        [(b"cookie", b"x" * 9 * KIB)],
    ],
)
async def test_headers_have_a_number_and_a_size(asked: list[Any], headers: Headers) -> None:
    answer = await send(STRANGER, list_tools(STRANGER) + headers)
    assert answer.status == 431
    assert asked == []


async def test_headers_up_to_the_limit_pass(wire: Wire) -> None:
    few = list_tools(wire)
    for headers in (padding(100 - len(few), 100), padding(1, 8 * KIB), padding(3, 8 * KIB) + padding(7, KIB)):
        assert (await send(wire, few + headers)).status == 200


# --- What a refusal looks like --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "scope"),
    [
        ({"host": "evil.com"}, {}),
        ({"origin": "null"}, {}),
        ({}, {"method": "GET"}),
        ({}, {"query_string": b"a"}),
        ({"content-type": "text/plain"}, {}),
        ({"accept": "text/html"}, {}),
        ({"x-large": "x" * 9 * KIB}, {}),
        ({"content-length": "2000000"}, {}),
    ],
)
async def test_a_refusal_is_a_json_rpc_error_that_says_nothing_of_the_inside(
    asked: list[Any], headers: dict[str, str], scope: dict[str, Any]
) -> None:
    answer = await STRANGER.post(STRANGER.request("tools/list"), headers=headers, **scope)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body)
    (message,) = answer.messages
    assert message.keys() == {"jsonrpc", "id", "error"}
    assert message["id"] is None
    assert message["error"].keys() == {"code", "message"}
    assert b"Traceback" not in answer.body
