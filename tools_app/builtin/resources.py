"""What a client may read: who calls, what he has left, what he may use, what he prefers, what is held of him."""

from typing import Any

from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from sessions_app.holding import PAGE, holdings
from sessions_app.models import Preference
from tools_app.context import CurrentPrincipal, CurrentSession
from tools_app.registry import completion, registry, resource
from tools_app.signals import PREFERENCES
from tools_app.usage import left_of

from .data import report
from .operations import EXPORT, whole_account
from .profile import UserProfile, profile_of

JSON = "application/json"
OF_PROFILE = "tools_app.call_get-user-profile"
OF_PREFERENCES = "tools_app.call_manage-preferences"
OF_DATA = "tools_app.call_cached-data-fetch"
OF_EXPORT = "tools_app.run_export-my-data"


@resource("concierge://me", name="me", title="Me", permission=OF_PROFILE, mime_type=JSON, icon="user")
def me(*, principal: CurrentPrincipal, session: CurrentSession) -> UserProfile:
    """Who is calling, as get-user-profile says it"""
    return profile_of(principal, session)


@resource("concierge://me/usage", name="usage", title="My usage", permission=OF_DATA, mime_type=JSON, icon="gauge")
def usage(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """What is left of each limit, and the calls of a week by tool"""
    return {"limits": left_of(principal.buckets, principal), **report(principal)}


@resource(
    "concierge://server/tools", name="tools", title="Tools", permission=OF_PROFILE, mime_type=JSON, icon="tools"
)
def tools(*, principal: CurrentPrincipal) -> list[dict[str, Any]]:
    """The tools that the caller may use, with what each does"""
    mine = (found for found in registry.tools.values() if found.is_open_to(principal))
    return [
        {
            "name": found.name,
            "title": found.title,
            "description": found.description,
            "readOnly": not found.writes,
            "limit": found.limit.rate if found.limit is not None else None,
        }
        for found in mine
    ]


@resource(
    PREFERENCES,
    name="preferences",
    title="My preferences",
    permission=OF_PREFERENCES,
    mime_type=JSON,
    icon="settings",
)
def preferences(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """All preferences of the caller"""
    return Preference.objects.of(principal.user_id).as_dict()


@resource(
    f"{PREFERENCES}/{{key}}",
    name="preference",
    title="One preference",
    permission=OF_PREFERENCES,
    mime_type=JSON,
    icon="settings",
)
def preference(key: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """One preference of the caller"""
    found = Preference.objects.of(principal.user_id).filter(key=key).first()
    if found is None:
        raise ResourceNotFoundError
    return {"key": key, "value": found.value}


@completion("preference", "key")
def preference_keys(value: str, *, principal: CurrentPrincipal) -> list[str]:
    mine = Preference.objects.of(principal.user_id).filter(key__startswith=value)
    return list(mine.order_by("key").values_list("key", flat=True))


@resource(EXPORT, name="export", title="All that is held of me", permission=OF_EXPORT, mime_type=JSON, icon="data")
def export(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """The kinds of rows that the server holds about the caller, how many, and where to read them"""
    user = whole_account(principal)
    return {
        name: {"rows": held.count(user), "first": f"{EXPORT}/{name}/0", "fields": held.fields}
        for name, held in holdings.items()
    }


@resource(
    f"{EXPORT}/{{kind}}/{{after}}",
    name="export-page",
    title="A page of what is held of me",
    permission=OF_EXPORT,
    mime_type=JSON,
    icon="data",
)
def export_page(kind: str, after: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """Rows of one kind after a primary key, and where the next ones are"""
    held = holdings.get(kind)
    if held is None or not after.isascii() or not after.isdigit() or len(after) > 18:
        raise ResourceNotFoundError
    rows = held.page(whole_account(principal), int(after))
    has_more = len(rows) == PAGE
    return {"kind": kind, "rows": rows, "next": f"{EXPORT}/{kind}/{rows[-1]['pk']}" if has_more else None}


@completion("export-page", "kind")
def kinds(value: str) -> list[str]:
    return [name for name in holdings if name.startswith(value)]
