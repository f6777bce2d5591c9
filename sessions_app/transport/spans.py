"""The spans of a message: named as the SDK names them, and with no word of a caller's that is not a name."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from sessions_app.plain_text import visible
from sessions_app.request_ids import request_id
from sessions_app.tracing import NO_SPAN, failed, parent_in, tracing

from .jsonrpc import Message

LONGEST = 100
"""Characters of a name that somebody else made up."""


class MessageSpans(ServerMiddleware[Any]):
    """The SDK's `OpenTelemetryMiddleware`, less what it takes from exceptions: their messages repeat what callers
    wrote, such as the URI of a resource that is not there. And names are as long as callers like.
    """

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        target = name_of(ctx)
        name = f"{short(ctx.method)} {target}" if target else short(ctx.method)
        parent, ambient = agreed_parent(ctx.meta), trace.get_current_span()
        if parent is not None:  # somebody else's trace: this request's knows it by a link
            ambient.add_link(trace.get_current_span(parent).get_span_context())
        with tracing.span(
            name, kind=SpanKind.SERVER, parent=parent, attributes=attributes_of(ctx, target)
        ) as span:
            try:
                result = await call_next(ctx)
            except MCPError as error:
                span.set_attribute("rpc.response.status_code", str(error.error.code))
                failed(span, str(error.error.code))
                raise
            except Exception as error:
                failed(span, type(error).__qualname__)
                raise
            if isinstance(result, dict) and result.get("isError") is True:
                failed(span, "tool_error")
            return result


def name_of(ctx: ServerRequestContext[Any, Any]) -> str:
    name = ctx.params.get("name") if ctx.params else None
    return short(name) if isinstance(name, str) else ""


def short(name: str) -> str:
    return visible(name[:LONGEST])


def attributes_of(ctx: ServerRequestContext[Any, Any], target: str) -> dict[str, str]:
    attributes = {"mcp.method.name": short(ctx.method), "mcp.protocol.version": ctx.protocol_version}
    if ctx.request_id is not None:
        attributes["jsonrpc.request.id"] = short(str(ctx.request_id))
    if ctx.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
        attributes["gen_ai.tool.name"] = target
    elif ctx.method == "prompts/get":
        attributes["gen_ai.prompt.name"] = target
    return attributes


def agreed_parent(meta: Mapping[str, Any] | None) -> Context | None:
    """What the message names as its parent. None: nothing, or a span of the trace that its request is in."""
    if not meta:
        return None
    parent = parent_in(meta)
    named = trace.get_current_span(parent).get_span_context()
    if not named.is_valid or named.trace_id == trace.get_current_span().get_span_context().trace_id:
        return None
    return parent


def of_socket(message: Message, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """Of one request on a WebSocket, from its arrival to its reply. Its own parent counts, or its handshake's."""
    if not tracing.is_on:
        return NO_SPAN
    attributes = {
        "network.protocol.name": "websocket",
        "rpc.system.name": "jsonrpc",
        "concierge.request_id": request_id.get(),
    }
    parent = parent_in(message.meta)
    if not trace.get_current_span(parent).get_span_context().is_valid:
        parent = parent_in(headers)
    name = f"WEBSOCKET {short(message.method)}"
    return tracing.span(name, kind=SpanKind.SERVER, parent=parent, attributes=attributes)
