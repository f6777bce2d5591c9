"""What is where in the control room. Everybody sees what he may look at."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.text import format_lazy

Item = dict[str, Any]


def page(label: str, title: str, icon: str, query: str = "") -> Item:
    """The list of a model: `label` as in `sessions_app.session`. `icon` is a Material Symbol's name."""
    return {
        "title": title,
        "icon": icon,
        "link": format_lazy("{}{}", reverse_lazy(f"admin:{label.replace('.', '_')}_changelist"), query),
        "permission": may_look_at(label),
    }


def may_look_at(label: str) -> Callable[[HttpRequest], bool]:
    def may_look(request: HttpRequest) -> bool:
        pages = {model._meta.label_lower: page for model, page in admin.site._registry.items()}
        return pages[label].has_view_permission(request)

    return may_look


def group(title: str, *items: Item) -> Item:
    return {"title": title, "items": list(items)}


NAVIGATION = [
    group(
        "",
        {"title": "Home", "icon": "space_dashboard", "link": reverse_lazy("admin:index")},
        page("sessions_app.session", "Live sessions", "sensors", "?state=live"),
        page("tools_app.toolpolicy", "Tools", "build"),
        page("tools_app.toolcall", "Record", "receipt_long"),
    ),
    group(
        "People",
        page("sessions_app.user", "Users", "person"),
        page("auth.group", "Groups", "group"),
        page("sessions_app.preference", "Preferences", "tune"),
    ),
    group(
        "Credentials",
        page("sessions_app.apikey", "API keys", "key"),
        page("sessions_app.sessiontoken", "Session tokens", "token"),
        page("sessions_app.tokenfamily", "JWT sign-ins", "badge"),
        page("sessions_app.outsideidentity", "Outside identities", "public"),
        page("sessions_app.revokedtoken", "Revoked tokens", "block"),
    ),
    group(
        "Rooms",
        page("collab_app.room", "Rooms", "forum"),
        page("collab_app.membership", "Memberships", "groups"),
        page("collab_app.message", "Messages", "chat"),
    ),
    group(
        "History",
        page("admin.logentry", "What operators did", "history"),
    ),
]
