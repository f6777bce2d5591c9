"""What a call can fail with. The message of each is for the caller; anything else raised is a crash."""

import re

from mcp.server.mcpserver.exceptions import ToolError as SdkToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import BaseModel

from sessions_app.call import Call

from .models import ToolCall

Outcome = ToolCall.Outcome
ERROR_ID = re.compile(r" failed unexpectedly\. Error id: ([0-9a-f]+)\Z")


class ToolError(SdkToolError):
    """A failure that a tool foresaw. The model reads the text, and what the tool wrote is rolled back."""

    outcome = Outcome.ERROR

    def __init__(self, message: str, *, structured: BaseModel | None = None) -> None:
        """`structured`: the same for programs, by the tool's output schema."""
        super().__init__(message)
        self.structured = structured


class InvalidArguments(ToolError):
    """The arguments do not fit the input schema. Of a tool an error result, so that the model can mend them
    (SEP-1303); of a prompt, a resource and a completion -32602, for which any other failure is the server's own.
    """

    outcome = Outcome.INVALID


class TimedOut(ToolError):
    outcome = Outcome.TIMEOUT


class Crashed(ToolError):
    """Something unforeseen. Only the id leaves the server; it finds the traceback in the log."""

    outcome = Outcome.CRASHED

    def __init__(self, name: str, error_id: str) -> None:
        super().__init__(f"{name} failed unexpectedly. Error id: {error_id}")
        self.error_id = error_id

    @staticmethod
    def error_id_in(text: str) -> str:
        """That of a crash, if `text` tells of one."""
        found = ERROR_ID.search(text)
        return found[1] if found is not None else ""


RESOURCE_NOT_FOUND = -32002
"""MCP 2025-11-25 and before, server/resources. Since 2026-07-28 it is -32602 like any other unknown name."""


class NotFound(MCPError):
    """Unknown, or hidden from this caller: the same answer, byte for byte."""

    def __init__(self, call: Call, kind: str, name: str, **data: str) -> None:
        has_own_code = kind == "resource" and call.session.is_durable
        super().__init__(
            RESOURCE_NOT_FOUND if has_own_code else INVALID_PARAMS, f"Unknown {kind}: {name}", data or None
        )


class Failed(MCPError):
    """A prompt, resource or completion that failed: these have no error results, only protocol errors."""

    def __init__(self, failure: SdkToolError) -> None:
        is_callers = isinstance(failure, InvalidArguments)
        super().__init__(INVALID_PARAMS if is_callers else INTERNAL_ERROR, str(failure))
