"""A collector of OpenTelemetry's: takes traces over HTTP, as protobuf (OTLP 1, OTLP/HTTP)."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class Span(NamedTuple):
    name: str
    trace: str
    id: str
    parent: str
    """Empty: it has none."""
    kind: int
    attributes: dict[str, Any]
    links: list[str]
    """The traces it points to."""
    is_failed: bool


class Collector:
    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.raw = b""
        """All that was ever sent, for who looks for what must not be in it."""

    def take(self, body: bytes) -> None:
        self.raw += body
        for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(values(batch.resource.attributes))
            self.spans += [read(span) for scope in batch.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def tree(self, root: str) -> Any:
        """The names below the span of that id, nested."""
        return {span.name: self.tree(span.id) for span in self.spans if span.parent == root}


def read(span: Any) -> Span:
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    links = [link.trace_id.hex() for link in span.links]
    return Span(span.name, *ids, span.kind, values(span.attributes), links, span.status.code == 2)


def values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            unpack = UNPACK.get(self.headers.get("content-encoding", ""), bytes)
            here.take(unpack(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            """Nowhere."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Collector(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
