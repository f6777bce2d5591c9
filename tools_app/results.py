"""From what a function returned to what goes onto the wire."""

import base64
from collections.abc import Sequence
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError as SdkToolError
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, PromptMessage
from pydantic import BaseModel

from sessions_app.transport import strict_json

from .capabilities import Prompt, Resource, Tool, dump

COMPLETE = {"resultType": "complete"}
"""Required of every result since 2026-07-28; earlier revisions do not know it, and the kernel takes it out."""
MOST_COMPLETIONS = 100
"""MCP, completion/complete: a result has at most 100 values."""


def tool_result(tool: Tool, value: Any) -> dict[str, Any]:
    """Structured content by the tool's output schema, and beside it a text for people.

    The text is the value's `to_markdown()` if it has one, else the SDK's: the value as JSON.
    """
    metadata = tool.function.metadata
    if isinstance(value, BaseModel) and value.__class__ is metadata.output_model:
        structured = value.model_dump(mode="json", by_alias=True)
    elif metadata.wrap_output and type(value) is tool.function.returns and type(value) in (str, int, bool):
        structured = {"result": value}
    else:
        return converted_by_sdk(metadata, value)
    return complete(text_of(value), structured, links_of(value))


def converted_by_sdk(metadata: FuncMetadata, value: Any) -> dict[str, Any]:
    result = dump(metadata.convert_result(value))
    if isinstance(value, CallToolResult | InputRequiredResult):
        return result
    if hasattr(value, "to_markdown"):
        result["content"] = [{"type": "text", "text": value.to_markdown()}, *links_of(value)]
    return result


def complete(text: str, structured: dict[str, Any], links: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {
        "content": [{"type": "text", "text": text}, *links],
        "structuredContent": structured,
        "isError": False,
        **COMPLETE,
    }


def as_before_structure(result: dict[str, Any]) -> dict[str, Any]:
    """For a revision before 2025-06-18, which had neither structured content nor links to resources."""
    content = [block for block in result.get("content", ()) if block.get("type") != "resource_link"]
    return {key: value for key, value in result.items() if key != "structuredContent"} | {"content": content}


def links_of(value: Any) -> list[dict[str, Any]]:
    """Resources that the value refers to: its `links()`, if it has any."""
    return [dump(link) for link in value.links()] if hasattr(value, "links") else []


def text_of(value: Any) -> str:
    if hasattr(value, "to_markdown"):
        return str(value.to_markdown())
    if isinstance(value, str):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True, indent=2)
    return strict_json.dumps(value).decode()


def error_result(error: SdkToolError) -> dict[str, Any]:
    result: dict[str, Any] = {"content": [{"type": "text", "text": str(error)}], "isError": True, **COMPLETE}
    if (structured := getattr(error, "structured", None)) is not None:
        result["structuredContent"] = structured.model_dump(mode="json", by_alias=True)
    return result


def resource_result(resource: Resource, uri: str, value: Any) -> dict[str, Any]:
    """Bytes travel as a blob; a model or any other value as JSON."""
    if isinstance(value, InputRequiredResult):
        return dump(value)
    content: dict[str, Any] = {"uri": uri, "mimeType": resource.mime_type}
    if isinstance(value, bytes):
        content["blob"] = base64.b64encode(value).decode()
    elif isinstance(value, str):
        content["text"] = value
    elif isinstance(value, BaseModel):
        content["text"] = value.model_dump_json(by_alias=True)
    else:
        content["text"] = strict_json.dumps(value).decode()
    return {"contents": [content], **COMPLETE}


def prompt_result(prompt: Prompt, value: Any) -> dict[str, Any]:
    """A text is one message of the user's."""
    if isinstance(value, InputRequiredResult):
        return dump(value)
    values = value if isinstance(value, list) else [value]
    messages = [
        dump(item)
        if isinstance(item, PromptMessage)
        else {"role": "user", "content": {"type": "text", "text": str(item)}}
        for item in values
    ]
    return {"description": prompt.description, "messages": messages, **COMPLETE}


def completion_result(values: list[str]) -> dict[str, Any]:
    return {
        "completion": {
            "values": values[:MOST_COMPLETIONS],
            "total": len(values),
            "hasMore": len(values) > MOST_COMPLETIONS,
        },
        **COMPLETE,
    }
