"""Every route that Django knows, and who knocks at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from collab_app.models import Room
from sessions_app.models import ApiKey, Preference, Session, SessionToken, User
from sessions_app.permissions import MEMBERS
from tests.belongings import Belongings, everything_of
from tests.conftest import make_user
from tests.control_room import make_staff, make_superuser

NEVER = 999_999_999
"""An id that nothing has."""
NEVER_KEY = "nobs-theme"
"""As long as bob's."""
ABOUT_ONE = ("me/preferences/edit/", "me/preferences/delete/")
"""Whose query says which."""


def routes() -> list[str]:
    return sorted(below(get_resolver().url_patterns))


def below(patterns: Any, before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from below(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def model_of(route: str) -> type[Model] | None:
    """Whose pages these are in the control room."""
    for model in admin.site._registry:
        if route.startswith(f"admin/{model._meta.app_label}/{model._meta.model_name}/"):
            return model
    return None


@dataclass
class Visitors:
    """Each with a browser of his own."""

    clients: dict[str, Client] = field(default_factory=dict)

    @classmethod
    def arrive(cls) -> "Visitors":
        visitors = cls({"nobody": Client(raise_request_exception=False)})
        visitors.sign_in(make_user("alice", MEMBERS))
        visitors.sign_in(make_staff("bare", may="^$"))
        visitors.sign_in(make_superuser())
        gone = make_superuser("gone")
        visitors.sign_in(gone)
        User.objects.filter(pk=gone.pk).update(is_active=False)
        for model in admin.site._registry:
            name = f"view_{model._meta.model_name}"
            visitors.sign_in(make_staff(name, may=f"^{name}$"))
        return visitors

    def sign_in(self, user: User) -> None:
        self.clients[user.username] = Client(raise_request_exception=False)
        self.clients[user.username].force_login(user)

    def client(self, name: str, route: str) -> Client:
        """`viewer`: staff who may look at what the route is about, and nothing else."""
        if name == "viewer":
            name = f"view_{(model_of(route) or User)._meta.model_name}"
        return self.clients[name]

    def ask(self, name: str, method: str, route: str, rows: Belongings | None = None) -> Any:
        """As if it had never been asked: whatever comes of it is undone."""
        client = self.client(name, route)
        with undone(client):
            return client.generic(method, filled(route, rows))


@contextmanager
def undone(client: Client) -> Iterator[None]:
    cookies = SimpleCookie(client.cookies)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    client.cookies = cookies


@dataclass
class House:
    visitors: Visitors
    rows: Belongings
    """Of bob, who is none of the visitors."""


@contextmanager
def house() -> Iterator[House]:
    """With people in it, and all that bob has; gone afterwards."""
    with transaction.atomic():
        yield House(Visitors.arrive(), everything_of(make_user("bob", MEMBERS)))
        transaction.set_rollback(True)


def filled(route: str, rows: Belongings | None = None) -> str:
    """The address of what is in `rows`; without any, of what never was."""

    def pk(model: type[Model]) -> Any:
        return rows[model].pk if rows else NEVER

    room, key = (rows[Room].public_id, rows[Preference].key) if rows else ("never-was", NEVER_KEY)
    users = ContentType.objects.get_for_model(User).pk
    of_kind = {"keys": ApiKey, "connection": ApiKey, "sessions": Session, "session-tokens": SessionToken}
    for name, model in of_kind.items():
        route = route.replace(f"{name}/<int:id>", f"{name}/{pk(model)}")
        route = route.replace(f"{name}/<int:pk>", f"{name}/{pk(model)}")
    parts = {
        "<path:content_type_id>/<path:object_id>": f"{users}/{pk(User)}",
        "<path:object_id>": pk(model_of(route) or User),
        "<str:object_id>": pk(model_of(route) or User),
        "user/<id>": f"user/{pk(User)}",
        "user/<int:pk>": f"user/{pk(User)}",
        "room/<int:pk>": f"room/{pk(Room)}",
        "<credential:kind>/<int:pk>": f"key/{pk(ApiKey)}",
        "preferences/<anything:key>": f"preferences/{key}",
        "state/<anything:key>": "state/plan",
        "<anything:username>": "bob" if rows else "never",
        "<room:id>": room,
        "<room:public_id>": room,
        "<uidb64>/<token>": f"{urlsafe_base64_encode(force_bytes(pk(User)))}/c8x-0123456789abcdef",
        "^(?P<app_label>sessions_app|auth|admin|collab_app|tools_app)/$": "sessions_app/",
        "(?P<url>.*)$": "elsewhere/",
    }
    for part, value in parts.items():
        route = route.replace(part, str(value))
    assert "<" not in route, f"Say in tests/doors.py what is to stand there: {route}"
    return f"/{route}?key={key}" if route in ABOUT_ONE else f"/{route}"


def is_about_something(route: str) -> bool:
    """Whether its address can name what is somebody's."""
    return "<" in route.replace("(?P<", "") or route in ABOUT_ONE
