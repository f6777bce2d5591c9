"""The site of deploy/nginx, byte by byte: what a server behind it is sent, and what is kept of it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.nginx import Nginx
from tests.process import free_port, until

pytestmark = [pytest.mark.process, pytest.mark.nginx]


class Upstream:
    """Keeps what it is sent. Answers 200, or hangs up when the request is whole."""

    def __init__(self, *, hangs_up: bool = False) -> None:
        self.heads: list[str] = []
        self._hangs_up = hangs_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                head = "".join(line.decode() for line in iter(lines.readline, b"\r\n"))
                self.heads.append(head)
                if not self._hangs_up:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def header(self, name: str) -> list[str]:
        """Of the last request."""
        pairs = (line.partition(":") for line in self.heads[-1].splitlines()[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with closing(Upstream()) as one:
        yield one


@pytest.fixture(scope="module")
def nginx(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    one = Nginx(tmp_path_factory.mktemp("nginx"))
    with one.running([upstream.port]):
        yield one


def logged(nginx: Nginx, path: str) -> dict[str, str]:
    """The last line of the access log, once it is that of a request for `path`."""
    lines: list[dict[str, str]] = []

    def is_there() -> bool:
        lines[:] = map(json.loads, nginx.access_log.read_text().splitlines())
        return bool(lines) and lines[-1]["path"] == path

    until(is_there, seconds=5)
    return lines[-1]


def test_nginx_finds_nothing_wrong(nginx: Nginx) -> None:
    assert nginx.check() == ""


def test_who_asked_and_how_is_nginx_s_to_say(nginx: Nginx, upstream: Upstream) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "x",
        "Forwarded": "x",
    }
    httpx2.get(nginx.url, verify=nginx.trust, headers=forged | {"X-Request-ID": "mine"})
    assert upstream.header("X-Forwarded-For") == ["127.0.0.1"]
    assert upstream.header("X-Forwarded-Proto") == ["https"]
    assert upstream.header("X-Forwarded-Host") == upstream.header("Forwarded") == []
    assert upstream.header("Host") == [f"localhost:{nginx.port}"]
    [request_id] = upstream.header("X-Request-ID")
    assert len(request_id) == 32
    until(lambda: request_id in nginx.access_log.read_text(), seconds=5)


def test_a_connection_becomes_a_websocket_and_nothing_else(nginx: Nginx, upstream: Upstream) -> None:
    for asked, passed in {"h2c": [], "websocket": ["websocket"]}.items():
        httpx2.get(nginx.url, verify=nginx.trust, headers={"Upgrade": asked, "Connection": "Upgrade"})
        assert upstream.header("Upgrade") == passed
        assert upstream.header("Connection") == (["upgrade"] if passed else [])


def test_no_secret_comes_into_a_log(nginx: Nginx) -> None:
    """Not those of links, nor what somebody puts into a query."""
    for path in ("/password/Mg/s3cret-of-a-link/", "/me/?token=s3cret-in-a-query"):
        headers = {
            "Authorization": "Bearer s3cret-in-a-header",
            "Referer": "https://x/?s3cret",
            "Cookie": "s3cret",
        }
        httpx2.get(f"{nginx.url}{path}", verify=nginx.trust, headers=headers)
        assert logged(nginx, f"/{path.split('/')[1]}/")["status"] == "200"
    assert not any("s3cret" in path.read_text() for path in nginx.home.glob("*.log"))


def test_nor_when_no_server_answers(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    with nginx.running([free_port()]):
        assert httpx2.get(f"{nginx.url}/me/?token=s3cret", verify=nginx.trust).status_code == 502
        assert logged(nginx, "/me/")["server_status"] == "502"
        assert not any("s3cret" in path.read_text() for path in nginx.home.glob("*.log"))


def test_a_line_of_the_log_stays_one(nginx: Nginx) -> None:
    agent = '"}\\n{"path":"/forged'
    httpx2.get(f"{nginx.url}/%0A%22%7D", verify=nginx.trust, headers={"User-Agent": agent})
    assert logged(nginx, '/\n"}')["agent"] == agent


def test_a_server_that_is_not_there_is_not_noticed(upstream: Upstream, tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    with nginx.running([free_port(), upstream.port]):
        statuses = {httpx2.post(f"{nginx.url}/mcp", verify=nginx.trust).status_code for _ in range(6)}
    assert statuses == {200}


def test_a_post_that_may_have_been_carried_out_is_not_sent_again(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    with (
        closing(Upstream(hangs_up=True)) as one,
        closing(Upstream(hangs_up=True)) as other,
        nginx.running([one.port, other.port]),
    ):
        assert httpx2.post(f"{nginx.url}/mcp", verify=nginx.trust, json={}).status_code == 502
        assert len(one.heads) + len(other.heads) == 1
        assert httpx2.get(f"{nginx.url}/me/", verify=nginx.trust).status_code == 502
        assert len(one.heads) + len(other.heads) > 2
