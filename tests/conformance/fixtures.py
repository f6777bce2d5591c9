"""What the suite calls by name. A scenario whose fixture is missing can pass for want of a question."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from mcp.client.client import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from .verdict import Problem

TOOLS = frozenset(
    {
        "json_schema_2020_12_tool",
        "test_audio_content",
        "test_elicitation",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_embedded_resource",
        "test_error_handling",
        "test_image_content",
        "test_input_required_result_capabilities",
        "test_input_required_result_elicitation",
        "test_input_required_result_list_roots",
        "test_input_required_result_multi_round",
        "test_input_required_result_multiple_inputs",
        "test_input_required_result_request_state",
        "test_input_required_result_sampling",
        "test_input_required_result_tampered_state",
        "test_logging_tool",
        "test_missing_capability",
        "test_multiple_content_types",
        "test_reconnection",
        "test_sampling",
        "test_simple_text",
        "test_streaming_elicitation",
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_trigger_prompt_change",
        "test_trigger_tool_change",
        "test_x_mcp_header",
    }
)
RESOURCES = frozenset({"test://static-binary", "test://static-text", "test://watched-resource"})
TEMPLATES = frozenset({"test://template/{id}/data"})
PROMPTS = frozenset(
    {
        "test_input_required_result_prompt",
        "test_prompt_with_arguments",
        "test_prompt_with_embedded_resource",
        "test_prompt_with_image",
        "test_simple_prompt",
    }
)
FIXTURES = TOOLS | RESOURCES | TEMPLATES | PROMPTS

PATIENCE = 10
"""Seconds that our own client waits for an answer."""

List = Callable[..., Awaitable[Any]]


def shortfalls(server: str | MCPServer, mode: str, revision: str) -> list[Problem]:
    """What a client of that era misses at the server (a URL, as a rule): the revision, and any of the fixtures."""
    try:
        spoken, names = asyncio.run(listed(server, mode))
    except (ExceptionGroup, MCPError) as failure:
        reasons = "; ".join(str(error) for error in leaves(failure))
        return [Problem("fixtures", "-", f"nothing could be listed: {reasons}")]
    problems = [Problem("fixtures", name, "is not listed") for name in sorted(FIXTURES - names)]
    if spoken != revision:
        problems.append(Problem("fixtures", "-", f"the server speaks {spoken} here"))
    return problems


async def listed(server: str | MCPServer, mode: str) -> tuple[str, set[str]]:
    async with Client(server, mode=mode, read_timeout_seconds=PATIENCE) as client:
        tools = [tool.name async for tool in entries(client.list_tools, "tools")]
        resources = [str(resource.uri) async for resource in entries(client.list_resources, "resources")]
        templates = entries(client.list_resource_templates, "resource_templates")
        prompts = [prompt.name async for prompt in entries(client.list_prompts, "prompts")]
        names = {*tools, *resources, *[template.uri_template async for template in templates], *prompts}
        return client.protocol_version, names


async def entries(list_page: List, key: str) -> AsyncIterator[Any]:
    cursor: str | None = None
    while True:
        page = await list_page(cursor=cursor)
        for entry in getattr(page, key):
            yield entry
        if (cursor := page.next_cursor) is None:
            return


def leaves(error: Exception) -> Iterator[Exception]:
    """The SDK's client wraps what went wrong, once for each of its task groups."""
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
