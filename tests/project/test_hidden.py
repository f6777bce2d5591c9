"""No page shows what proves who somebody is, or what routes to him; and none runs what people wrote."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import ActionLocation
from django.contrib.sessions.models import Session as SignIn
from django.db.models import CharField, JSONField, Model, TextField
from django.utils import timezone

from collab_app.models import Message, Room
from sessions_app.jwt import own
from sessions_app.models import ApiKey, RefreshToken, Session, SessionToken, TokenFamily, User
from sessions_app.models.refusal import RefusalHour
from sessions_app.models.server_request import ServerRequest
from sessions_app.models.ticket import WebSocketTicket
from sessions_app.models.worker import Worker
from tests.control_room import SELECTED, list_of, page_of
from tests.doors import House, house, routes, undone
from tools_app.models import Confirmation
from tools_app.models.hour import HourOfName

pytestmark = pytest.mark.pages

HIDDEN: dict[type[Model], tuple[str, ...]] = {
    User: ("password",),
    ApiKey: ("digest", "previous_digest"),
    SessionToken: ("digest",),
    RefreshToken: ("digest",),
    WebSocketTicket: ("digest", "proof"),
    Session: ("public_id", "stream"),
    ServerRequest: ("request_id",),
    Message: ("idempotency_key",),
    Confirmation: ("code",),
    SignIn: ("session_key", "session_data"),
}
SHOWN = {
    # Parts of a secret that say which one it is, and prove nothing.
    "sessions_app.ApiKey.public_id", "sessions_app.SessionToken.public_id", "sessions_app.TokenFamily.public_id",
    "collab_app.Room.public_id",  # its address
    "tools_app.ToolCall.arguments_digest",  # keyed, for operators to tell alike calls by
    "sessions_app.Preference.key", "collab_app.SharedState.key", "auth.Permission.codename",  # names
    "sessions_app.User.tokens_valid_after", "sessions_app.Worker.streams",  # a time, and a number
}  # fmt: skip
SOUNDS_SECRET = re.compile(
    r"pass|digest|hash|secret|proof|code|key|token|stream|public_id|request_id|session_data"
)
UNFINISHED_LINK = re.compile(r"/password/\w+/[\w-]+/")
SCRIPT = "\"'><script>n"
LONGEST = 30
OWN_APPS = ("collab_app", "sessions_app", "tools_app", "auth", "admin")
NO_WORDS = (
    "public_id", "credential", "scopes", "addresses", "network", "capabilities", "client_info", "reply", "rate",
    "protocol_version", "transport", "arguments_digest", "object_id", "change_message", "codename", "tool",
    "instance",
)  # fmt: skip
"""What has a form that is kept by who writes it, and read again by us."""
NOT_SHOWN = {
    "collab_app.Attendance.client", "collab_app.SharedState.client", "sessions_app.ServerRequest.method",
    "sessions_app.Subscription.uri", "tools_app.Confirmation.about", "tools_app.Confirmation.caller",
    "sessions_app.Worker.version",
}  # fmt: skip
ALL = routes()


@pytest.fixture(scope="module")
def home(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), house() as furnished:
        bob = furnished.rows[User]
        furnished.visitors.sign_in(bob)
        bob.leave_link_to_operators()
        soon = timezone.now() + timedelta(hours=1)
        WebSocketTicket.objects.create(user=bob, digest="d1" * 32, proof="browser:f2f2f2", expires_at=soon)
        Confirmation.objects.create(caller=f"user:{bob.pk}", about="delete", code="c3" * 8, expires_at=soon)
        count_something()
        write_scripts()
        yield furnished


def free_text() -> list[tuple[type[Model], str]]:
    """Every column in which somebody's own words may stand."""
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, CharField | TextField | JSONField) and not field.choices
        if model._meta.app_label in OWN_APPS and (field.max_length or LONGEST) >= LONGEST
        if field.name not in (*HIDDEN.get(model, ()), *NO_WORDS)
    ]


def count_something() -> None:
    """What the first page of the control room is made of."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    RefusalHour.objects.create(hour=hour, reason="a reason", count=1)
    HourOfName.objects.create(hour=hour, kind="tool", name="a tool", ok=1, total_ms=1)
    Worker.objects.create(instance="i", host="a host", pid=1, version="1", started_at=now, seen_at=now)


def write_scripts() -> None:
    """Past every form that would not take them."""
    for number, (model, name) in enumerate(free_text()):
        for row in model._base_manager.all():
            model._base_manager.filter(pk=row.pk).update(**{name: f"{SCRIPT}{number}</script>{row.pk}"})


@pytest.fixture(scope="module")
def secrets(home: House) -> set[str]:
    """All there are: of everybody, and what bob was shown once."""
    bob = home.rows[User]
    family, refresh = TokenFamily.open(bob)
    once = [ApiKey.mint(bob, "once")[1].value, SessionToken.mint(bob)[1].value, refresh.value, own.issue(family)]
    kept = [
        str(value)
        for model, names in HIDDEN.items()
        for name in names
        for value in model._base_manager.values_list(name, flat=True)
        if value
    ]
    salted = [
        part for hashed in User.objects.values_list("password", flat=True) for part in hashed.split("$")[-2:]
    ]
    return {*once, *kept, *salted, settings.SECRET_KEY}


def pages(home: House) -> Iterator[tuple[str, Any]]:
    visitors = home.visitors
    own_pages = [route for route in ALL if not route.startswith("admin/")]
    writing = [route for route in ALL if route.endswith(("change/", "add/", "delete/", "password/"))]
    for name, method, routes_ in (
        ("operator", "GET", ALL),
        ("operator", "POST", writing),
        ("bob", "GET", own_pages),
    ):
        for route in routes_:
            yield f"{name}: {method} {route}", visitors.ask(name, method, route, home.rows)
    yield from (("bob posts", visitors.ask("bob", "POST", route, home.rows)) for route in own_pages)
    operator = visitors.clients["operator"]
    for asked in ("bob", "b", "user", "key"):
        yield f"search {asked}", operator.get("/admin/search/", {"s": asked})
    yield from exports(home)
    for model, page in admin.site._registry.items():
        yield f"search in {model._meta.label}", operator.get(list_of(model), {"q": "bob"})
        yield from questions(home, model, page)


def exports(home: House) -> Iterator[tuple[str, Any]]:
    client = home.visitors.clients["operator"]
    for path in (f"/admin/collab_app/room/{home.rows[Room].pk}/export/", "/admin/tools_app/toolcall/export/"):
        with undone(client):
            answer = client.post(path, {"format": "jsonl"})
            assert answer.status_code == 200
            yield path, answer


def text_of(answer: Any) -> str:
    return async_to_sync(whole)(answer) if answer.streaming else answer.text


async def whole(answer: Any) -> str:
    return b"".join([piece async for piece in answer]).decode()


def questions(home: House, model: type[Model], page: Any) -> Iterator[tuple[str, Any]]:
    """What is asked before an action runs."""
    row, client = home.rows[model], home.visitors.clients["operator"]
    for name in page.actions:
        for location, path, field in (
            (ActionLocation.CHANGE_LIST, list_of(model), "action"),
            (ActionLocation.CHANGE_FORM, page_of(row), "CHANGE_FORM-action"),
        ):
            with undone(client):
                yield f"{location}: {name}", client.post(path, {field: name, SELECTED: str(row.pk)})


@pytest.fixture(scope="module")
def read(home: House, secrets: set[str]) -> dict[str, tuple[str, str]]:
    """Kind of content and text, by page."""
    return {page: (answer.headers.get("Content-Type", ""), text_of(answer)) for page, answer in pages(home)}


def test_it_is_on_no_page(read: Any, secrets: set[str]) -> None:
    shown = {page: [secret for secret in secrets if secret in text] for page, (_, text) in read.items()}
    assert {page: found for page, found in shown.items() if found} == {}
    assert [page for page, (_, text) in read.items() if UNFINISHED_LINK.search(text)] == []


def test_what_people_wrote_is_text_on_every_page(read: Any) -> None:
    html = {page: text for page, (kind, text) in read.items() if not kind.startswith("application/")}
    assert [page for page, text in html.items() if "<script>n" in text] == []
    seen = {int(number) for text in html.values() for number in re.findall(r"&lt;script&gt;n(\d+)&lt;", text)}
    unseen = {f"{model._meta.label}.{name}" for n, (model, name) in enumerate(free_text()) if n not in seen}
    assert unseen == NOT_SHOWN


def test_each_kind_of_it_is_among_what_is_looked_for(home: House, secrets: set[str]) -> None:
    for model, names in HIDDEN.items():
        for name in names:
            assert secrets & {str(value) for value in model._base_manager.values_list(name, flat=True)}, name


def test_of_each_field_that_sounds_like_one_it_is_decided() -> None:
    sounding = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if SOUNDS_SECRET.search(field.name) and not model._meta.label.startswith("bakery.")
    }
    hidden = {f"{model._meta.label}.{name}" for model, names in HIDDEN.items() for name in names}
    assert sounding == hidden | SHOWN
