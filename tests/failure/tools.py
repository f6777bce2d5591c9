"""Tools that change what other clients are told of."""

from functools import partial

from django.contrib.auth.models import Permission
from django.db import transaction
from mcp.shared.subscriptions import ResourceUpdated

from sessions_app.models import Preference, User
from sessions_app.permissions import EVERYONE
from sessions_app.transport.bus import bus
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
