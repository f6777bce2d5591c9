"""Our side of the contest: two tools, found by autodiscovery like any app's."""

from sessions_app.permissions import EVERYONE
from tests.bench.rows import read_username
from tools_app.context import CurrentPrincipal
from tools_app.registry import tool


@tool("echo", title="Echo", groups=EVERYONE, read_only=True)
async def echo(text: str) -> str:
    """Say it back."""
    return text


@tool("read-one", title="Read one row", groups=EVERYONE, read_only=True)
def read_one(*, principal: CurrentPrincipal) -> str:
    """Read the caller's row."""
    return read_username(principal.user_id)
