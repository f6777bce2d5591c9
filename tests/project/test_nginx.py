"""The site of deploy/nginx, in front of a real server of two workers: what people and clients get through it."""

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import ElicitRequestParams, ElicitResult

from project.config import BASE_DIR
from sessions_app.client import websocket
from sessions_app.exceptions import Refused
from sessions_app.transport.guard import LARGEST_BODY, read_body
from sessions_app.transport.refusal import body_of
from tests.nginx import Nginx
from tests.process import Process
from tests.services import own_database, own_redis

pytestmark = [pytest.mark.process, pytest.mark.nginx, pytest.mark.postgres, pytest.mark.redis]

SPOKEN = {"auto": "2026-07-28", "legacy": "2025-11-25"}
ITEM = "shop://items/1"


class Site:
    """Concierge behind nginx, as its users see it."""

    def __init__(self, nginx: Nginx, server: Process) -> None:
        self.nginx = nginx
        self.server = server
        self.url = nginx.url
        self.key = server.key
        self._keys: dict[str, str] = {}

    def client(self, key: str = "", **kwargs: Any) -> httpx2.Client:
        authorization = {"authorization": f"Bearer {key or self.key}"}
        return httpx2.Client(
            base_url=self.url,
            headers=authorization,
            transport=httpx2.HTTPTransport(verify=self.nginx.trust, **kwargs),
        )

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What `httpx2.Client.post` takes."""
        request = self.server.request("tools/call", {"name": name, "arguments": arguments})
        headers = {
            name: value for name, value in request["headers"].items() if name not in ("host", "authorization")
        }
        return {"url": "/mcp", "json": request["json"], "headers": headers}

    def post(self, request: dict[str, Any], key: str = "") -> httpx2.Response:
        with self.client(key) as http:
            return http.post(**request)

    def key_from(self, address: str) -> str:
        """One that is taken from there alone."""
        if address not in self._keys:
            made = self.server.manage("createkey", "operator", "--name", "a key", "--address", address, "--quiet")
            self._keys[address] = made.strip()
        return self._keys[address]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as running:
        nginx = Nginx(tmp_path_factory.mktemp("nginx"))
        server = Process(
            tmp_path_factory.mktemp("behind-nginx"),
            DJANGO_SETTINGS_MODULE="tests.failure.settings",
            DATABASE_URL=running.enter_context(own_database(f"test_nginx_{os.getpid()}")),
            REDIS_URL=running.enter_context(own_redis()),
            WORKERS="2",
            CONCIERGE_PUBLIC_URL=nginx.url,
            CONCIERGE_TRUSTED_PROXIES="127.0.0.1",
            SSL_CERT_FILE=str(nginx.certificate),
        )
        running.callback(server.kill)
        server.wait_until_ready(seconds=90)
        running.enter_context(nginx.running([int(server.port)]))
        yield Site(nginx, server)


# --- MCP, in both eras and on both wires ---


@asynccontextmanager
async def over_http(site: Site) -> AsyncIterator[Any]:
    headers = {"Authorization": f"Bearer {site.key}"}
    async with httpx2.AsyncClient(headers=headers, verify=site.nginx.trust, timeout=30) as http:
        yield streamable_http_client(f"{site.url}/mcp", http_client=http)


@asynccontextmanager
async def over_websocket(site: Site) -> AsyncIterator[Any]:
    yield websocket(f"{site.url.replace('https', 'wss')}/ws/mcp", token=site.key)


@pytest.mark.parametrize("mode", SPOKEN)
@pytest.mark.parametrize("wire", [over_http, over_websocket], ids=["http", "ws"])
async def test_a_client_calls_hears_progress_and_is_asked(
    site: Site, wire: Callable[[Site], Any], mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site.nginx.certificate))
    heard: list[float] = []

    async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"sure": True})

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with (
        wire(site) as transport,
        Client(transport, mode=mode, elicitation_callback=accept) as client,
    ):
        assert client.protocol_version == SPOKEN[mode]
        for number in range(10):  # at whichever worker
            result = await client.call_tool("echo", {"text": str(number)})
            assert result.structured_content == {"result": str(number)}
        await client.call_tool("count", {"to": 3}, progress_callback=hear)
        assert heard == [1, 2, 3]
        asked = await client.call_tool("ask", {"text": "sure?"})
        assert asked.structured_content == {"result": "sure?: yes"}


@pytest.mark.parametrize("wire", [over_http, over_websocket], ids=["http", "ws"])
async def test_a_listener_hears_of_what_another_request_changed(
    site: Site, wire: Callable[[Site], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site.nginx.certificate))
    async with (
        wire(site) as transport,
        Client(transport) as client,
        client.listen(resource_subscriptions=[ITEM]) as events,
    ):
        await client.call_tool("touch", {"uri": ITEM})
        assert await anext(events) == ResourceUpdated(ITEM)


def test_events_arrive_when_they_are_sent_on_a_stream_that_stays_open(site: Site) -> None:
    """Of the handshake era: each of these requests may be at another worker."""
    with site.client() as http:
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize"}
        about = {
            "protocolVersion": "2025-11-25",
            "clientInfo": {"name": "pytest", "version": "1"},
            "capabilities": {},
        }
        accept = {"accept": "application/json, text/event-stream"}
        begun = http.post("/mcp", json=message | {"params": about}, headers=accept)
        session = {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}

        def send(**message: Any) -> None:
            assert http.post("/mcp", json={"jsonrpc": "2.0", **message}, headers=accept | session).is_success

        send(method="notifications/initialized")
        with http.stream("GET", "/mcp", headers={"accept": "text/event-stream"} | session, timeout=5) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            send(id=1, method="resources/subscribe", params={"uri": ITEM})
            send(id=2, method="tools/call", params={"name": "touch", "arguments": {"uri": ITEM}})
            told = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        assert told["method"] == "notifications/resources/updated"


# --- Pages and the API ---


def test_an_operator_signs_in_and_keeps_a_cookie_that_travels_over_https_alone(site: Site) -> None:
    letter = (site.server.data_dir / "first-run.txt").read_text()
    password = re.search(r"Password +(\S+)", letter)
    assert password is not None
    with httpx2.Client(base_url=site.url, verify=site.nginx.trust) as browser:
        page = browser.get("/admin/login/")
        assert page.status_code == 200
        assert "max-age" in page.headers["strict-transport-security"]
        assert "content-encoding" not in page.headers  # it has a secret in it, so its length must not tell
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token is not None
        form = {"username": "operator", "password": password[1], "csrfmiddlewaretoken": token[1]}
        signed_in = browser.post("/admin/login/", data=form, headers={"origin": site.url})
        assert signed_in.status_code == 302
        cookies = signed_in.headers.get_list("set-cookie")
        assert len(cookies) == 2
        assert all("Secure" in cookie for cookie in cookies)
        home = browser.get("/admin/")
        assert (home.status_code, "content-encoding" in home.headers) == (200, False)


def test_what_is_the_same_for_everybody_is_compressed(site: Site) -> None:
    with site.client() as http:
        style = http.get("/static/project/page.css", headers={"accept-encoding": "gzip"})
    assert (style.status_code, style.headers["content-encoding"]) == (200, "gzip")


def test_the_api_answers(site: Site) -> None:
    with site.client() as http:
        assert http.get("/api/keys/").status_code == 200


# --- Whose address counts ---


def test_the_address_is_that_of_who_connects_to_nginx(site: Site) -> None:
    key = site.key_from("127.0.0.2")
    with site.client(key, local_address="127.0.0.2") as there, site.client(key) as elsewhere:
        assert there.post(**site.call("echo", text="x")).status_code == 200
        assert elsewhere.post(**site.call("echo", text="x")).status_code == 401


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
def test_a_forged_address_is_nobody_s(site: Site, name: str) -> None:
    forged = "for=203.0.113.9" if name == "Forwarded" else "203.0.113.9"
    request = site.call("echo", text="x")
    request["headers"][name] = forged
    assert site.post(request, site.key_from("203.0.113.9")).status_code == 401


# --- How much, and whose name ---


async def never() -> Any:
    """What a body that is not read would be received from."""
    raise AssertionError


def test_a_body_that_is_too_large_is_refused_as_concierge_refuses_it(site: Site) -> None:
    request = site.call("echo", text="x" * LARGEST_BODY)
    at_nginx = [site.post(request) for _ in range(5)]
    with pytest.raises(Refused) as refused:
        asyncio.run(read_body({"content-length": str(LARGEST_BODY + 1)}, never))
    for answer in at_nginx:
        assert (answer.status_code, answer.json()) == (413, json.loads(body_of(refused.value)))


def test_a_body_of_a_mebibyte_passes(site: Site) -> None:
    request = site.call("echo", text="")
    text = "x" * (LARGEST_BODY - len(json.dumps(request["json"], separators=(",", ":"))))
    answer = site.post(site.call("echo", text=text))
    assert (answer.status_code, answer.json()["result"]["isError"]) == (200, False)


@pytest.mark.parametrize("size", [9_000, 11_000, 100_000])
def test_headers_that_are_too_large_are_refused(site: Site, size: int) -> None:
    request = site.call("echo", text="x")
    request["headers"]["x-large"] = "x" * size
    assert site.post(request).status_code == 431


def test_another_name_is_not_served(site: Site) -> None:
    with site.client() as http:
        assert http.get("/livez").status_code == 200
        assert http.get("/livez", headers={"host": "elsewhere.example"}).status_code == 421
    address = ("127.0.0.1", site.nginx.port)
    trust_anybody = ssl.create_default_context()
    trust_anybody.check_hostname = False
    trust_anybody.verify_mode = ssl.CERT_NONE
    with socket.create_connection(address) as plain, pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        trust_anybody.wrap_socket(plain, server_hostname="elsewhere.example")


def test_the_doctor_finds_no_problem(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=BASE_DIR, env=site.server._environment, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "WebSocket" in done.stdout


def test_http_leads_browsers_to_https_and_refuses_whoever_sends_something(site: Site) -> None:
    led = httpx2.get(f"{site.nginx.plain_url}/me/?next=1")
    assert (led.status_code, led.headers["location"]) == (301, f"{site.url}/me/?next=1")
    assert httpx2.post(f"{site.nginx.plain_url}/mcp", json={}).status_code == 403
    elsewhere = httpx2.get(f"{site.nginx.plain_url}/", headers={"host": "elsewhere.example"})
    assert elsewhere.status_code == 421


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/me/../metrics", "/%6detrics"])
def test_metrics_are_not_for_the_outside(site: Site, path: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", site.nginx.port)) as plain,
        site.nginx.trust.wrap_socket(plain, server_hostname="localhost") as line,
    ):
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{site.nginx.port}\r\n\r\n".encode())
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Server: nginx\r\n" in answer  # it was not asked for, and says no version
