"""What the doctor says of a proxy that does not do what it should."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from httpx2 import Response
from pytest_django import Settings

from project.doctor.examination import Case
from project.doctor.finding import Away, Verdict
from project.doctor.mcp import mcp
from project.doctor.proxy import proxy as look_at_proxy
from project.doctor.public_url import check_answer, public_url
from project.doctor.websocket import websocket
from tests.process import Process, free_port

from .meddling import FROM, Proxy, proxy_to, saying, unchanged, without
from .patient import diagnose, found, serving

pytestmark = [pytest.mark.process]

Behind = tuple[Process, Proxy]
NO_DATABASE = {"database"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A server and the proxy before it."""
    port = free_port()
    with proxy_to(port) as proxy:
        environment = {"PORT": str(port), "CONCIERGE_PUBLIC_URL": proxy.url, "CONCIERGE_TRUSTED_PROXIES": FROM}
        with serving(tmp_path_factory.mktemp("behind"), **environment) as server:
            yield server, proxy


@pytest.fixture
def proxy(behind: Behind, settings: Settings) -> Iterator[Proxy]:
    """As it should be, with the settings of the server that is behind it."""
    server, proxy = behind
    settings.CONFIG = settings.CONFIG.model_copy(update={"public_url": proxy.url, "port": int(server.port)})
    yield proxy
    proxy.target = int(server.port)
    proxy.head = proxy.answer = unchanged
    proxy.says = {}
    proxy.keeps_back, proxy.adds_address = False, True


@pytest.fixture
def case(behind: Behind) -> Case:
    return Case(key=behind[0].key, absent={*NO_DATABASE})


def test_it_has_nothing_to_say_of_a_good_one(proxy: Proxy, case: Case) -> None:
    everything = [*found(public_url).values(), *found(look_at_proxy).values()]
    everything += [*found(mcp, case).values(), *found(websocket, case).values()]
    assert {each.verdict for each in everything if each.check != "addresses"} == {Verdict.OK}
    assert len(everything) == 12


def test_it_tells_that_another_host_is_passed_on(proxy: Proxy) -> None:
    proxy.head = saying(b"Host", b"upstream.internal")
    host = found(public_url)["host"]
    assert host.verdict is Verdict.PROBLEM
    assert "$http_host" in host.mend


def test_it_warns_of_a_host_put_in_place_of_every_other(proxy: Proxy) -> None:
    proxy.head = saying(b"Host", b"127.0.0.1:8000")
    assert found(look_at_proxy)["foreign host"].verdict is Verdict.WARNING


def test_it_tells_that_nobody_is_behind_it(proxy: Proxy) -> None:
    proxy.target = free_port()
    here, nobody = found(public_url), found(public_url, Case(absent={"server"}))
    assert "though that is alive" in here["reach"].says
    assert nobody["reach"].mend.startswith("make serve")
    assert {here["reach"].verdict, nobody["reach"].verdict} == {Verdict.PROBLEM}


def test_it_tells_where_everybody_is_sent_on_to(proxy: Proxy) -> None:
    there = b"location: https://mcp.example.com/livez?secret=1"
    proxy.says = {b"GET /livez": b"HTTP/1.1 301 Moved\r\n" + there + b"\r\ncontent-length: 0\r\n\r\n"}
    reach = found(public_url)["reach"]
    assert "https://mcp.example.com/livez," in reach.says
    assert "secret" not in reach.says


def test_it_tells_what_is_not_concierge(proxy: Proxy) -> None:
    proxy.says = {b"GET /livez": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"}
    assert "is not Concierge" in found(public_url)["reach"].says


def test_it_tells_that_the_proxy_asks_for_a_sign_in_of_its_own(proxy: Proxy, case: Case) -> None:
    proxy.says = {b"POST /mcp": b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"}
    assert found(public_url)["mcp"].verdict is Verdict.PROBLEM
    assert "before Concierge" in found(mcp, case)["handshake"].says


def test_it_tells_a_server_that_serves_another_name_from_a_proxy_that_changes_it(
    proxy: Proxy, settings: Settings
) -> None:
    other = f"http://localhost.example:{proxy.port}"
    settings.CONFIG = settings.CONFIG.model_copy(update={"public_url": other})
    refused = Response(421)
    with pytest.raises(Away) as away:
        check_answer(refused, Case())
    assert "not this command's" in away.value.finding.says
    assert "CONCIERGE_PUBLIC_URL" in away.value.finding.mend


@pytest.mark.parametrize("ahead", [-60, 60])
def test_it_tells_that_the_clocks_differ(proxy: Proxy, ahead: int) -> None:
    skewed = datetime.now(UTC) + timedelta(seconds=ahead)
    proxy.answer = saying(b"date", format_datetime(skewed, usegmt=True).encode())
    clock = found(public_url)["clock"]
    assert clock.verdict is Verdict.PROBLEM
    assert ("ahead of" if ahead > 0 else "behind") in clock.says


def test_a_second_is_no_difference(proxy: Proxy) -> None:
    skewed = datetime.now(UTC) + timedelta(seconds=2)
    proxy.answer = saying(b"date", format_datetime(skewed, usegmt=True).encode())
    assert found(public_url)["clock"].verdict is Verdict.OK


def test_it_tells_that_the_origin_is_dropped(proxy: Proxy) -> None:
    proxy.head = without(b"Origin")
    origins = found(look_at_proxy)
    assert origins["foreign origin"].verdict is Verdict.PROBLEM
    assert origins["own origin"].verdict is Verdict.OK


def test_it_tells_that_the_origin_is_changed(proxy: Proxy) -> None:
    proxy.head = saying(b"Origin", b"http://upstream.internal")
    assert found(look_at_proxy)["own origin"].verdict is Verdict.PROBLEM


def test_it_tells_that_large_bodies_are_refused(proxy: Proxy) -> None:
    proxy.says = {b"1048576": b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"}
    body = found(look_at_proxy)["body"]
    assert body.verdict is Verdict.PROBLEM
    assert "client_max_body_size" in body.mend


def test_it_tells_that_streams_are_kept_back(proxy: Proxy, case: Case) -> None:
    proxy.keeps_back = True
    stream = found(mcp, case)["stream"]
    assert stream.verdict is Verdict.PROBLEM
    assert "proxy_buffering off" in stream.mend


def test_it_tells_that_the_session_s_id_is_lost(proxy: Proxy, case: Case) -> None:
    proxy.answer = without(b"mcp-session-id")
    assert found(mcp, case)["handshake"].verdict is Verdict.PROBLEM


@pytest.mark.parametrize("key", ["", "given"])
def test_it_tells_that_the_upgrade_is_not_passed_on(proxy: Proxy, case: Case, key: str) -> None:
    proxy.head = lambda head: without(b"Upgrade")(saying(b"Connection", b"close")(head))
    case.key = case.key if key else ""
    upgrade = found(websocket, case)["upgrade"]
    assert upgrade.verdict is Verdict.PROBLEM
    assert "$http_upgrade" in upgrade.mend


def test_it_tells_who_answers_the_upgrade_in_our_place(proxy: Proxy, case: Case) -> None:
    proxy.says = {b"GET /ws/": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"}
    assert "something before it answers 404" in found(websocket, case)["upgrade"].says


def test_without_a_key_the_refusal_of_a_socket_tells_enough(proxy: Proxy) -> None:
    upgrade = found(websocket, Case(absent={*NO_DATABASE}))["upgrade"]
    assert upgrade.verdict is Verdict.OK
    assert "for lack of a key" in upgrade.says


def test_it_tells_that_the_key_is_refused(proxy: Proxy) -> None:
    wrong = Case(key="cgk_wrong", absent={*NO_DATABASE})
    assert found(mcp, wrong)["handshake"].verdict is Verdict.PROBLEM
    assert found(websocket, wrong)["upgrade"].verdict is Verdict.PROBLEM
    assert "cgk_wrong" not in str(found(mcp, wrong))


Asked = Callable[..., dict[str, str]]


@pytest.fixture
def seen(behind: Behind, proxy: Proxy) -> Asked:
    """What the command says of addresses: it reads the server's database."""
    server, _ = behind

    def ask(**environment: str) -> dict[str, str]:
        given = {"PORT": server.port, "CONCIERGE_PUBLIC_URL": proxy.url, "CONCIERGE_TRUSTED_PROXIES": FROM}
        return diagnose(server.data_dir, **{**given, **environment}).of("MCP over HTTP")["addresses"]

    return ask


def test_an_address_that_is_claimed_does_not_count_behind_a_good_one(seen: Asked) -> None:
    assert seen()["verdict"] == "ok"


def test_it_tells_that_a_claimed_address_is_believed(seen: Asked, proxy: Proxy) -> None:
    proxy.adds_address = False
    assert seen()["verdict"] == "problem"


def test_it_does_not_judge_when_it_runs_on_a_trusted_proxy(seen: Asked, proxy: Proxy) -> None:
    proxy.adds_address = False
    assert seen(CONCIERGE_TRUSTED_PROXIES="127.0.0.0/8")["verdict"] == "skipped"


def test_it_tells_that_everybody_looks_like_the_proxy(seen: Asked, proxy: Proxy) -> None:
    proxy.head = without(b"X-Forwarded-For")
    address = seen(CONCIERGE_TRUSTED_PROXIES="")
    assert address["verdict"] == "warning"
    assert address["mend"] == f"CONCIERGE_TRUSTED_PROXIES={FROM}"


def test_it_tells_that_the_proxy_on_this_machine_is_not_among_the_trusted(seen: Asked, proxy: Proxy) -> None:
    proxy.head = without(b"X-Forwarded-For")
    assert seen(CONCIERGE_TRUSTED_PROXIES="10.0.0.9")["verdict"] == "warning"


def test_it_tells_that_the_server_has_another_database(behind: Behind, proxy: Proxy, tmp_path: Path) -> None:
    with serving(tmp_path):
        found = diagnose(tmp_path, PORT=behind[0].port, CONCIERGE_PUBLIC_URL=proxy.url)
    assert "another database" in found.of("MCP over HTTP")["handshake"]["says"]
    assert "another database" in found.of("WebSocket")["upgrade"]["says"]
    assert found.status == 1
