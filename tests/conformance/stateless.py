"""Tools that the scenario `server-stateless` calls (2026-07-28, SEP-2575)."""

from typing import Annotated, Any

from django.contrib.auth.models import Permission
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY
from pydantic import BaseModel

from sessions_app.models import User
from sessions_app.permissions import EVERYONE
from tools_app.context import CurrentPrincipal
from tools_app.registry import prompt, tool

Ctx = Context[Any, Any]


@tool("test_missing_capability", groups=EVERYONE, read_only=True)
async def missing_capability(ctx: Ctx) -> str:
    """Need a client that can sample."""
    able = ctx.client_capabilities
    if able is None or able.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client that can sample",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "The client can sample"


class Word(BaseModel):
    word: str


async def ask_for_a_word() -> Elicit[Word]:
    return Elicit("A word, please", Word)


@tool("test_streaming_elicitation", groups=EVERYONE, read_only=True)
async def streaming_elicitation(answer: Annotated[Word, Resolve(ask_for_a_word)]) -> str:
    """Ask, which in this revision is a result and no request on the stream."""
    return answer.word


@tool("test_logging_tool", groups=EVERYONE, read_only=True)
async def logging_tool(ctx: Ctx) -> str:
    """Log once, to a client that asked for it."""
    await ctx.info("test_logging_tool ran")
    return "Logged"


@tool("test_dynamic_tool", groups=(), read_only=True)
async def dynamic_tool() -> str:
    """Nobody's at first."""
    return "dynamic"


@prompt("test_dynamic_prompt", groups=())
async def dynamic_prompt() -> str:
    """Nobody's at first."""
    return "dynamic"


@tool("test_trigger_tool_change", groups=EVERYONE)
def trigger_tool_change(*, principal: CurrentPrincipal) -> str:
    """Change which tools the caller is listed, as an operator would."""
    return toggle(principal.user_id, "call_test_dynamic_tool")


@tool("test_trigger_prompt_change", groups=EVERYONE)
def trigger_prompt_change(*, principal: CurrentPrincipal) -> str:
    """Change which prompts the caller is listed, as an operator would."""
    return toggle(principal.user_id, "use_test_dynamic_prompt")


def toggle(user_id: int, codename: str) -> str:
    held = User.objects.get(pk=user_id).user_permissions
    permission = Permission.objects.get(codename=codename)
    if held.filter(pk=permission.pk).exists():
        held.remove(permission)
        return f"{codename} taken away"
    held.add(permission)
    return f"{codename} given"
