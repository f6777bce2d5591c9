"""The one way to a function: authorize → validate → execute → record.

Tools, resources, prompts and completions take it alike, whatever the transport. A caller who may not
use a thing gets the answer for a thing that does not exist.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import orjson
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.exceptions import ToolError as SdkToolError
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import InboundLadderRejection, validate_mcp_param_headers
from mcp_types import InputRequiredResult
from opentelemetry.trace import Span
from pydantic import ValidationError

from sessions_app.call import Call
from sessions_app.exceptions import Refused
from sessions_app.outage import is_outage
from sessions_app.tracing import failed, tracing
from sessions_app.transport.refusal import unavailable

from .capabilities import Capability, Completion, Tool
from .exceptions import Crashed, NotFound, Outcome, ToolError
from .execution import Job, run_on_loop, run_on_pool
from .function import spell_out
from .recorder import FAILURES, Entry, Kind, Recorder

logger = logging.getLogger(__name__)

Offered = Capability | Completion
Resolve = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | InputRequiredResult]]
Convert = Callable[[Any], dict[str, Any]]
LONGEST_SCHEME = 20


class Gate:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def authorize[C: Capability](
        self,
        capability: C | None,
        call: Call,
        kind: Kind,
        name: str,
        arguments: Mapping[str, Any],
        **data: str,
    ) -> C:
        """The capability, if there is one and this caller may use it. Raises: NotFound, after recording it."""
        if capability is None or not capability.is_open_to(call.principal):
            self._refused(call, kind, capability.name if capability else name_of_unknown(kind, name), arguments)
            raise NotFound(call, kind, name, **data)
        return capability

    def check_headers(self, tool: Tool, call: Call, arguments: Mapping[str, Any]) -> None:
        """`Mcp-Param-*` headers agree with the arguments they mirror. Raises: MCPError (-32020), recorded.

        Only for a tool that the caller may see: a mismatch must not tell that a hidden one exists.
        """
        if tool.has_header_arguments and call.headers is not None:
            rejection = validate_mcp_param_headers(tool.function.input_schema, arguments, call.headers)
            if isinstance(rejection, InboundLadderRejection):
                self._refused(call, tool.kind, tool.name, arguments)
                raise MCPError(rejection.code, rejection.message, rejection.data)

    def _refused(self, call: Call, kind: Kind, name: str, arguments: Mapping[str, Any]) -> None:
        entry = Entry.of(call, kind, name, orjson.dumps(arguments))
        entry.outcome = Outcome.REFUSED
        self._recorder.add(entry)

    async def run(
        self,
        call: Call,
        offered: Offered,
        arguments: Mapping[str, Any],
        convert: Convert,
        resolve: Resolve | None = None,
    ) -> dict[str, Any] | InputRequiredResult:
        """Validate, execute and record one authorized call; what it returned, converted for the wire.

        Raises: ToolError (foreseen, invalid, timed out, crashed), MCPError (the function wants that one), Refused
        (by a limit; while the database is away).
        """
        with tracing.span(f"execute {offered.name}") as span:
            body = orjson.dumps(arguments)
            entry = Entry.of(call, offered.kind, offered.name, body)
            try:
                return await self._run(call, offered, body, convert, resolve, entry)
            finally:
                self._recorder.add(entry)
                if tracing.is_on:
                    describe(span, entry)

    async def _run(
        self, call: Call, offered: Offered, body: bytes, convert: Convert, resolve: Resolve | None, entry: Entry
    ) -> dict[str, Any] | InputRequiredResult:
        try:
            kwargs = offered.function.bind(call, body)
            if resolve is not None:
                resolved = await run_on_loop(resolve(kwargs), offered.time_limit)
                if isinstance(resolved, InputRequiredResult):
                    return resolved
                kwargs = resolved
            owner = call.principal.owner
            return await self._execute(offered, kwargs, lambda value: convert(askable(call, value)), entry, owner)
        except asyncio.CancelledError:
            if not entry.is_stored:
                entry.outcome = Outcome.CANCELLED
            raise
        except (MCPError, ResourceNotFoundError):
            entry.outcome = Outcome.ERROR
            raise
        except Refused:  # such as by a limit that only the arguments lead to
            entry.outcome = Outcome.REFUSED
            raise
        except SdkToolError as error:
            entry.outcome = error.outcome if isinstance(error, ToolError) else Outcome.ERROR
            raise
        except Exception as exception:  # noqa: BLE001 (the edge of what tool authors wrote)
            if not is_outage(exception):
                self._crash(offered, entry, exception)
            entry.outcome = Outcome.ERROR
            raise unavailable(exception, f"{offered.name} failed", writes=offered.writes) from None

    async def _execute(
        self, offered: Offered, kwargs: dict[str, Any], convert: Convert, entry: Entry, owner: str
    ) -> dict[str, Any]:
        function = offered.function
        if function.is_async:
            return convert(await run_on_loop(function.fn(**kwargs), offered.time_limit))

        def work() -> dict[str, Any]:
            result = convert(function.fn(**kwargs))
            if offered.writes:
                entry.store()
            return result

        job = Job(work, writes=offered.writes)
        try:
            return await run_on_pool(job, offered.time_limit, owner)
        finally:
            entry.is_stored = job.has_committed

    def _crash(self, offered: Offered, entry: Entry, exception: Exception) -> NoReturn:
        entry.outcome = Outcome.CRASHED
        entry.error_id = secrets.token_hex(4)
        logger.error("%s crashed (error id %s)", offered.name, entry.error_id, exc_info=without_inputs(exception))
        raise Crashed(offered.name, entry.error_id) from None


def describe(span: Span, entry: Entry) -> None:
    """As the record does, less who called: his trace leaves the house. The request's id leads to the record."""
    span.set_attribute("concierge.kind", entry.kind.value)
    span.set_attribute("concierge.outcome", entry.outcome.value)
    if entry.error_id:
        span.set_attribute("concierge.error_id", entry.error_id)
    if entry.outcome in FAILURES:
        failed(span, entry.outcome.value)


def name_of_unknown(kind: Kind, name: str) -> str:
    """For the record. The URI of a resource that is not there is somebody's words, as arguments are."""
    if kind != Kind.RESOURCE:
        return name
    scheme, colon, _ = name.partition(":")
    return f"{scheme[:LONGEST_SCHEME]}:…" if colon else "…"


def askable(call: Call, value: Any) -> Any:
    """`value`, unless it is a question in words that the client's revision does not have. Raises: ToolError."""
    if isinstance(value, InputRequiredResult) and call.session.is_durable:
        raise ToolError("This asks for input in a way that only clients of MCP 2026-07-28 understand.")
    return value


def without_inputs(exception: Exception) -> Exception:
    """pydantic's message repeats what it was given, which may be what somebody typed. The log gets the rest."""
    if isinstance(exception, ValidationError):
        return ValueError(spell_out(exception)).with_traceback(exception.__traceback__)
    return exception
