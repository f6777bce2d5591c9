"""Tools that change what other clients are told of, and one that says what a process holds."""

import asyncio
import os
import time
from functools import partial
from typing import Annotated, Any

from django.contrib.auth.models import Permission
from django.db import connection, transaction
from mcp.server.mcpserver import Context
from mcp.shared.subscriptions import ResourceUpdated
from pydantic import Field

from sessions_app.models import Preference, User
from sessions_app.permissions import EVERYONE
from sessions_app.pool import POOLS
from sessions_app.state import state
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from sessions_app.transport.sockets import sockets
from tools_app.context import CurrentPrincipal
from tools_app.registry import tool


@tool("touch", groups=EVERYONE)
def touch(uri: str, *, principal: CurrentPrincipal) -> str:
    """Change a resource."""
    Preference.objects.put(principal.user_id, "touched", uri)
    transaction.on_commit(partial(bus.publish, ResourceUpdated(uri)))
    return "touched"


@tool("promote", groups=EVERYONE)
def promote(on: bool, *, principal: CurrentPrincipal) -> str:
    """Give the caller one tool more, or take it away."""
    permissions = User.objects.get(pk=principal.user_id).user_permissions
    (permissions.add if on else permissions.remove)(Permission.objects.get(codename="call_restock"))
    return "promoted" if on else "demoted"


@tool("vitals", groups=EVERYONE, read_only=True)
async def vitals(*, principal: CurrentPrincipal) -> dict[str, int]:
    """What the process that answers holds, but for this call."""
    return {
        "pid": os.getpid(),
        "tasks": len(asyncio.all_tasks()) - 1,
        "jobs": sum(len(pool._jobs) for pool in POOLS),
        "calls": ends.calls - 1,
        "streams": ends.streams,
        "sockets": len(sockets),
        "operations": len(await state.operations(principal.owner)) - 1,
    }


@tool("dawdle", groups=EVERYONE, read_only=True, timeout=60)
def dawdle(text: str, seconds: Annotated[float, Field(ge=0, le=60)]) -> str:
    """Hold a thread for so long, and say it back."""
    time.sleep(seconds)
    return text


@tool("recall", groups=EVERYONE, read_only=True)
def recall(marker: str, *, principal: CurrentPrincipal) -> str:
    """Read, and say it back."""
    User.objects.filter(pk=principal.user_id).get()
    return marker


@tool("note", groups=EVERYONE)
def note(marker: str, seconds: float) -> str:
    """Write it down, take so long, and say it back."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO noted (marker) VALUES (%s)", [marker])
    time.sleep(seconds)
    return marker


@tool("doze", groups=EVERYONE, read_only=True)
async def doze(marker: str, seconds: float) -> str:
    """Sleep so long, and say it back."""
    await asyncio.sleep(seconds)
    return marker


@tool("tell", groups=EVERYONE, read_only=True)
async def tell(marker: str, times: int, ctx: Context[Any, Any]) -> str:
    """Report so often, and say it back."""
    for number in range(times):
        await ctx.report_progress(number + 1, times, marker)
        await asyncio.sleep(0.002)
    return marker


@tool("shout", groups=EVERYONE, read_only=True, timeout=120)
async def shout(times: int, size: int, ctx: Context[Any, Any]) -> str:
    """Report so often, so long."""
    for number in range(times):
        await ctx.report_progress(number + 1, times, "x" * size)
        await asyncio.sleep(0.016)
    return "done"
