"""Prompts: plain, with arguments, with embedded content, and one that asks first."""

from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import ContentBlock, InputRequiredResult, PromptMessage, TextContent

from sessions_app.permissions import EVERYONE
from tools_app.registry import completion, prompt

from .content import PICTURE, embedded
from .rounds import answer_to, question


def says(content: ContentBlock) -> PromptMessage:
    return PromptMessage(role="user", content=content)


@prompt("test_simple_prompt", groups=EVERYONE)
def simple() -> str:
    """Say one thing."""
    return "This is a simple prompt for testing."


@prompt("test_prompt_with_arguments", groups=EVERYONE)
def with_arguments(arg1: str, arg2: str) -> str:
    """Say what was given."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@completion("test_prompt_with_arguments", "arg1")
def first_arguments(value: str) -> list[str]:
    """Words that start so."""
    return [word for word in ("paris", "park", "party") if word.startswith(value)]


@prompt("test_prompt_with_embedded_resource", groups=EVERYONE)
def with_embedded_resource(resourceUri: str) -> list[PromptMessage]:  # noqa: N803 (the suite's name for it)
    """Say it with a resource."""
    return [says(embedded(resourceUri, "Embedded for testing.")), says(TextContent(text="Read the above."))]


@prompt("test_prompt_with_image", groups=EVERYONE)
def with_image() -> list[PromptMessage]:
    """Say it with a picture."""
    return [says(PICTURE), says(TextContent(text="Look at the above."))]


@prompt("test_input_required_result_prompt", groups=EVERYONE)
async def asking(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    """Ask for a context before saying anything."""
    context = answer_to(ctx, "user_context", "context")
    if context is None:
        return InputRequiredResult(input_requests={"user_context": question("Which context?", context="string")})
    return f"Use this context: {context}"
