"""Spans of OpenTelemetry, where `project/tracing.py` switched them on; elsewhere none, for next to nothing."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry import context as spans
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, Tracer

NO_SPAN = nullcontext(INVALID_SPAN)
PARENT = ("traceparent", "tracestate")
"""W3C Trace Context. Not `baggage`, which is a caller's words."""


class Tracing:
    """No span has an argument, a result or an exception's message in it: what crashed, the log says."""

    tracer: Tracer | None = None

    @property
    def is_on(self) -> bool:
        return self.tracer is not None

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: Context | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> AbstractContextManager[Span]:
        """A child of `parent`, and else of the span it is in."""
        if self.tracer is None:
            return NO_SPAN
        return self.tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        )

    def context(self) -> Context | None:
        """To be carried to another thread."""
        return None if self.tracer is None else spans.get_current()

    @contextmanager
    def within(self, context: Context) -> Iterator[None]:
        """On that thread."""
        token = spans.attach(context)
        try:
            yield
        finally:
            spans.detach(token)

    def trace_id(self) -> str:
        """Of the span it is in; empty: it is in none."""
        if self.tracer is None:
            return ""
        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def parent_in(carrier: Mapping[str, Any]) -> Context:
    """The span in which the caller called, as he says in headers or `_meta`; never one that happens to be ours."""
    known = {name: value for name in PARENT if isinstance(value := carrier.get(name), str)}
    return propagate.extract(known, context=Context())


def failed(span: Span, why: str) -> None:
    """`why`: one of few words."""
    span.set_attribute("error.type", why)
    span.set_status(Status(StatusCode.ERROR))


tracing = Tracing()
