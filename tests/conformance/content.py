"""Tools that answer at once, with content of every kind."""

from typing import Annotated

from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from sessions_app.permissions import EVERYONE
from tools_app.exceptions import ToolError
from tools_app.registry import registry, tool

from .samples import PNG, WAV

PICTURE = ImageContent(data=PNG, mime_type="image/png")


@tool("test_simple_text", groups=EVERYONE, read_only=True)
def simple_text() -> str:
    """Answer with a text."""
    return "This is a simple text response for testing."


@tool("test_image_content", groups=EVERYONE, read_only=True)
def image_content() -> list[ImageContent]:
    """Answer with a picture."""
    return [PICTURE]


@tool("test_audio_content", groups=EVERYONE, read_only=True)
def audio_content() -> list[AudioContent]:
    """Answer with a sound."""
    return [AudioContent(data=WAV, mime_type="audio/wav")]


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


@tool("test_embedded_resource", groups=EVERYONE, read_only=True)
def embedded_resource() -> list[EmbeddedResource]:
    """Answer with a resource."""
    return [embedded("test://embedded-resource", "This is an embedded resource.")]


@tool("test_multiple_content_types", groups=EVERYONE, read_only=True)
def multiple_content_types() -> CallToolResult:
    """Answer with a text, a picture and a resource."""
    numbers = embedded("test://mixed-content-resource", '{"value": 123}', "application/json")
    return CallToolResult(content=[TextContent(text="A text, a picture and a resource:"), PICTURE, numbers])


@tool("test_error_handling", groups=EVERYONE, read_only=True)
def error_handling() -> str:
    """Fail in a way that was foreseen."""
    raise ToolError("This tool fails on purpose")


@tool("test_x_mcp_header", groups=EVERYONE, read_only=True)
async def x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "nowhere",
) -> str:
    """Mirror an argument into a header."""
    return f"In {region}"


@tool("json_schema_2020_12_tool", groups=EVERYONE, read_only=True)
def json_schema_2020_12() -> str:
    """Be listed with every keyword of JSON Schema 2020-12 that the suite looks for."""
    return "listed"


# Our input schemas come from signatures, and none has all of these keywords. What the suite looks for is whether
# a schema leaves the server as it went in, so this one is put where a signature's would be.
registry.tools["json_schema_2020_12_tool"].wire["inputSchema"] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
