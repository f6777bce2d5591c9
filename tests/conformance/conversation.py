"""Tools that talk with the client while they work. Logging and sampling are of the 2025 revisions."""

from enum import StrEnum
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel, Field

from sessions_app.permissions import EVERYONE
from tools_app.registry import tool

Ctx = Context[Any, Any]


@tool("test_tool_with_logging", groups=EVERYONE, read_only=True)
async def with_logging(ctx: Ctx) -> str:
    """Log three times."""
    for step in ("started", "working", "done"):
        await ctx.info(f"Tool is {step}")
    return "Logged three times"


@tool("test_tool_with_progress", groups=EVERYONE, read_only=True)
async def with_progress(ctx: Ctx) -> str:
    """Report progress three times."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"{done} of 100")
    return "Reported progress three times"


@tool("test_sampling", groups=EVERYONE, read_only=True)
async def sampling(prompt: str, ctx: Ctx) -> str:
    """Ask the client's model."""
    question = SamplingMessage(role="user", content=TextContent(text=prompt))
    # Related to this request, or it would go to a GET stream that may not be open.
    answer = await ctx.session.create_message([question], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {answer.content.text if isinstance(answer.content, TextContent) else 'no text'}"


class Contact(BaseModel):
    """What the suite's client answers."""

    username: str
    email: str


@tool("test_elicitation", groups=EVERYONE, read_only=True)
async def elicitation(message: str, ctx: Ctx) -> str:
    """Ask the person at the client."""
    answer = await ctx.elicit(message, Contact)
    return f"User response: {answer.model_dump_json()}"


class Status(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class Defaults(BaseModel):
    """One of each primitive type, each with a default (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field(default="active", json_schema_extra={"enum": [status.value for status in Status]})
    verified: bool = True


@tool("test_elicitation_sep1034_defaults", groups=EVERYONE, read_only=True)
async def elicitation_defaults(ctx: Ctx) -> str:
    """Ask with a default for everything."""
    answer = await ctx.elicit("Check what we know of you", Defaults)
    return f"Elicitation completed: {answer.model_dump_json()}"


ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": [status.value for status in Status]},
        "titledSingle": {
            "type": "string",
            "oneOf": [{"const": "low", "title": "Low"}, {"const": "high", "title": "High"}],
        },
        "legacyEnum": {"type": "string", "enum": ["s", "m"], "enumNames": ["Small", "Medium"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["read", "write"]}},
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": [{"const": "bug", "title": "Bug"}, {"const": "docs", "title": "Documentation"}]},
        },
    },
}
"""Every way to offer a choice (SEP-1330)."""


@tool("test_elicitation_sep1330_enums", groups=EVERYONE, read_only=True)
async def elicitation_enums(ctx: Ctx) -> str:
    """Ask for choices of every kind."""
    answer = await ctx.session.elicit_form("Choose", ENUMS, related_request_id=ctx.request_id)
    return f"Elicitation completed: {answer.action}"


@tool("test_reconnection", groups=EVERYONE, read_only=True)
async def reconnection(ctx: Ctx) -> str:
    """Let go of the stream while working, where the server can resume one (SEP-1699)."""
    await ctx.info("Letting go of the stream")
    await ctx.close_sse_stream()
    return "Reconnection test completed"
