"""One HTTP request to the MCP endpoint, guarded, parsed and authenticated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sessions_app.principal import Principal

from .jsonrpc import Message, Reply
from .response import Receive, Send


@dataclass(frozen=True, slots=True)
class Request:
    scope: Mapping[str, Any]
    receive: Receive
    send: Send
    headers: Mapping[str, str]
    """By lower-case name."""
    principal: Principal
    message: Message | Reply | None
    """None for GET and DELETE."""
