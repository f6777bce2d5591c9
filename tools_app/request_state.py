"""What a client carries between the rounds of one request: sealed, and of use to nobody else."""

from typing import Any

from django.conf import settings
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateSecurity

from sessions_app import tokens
from sessions_app.call import Call

from .context import call_of


def request_state_security() -> RequestStateSecurity:
    """`requestState` sealed under keys that every worker has, and bound to who it was given to."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return RequestStateSecurity(
        keys=[tokens.purpose_key(key, "request-state") for key in keys], bind_principal=bound_to
    )


def bound_to(ctx: ServerRequestContext[Any, Call]) -> str:
    principal = call_of(ctx).principal
    return f"{principal.account}/{principal.credential}"
