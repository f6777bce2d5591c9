"""Our application, as the suite can use it: the suite has no way to send a token, and one revision to ask for.

/mcp                  the server, with the run's key added to every request that has none
/as/<revision>/mcp    the same, for a client that asks for that revision
"""

import os
import re
import warnings
from typing import Any

from mcp.shared.exceptions import MCPDeprecationWarning

from project.asgi import Receive, Send
from project.asgi import application as concierge

from .older import asking_for

# Half of what the suite asks for is deprecated by its own latest revision.
warnings.filterwarnings("ignore", category=MCPDeprecationWarning)

KEY = os.environ["CONCIERGE_CONFORMANCE_KEY"]
OLDER = re.compile(r"/as/(?P<revision>[0-9-]+)(?P<path>/mcp)")


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        if (older := OLDER.fullmatch(scope["path"])) is not None:
            scope = scope | {"path": older["path"], "raw_path": older["path"].encode()}
            scope, receive = await asking_for(older["revision"], scope, receive)
        if not any(name == b"authorization" for name, _ in scope["headers"]):
            scope = scope | {"headers": [*scope["headers"], (b"authorization", f"Bearer {KEY}".encode())]}
    await concierge(scope, receive, send)
