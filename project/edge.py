"""The outermost of the application: each request gets its id, and its span where there are any."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.urls import Resolver404, resolve
from opentelemetry.trace import Span, SpanKind

from sessions_app.request_ids import HEADER, given_id, new_id, request_id
from sessions_app.tracing import NO_SPAN, failed, parent_in, tracing

Send = Callable[[Mapping[str, Any]], Awaitable[None]]

STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
IS_NAMED_IN_FRONT = bool(settings.CONFIG.trusted_proxies)
"""Where a proxy is trusted, the `X-Request-ID` that comes is what the log calls a request; elsewhere nobody looks.
Who gets past the proxy may choose one, too: its shape can do no harm, and it proves nothing."""


class Answer:
    """The way back, which says by what id the log has the request."""

    __slots__ = ("_id", "_send", "status")

    def __init__(self, scope: Mapping[str, Any], send: Send) -> None:
        name = (IS_NAMED_IN_FRONT and given_id(scope["headers"])) or new_id()
        request_id.set(name)
        self._id = (HEADER, name.encode())
        self._send = send
        self.status = 0
        """Zero until it is known."""

    def send(self, message: Mapping[str, Any]) -> Awaitable[None]:
        if message["type"] in STARTS:
            self.status = message.get("status", 101)
            message = {**message, "headers": [*message.get("headers", ()), self._id]}
        return self._send(message)

    @property
    def transport(self) -> Any:
        """uvicorn's, for who has to hang up (`transport/response.py`)."""
        return getattr(getattr(self._send, "__self__", None), "transport", None)


PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds for ever, and so in no trace."""
OURS = frozenset({"/mcp", "/mcp/", "/mcp/guest", "/mcp/guest/", "/ws/mcp", "/ws/mcp/"})
"""Paths that Django does not see."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


def span_of(scope: Mapping[str, Any], answer: Answer) -> AbstractContextManager[object]:
    """Of one HTTP request, from its arrival to the end of its answer."""
    if not tracing.is_on or scope["path"] in PROBES:
        return NO_SPAN
    return http_span(scope, answer)


@contextmanager
def http_span(scope: Mapping[str, Any], answer: Answer) -> Iterator[Span]:
    """Neither its path nor its query: links in mail have their secret in the one, and strangers theirs in both."""
    method = scope["method"] if scope["method"] in METHODS else "_OTHER"
    route = route_of(scope["path"])
    attributes = {
        "http.request.method": method,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope.get("http_version", "1.1"),
        "concierge.request_id": request_id.get(),
        **({"http.route": route} if route else {}),
    }
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    name = f"{method} {route}".rstrip()
    with tracing.span(name, kind=SpanKind.SERVER, parent=parent_in(headers), attributes=attributes) as span:
        try:
            yield span
        finally:
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failed(span, str(answer.status))


def route_of(path: str) -> str:
    """The pattern that it fits, as in `/api/keys/<int:pk>/`; empty: none of ours."""
    if path in OURS:
        return path
    try:
        return f"/{resolve(path).route}"
    except Resolver404:
        return ""
