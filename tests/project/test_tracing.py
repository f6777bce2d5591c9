"""Traces, from a real server to a real collector."""

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from websockets.sync.client import connect

from project.config import BASE_DIR
from tests.collector import Collector, Span, collector
from tests.process import Process, free_port, until
from tests.wire import VERSION, Durable

from .conftest import Start

CANARY = "canary-in-an-argument"
SECRETS = ("cgk_Ab12Cd34Ef56_canarykey", "canary-session-token", "canary-password", "canary-in-a-query", CANARY)


class Traced:
    """A server of ours, its collector, and the means to call it under a span of the client's."""

    def __init__(self, process: Process, here: Collector) -> None:
        self.process = process
        self.collector = here

    def spans_of(self, trace: str, name: str) -> list[Span]:
        """Those of the trace, once that one is here: a parent is exported after its children."""
        until(lambda: any(span.trace == trace for span in self.collector.named(name)))
        return [span for span in self.collector.spans if span.trace == trace]


@pytest.fixture(scope="module")
def traced(start_again: Start) -> Iterator[Traced]:
    with collector() as here:
        process = start_again(
            DJANGO_SETTINGS_MODULE="project.settings",
            OTEL_EXPORTER_OTLP_ENDPOINT=here.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="100",
            CONCIERGE_LOG_LEVEL="DEBUG",
            CONCIERGE_LOG_FORMAT="json",
        )
        yield Traced(process, here)


def new_parent() -> tuple[str, str, str]:
    """A trace, a span, and how W3C Trace Context writes them."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-01"


TOOL = "get-user-profile"
BELOW_HTTP: dict[str, Any] = {"admit": {}, f"tools/call {TOOL}": {f"execute {TOOL}": {"read": {}}}}


def call_stateless(process: Process, parent: str, **meta: str) -> None:
    request = process.request("tools/call", {"name": TOOL, "arguments": {}})
    request["headers"]["traceparent"] = parent
    request["json"]["params"]["_meta"].update(meta)
    assert httpx2.post(**request).status_code == 200


def call_durable(process: Process, parent: str) -> None:
    client = process.open_session()
    headers = {**process.headers(client), "traceparent": parent}
    httpx2.post(f"{process.url}/mcp", json=client.calling(TOOL), headers=headers, timeout=30).raise_for_status()


def envelope(**meta: str) -> dict[str, Any]:
    about = {PROTOCOL_VERSION_META_KEY: VERSION, CLIENT_INFO_META_KEY: {"name": "pytest", "version": "1"}}
    return {**about, CLIENT_CAPABILITIES_META_KEY: {}, **meta}


def talk(process: Process, headers: dict[str, str], *messages: dict[str, Any]) -> None:
    """Over one WebSocket, each message once the one before was answered."""
    headers = {"authorization": f"Bearer {process.key}", **headers}
    url = f"ws://127.0.0.1:{process.port}/ws/mcp"
    with connect(url, additional_headers=headers, subprotocols=["mcp"], proxy=None) as line:  # type: ignore[list-item]
        for message in messages:
            line.send(json.dumps(message))
            if "id" in message:
                assert "result" in json.loads(line.recv(timeout=30))


def call_of(meta: dict[str, Any]) -> dict[str, Any]:
    params = {"name": TOOL, "arguments": {}, "_meta": meta}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def call_on_socket(process: Process, parent: str) -> None:
    talk(process, {}, call_of(envelope(traceparent=parent)))


def call_on_socket_of_handshake(process: Process, parent: str) -> None:
    client = Durable(process.key)
    about = {"clientInfo": client.client, "capabilities": client.capabilities}
    first = client.request("initialize", {"protocolVersion": client.version, **about})
    talk(process, {}, first, call_of({"traceparent": parent}))


def call_under_handshake_s(process: Process, parent: str) -> None:
    talk(process, {"traceparent": parent}, call_of(envelope()))


WAYS: dict[str, tuple[Callable[[Process, str], None], str]] = {
    "2026-07-28": (call_stateless, "POST /mcp"),
    "2025-11-25": (call_durable, "POST /mcp"),
    "websocket 2026-07-28": (call_on_socket, "WEBSOCKET tools/call"),
    "websocket 2025-11-25": (call_on_socket_of_handshake, "WEBSOCKET tools/call"),
    "websocket, by its handshake's header": (call_under_handshake_s, "WEBSOCKET tools/call"),
}


@pytest.mark.process
@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_one_trace_under_the_client_s_span(traced: Traced, way: str) -> None:
    trace, span, parent = new_parent()
    call, root = WAYS[way]
    call(traced.process, parent)
    spans = traced.spans_of(trace, root)
    assert len({span.id for span in spans}) == 5
    assert traced.collector.tree(span) == {root: BELOW_HTTP}
    [execute] = [span for span in spans if span.name == f"execute {TOOL}"]
    assert execute.attributes == {"concierge.kind": "tool", "concierge.outcome": "ok"}
    [message] = [span for span in spans if span.name == f"tools/call {TOOL}"]
    assert message.attributes["gen_ai.tool.name"] == TOOL


@pytest.mark.process
def test_what_fails_is_marked_in_each_of_its_spans(traced: Traced) -> None:
    trace, _, parent = new_parent()
    request = traced.process.request("tools/call", {"name": "manage-preferences", "arguments": {"action": "what"}})
    request["headers"]["traceparent"] = parent
    httpx2.post(**request)
    until(lambda: any(span.trace == trace and span.name == "POST /mcp" for span in traced.collector.spans))
    spans = {span.name: span for span in traced.collector.spans if span.trace == trace}
    failed = {name for name, span in spans.items() if span.is_failed}
    assert failed == {"tools/call manage-preferences", "execute manage-preferences"}
    assert spans["execute manage-preferences"].attributes["error.type"] == "invalid"


@pytest.mark.process
def test_a_message_that_names_the_same_trace_stays_below_its_request(traced: Traced) -> None:
    trace, span, parent = new_parent()
    call_stateless(traced.process, parent, traceparent=parent)
    traced.spans_of(trace, "POST /mcp")
    assert traced.collector.tree(span) == {"POST /mcp": BELOW_HTTP}


@pytest.mark.process
def test_a_message_that_names_another_trace_is_of_that_and_its_request_points_there(traced: Traced) -> None:
    (trace, span, parent), (other, other_span, other_parent) = new_parent(), new_parent()
    call_stateless(traced.process, parent, traceparent=other_parent)
    traced.spans_of(trace, "POST /mcp")
    assert traced.collector.tree(other_span) == {f"tools/call {TOOL}": {f"execute {TOOL}": {"read": {}}}}
    assert traced.collector.tree(span) == {"POST /mcp": {"admit": {}}}
    [request] = [found for found in traced.collector.named("POST /mcp") if found.trace == trace]
    assert request.links == [other]


@pytest.mark.process
def test_a_parent_that_is_none_is_none(traced: Traced) -> None:
    before = len(traced.collector.named("POST /mcp"))
    call_stateless(traced.process, "00-zz-zz-01", traceparent="nonsense")
    until(lambda: len(traced.collector.named("POST /mcp")) > before)
    assert traced.collector.named("POST /mcp")[-1].parent == ""


@pytest.mark.process
def test_a_web_page_s_span_has_its_route_and_not_its_path(traced: Traced) -> None:
    trace, span, parent = new_parent()
    for path in ("/api/keys/7/?a=canary-in-a-query", "/nowhere/canary-in-a-path", "/livez"):
        httpx2.get(traced.process.url + path, headers={"traceparent": parent}, timeout=30)
    traced.spans_of(trace, "GET")
    assert traced.collector.tree(span) == {"GET /api/keys/<int:id>/": {}, "GET": {}}
    assert b"canary-in-a" not in traced.collector.raw


@pytest.mark.process
def test_the_service_has_a_name(traced: Traced) -> None:
    call_stateless(traced.process, new_parent()[2])
    until(lambda: bool(traced.collector.resources))
    assert traced.collector.resources[0]["service.name"] == "concierge"


@pytest.mark.process
def test_no_secret_is_in_a_span_or_a_log_line_at_debug(traced: Traced) -> None:
    """The last of this server: what it printed is read when it has ended."""
    process = traced.process
    key, token, password, query, argument = SECRETS
    for headers in ({"x-api-key": key}, {"x-session-token": token}, {"authorization": f"Bearer {key}x"}):
        httpx2.get(f"{process.url}/api/keys/?x={query}", headers=headers, timeout=30)
        httpx2.post(f"{process.url}/mcp?token={query}", headers=headers, json={}, timeout=30)
    signing_in = {"username": password, "password": password}
    httpx2.post(f"{process.url}/api/session-tokens/", json=signing_in, timeout=30)
    process.call("manage-preferences", action="set", key="tea", value=argument)
    missing: dict[str, dict[str, Any]] = {
        "tools/call": {"name": TOOL, "arguments": {"text": argument}},
        "resources/read": {"uri": f"nowhere://{argument}"},
        "prompts/get": {"name": "nothing", "arguments": {"text": argument}},
    }
    for method, params in missing.items():
        httpx2.post(**process.request(method, params))
    call_on_socket_of_handshake(process, new_parent()[2])
    own_key = process.key
    printed = process.end()
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    others = [line for line in printed.splitlines() if not line.startswith("{")]
    assert {line.partition(" ")[0] for line in others} <= {"First", "Concierge"}  # the first only the first time
    assert {"concierge.calls", "concierge.refusals"} <= {line["logger"] for line in lines}
    calls = [line for line in lines if line["logger"] == "concierge.calls"]
    assert all(len(line["trace_id"]) == 32 and line["request_id"] for line in calls)
    sent = traced.collector.raw
    assert b"execute manage-preferences" in sent
    for secret in (own_key.split("_")[2], *SECRETS):
        assert secret not in printed
        assert secret.encode() not in sent


# --- Where there is no collector ---


def durations(process: Process, count: int) -> list[float]:
    found = []
    with httpx2.Client() as client:
        for _ in range(count):
            began = time.perf_counter()
            assert client.post(**process.request("tools/call", {"name": TOOL, "arguments": {}})).status_code == 200
            found.append(time.perf_counter() - began)
    return found


@pytest.mark.process
def test_a_collector_that_never_answers_slows_nobody(start_again: Start) -> None:
    """Takes connections and says nothing, which is the worst that one can do."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent, collector() as here:
        options = {
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
            "OTEL_BSP_MAX_QUEUE_SIZE": "32",
        }
        deaf = start_again(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}", **options)
        heard = start_again(OTEL_EXPORTER_OTLP_ENDPOINT=here.endpoint, **options)
        quiet, disturbed = [], []
        for _ in range(10):
            quiet += durations(heard, 10)
            disturbed += durations(deaf, 10)
        assert statistics.median(disturbed) < 2 * statistics.median(quiet)
        began = time.monotonic()
        deaf.end(signal.SIGTERM)
        assert time.monotonic() - began < 10
        assert deaf.popen.returncode == 0


@pytest.mark.process
def test_a_collector_that_is_not_there_is_a_line_of_the_log(start_again: Start) -> None:
    process = start_again(
        DJANGO_SETTINGS_MODULE="project.settings",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        OTEL_BSP_SCHEDULE_DELAY="20",
    )
    for _ in range(10):
        process.call(TOOL)
    printed = process.end()
    assert "opentelemetry.exporter" in printed
    assert "Traceback" not in printed
    assert printed.count(" concierge.calls ") == 10


# --- Where it is off ---


def modules_of(**environment: str) -> set[str]:
    """What a process that serves has imported, of OpenTelemetry's."""
    code = "import sys, project.asgi; print(*(name for name in sys.modules if name.startswith('opentelemetry')))"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


NOBODY = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
OFF: dict[str, dict[str, str]] = {
    "nothing is said": {},
    "it is disabled": {**NOBODY, "OTEL_SDK_DISABLED": "true"},
    "nothing is to be exported": {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_TRACES_EXPORTER": "none",
    },
}


@pytest.mark.parametrize("why", OFF)
def test_off_nothing_of_it_is_imported(why: str) -> None:
    found = modules_of(**OFF[why])
    assert "opentelemetry.trace" in found
    # redis-py looks at the SDK's metrics, wherever they are installed.
    assert not any(name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter")) for name in found)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_switches_it_on(name: str) -> None:
    assert "opentelemetry.sdk.trace" in modules_of(**{name: "http://127.0.0.1:1"})
