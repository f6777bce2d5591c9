"""Texts that would run if a page took them for more, and a row of every model with them in it."""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from collab_app.models import Room
from sessions_app.models import (
    ApiKey,
    OutsideIdentity,
    Preference,
    RevokedToken,
    Session,
    SessionToken,
    TokenFamily,
    User,
)
from sessions_app.permissions import MEMBERS
from tests.tools_app.calls import make_call
from tools_app.models import ToolPolicy

CANARIES = (
    "javascript:window.__ran=1",
    "{{7*7}}{%x%}",
    '<img src=x onerror="window.__ran=1">',
    '"><script>window.__ran=1</script>',
    '"}); window.__ran=1; ({"',
    "'+(window.__ran=1)+'",
    '" x-init="window.__ran=1" hx-on:load="window.__ran=1',
)
ALL = " ".join(CANARIES)


def hostile(name: str, number: int = 0) -> User:
    """Whose every name is. No form would take the user name; from elsewhere it may have come."""
    user = User.objects.create_user(
        name, "x@example.com", "correct horse", first_name=ALL[:150], last_name=ALL[-150:]
    )
    user.groups.add(Group.objects.get(name=MEMBERS))
    User.objects.filter(pk=user.pk).update(email=f'"{CANARIES[number]}"@example.com')
    return user


def plant(user: User, other: User, operator: User, text: str) -> None:
    """A row of every model, with `text` wherever there is one."""
    user.groups.add(Group.objects.create(name=text))
    key = ApiKey.mint(user, text)[0]
    ApiKey.objects.filter(pk=key.pk).update(addresses=["127.0.0.1"])
    SessionToken.mint(user, text, ip="127.0.0.1", user_agent=text)
    TokenFamily.open(user)
    OutsideIdentity.objects.create(user=user, issuer=text, subject=text)
    RevokedToken.objects.create(issuer=text, jti=text, reason=text, expires_at=timezone.now())
    Preference.objects.put(user.pk, text, {text: text})
    live = Session.objects.create(user=user, credential=key.credential, **words_of_session(text))
    make_call(
        user_id=user.pk, username=user.username, name=text, credential=text, client_name=text, client_version=text,
        session_id=live.pk,
    )  # fmt: skip
    ToolPolicy.objects.create(tool=text)
    room = Room.objects.start(user, text)
    room.invite(other, user)
    room.attend(user, text)
    room.post(user, text, client=text)
    room.state.set(text, {text: text}, user, client=text)
    for row in (user, key, live, room, *Group.objects.filter(name=text)):
        LogEntry.objects.create(
            user=operator, content_type=ContentType.objects.get_for_model(row), object_id=row.pk,
            object_repr=text, action_flag=CHANGE, change_message=text,
        )  # fmt: skip


def words_of_session(text: str) -> dict[str, Any]:
    told = ("label", "client_name", "client_version", "user_agent")
    fixed = {"protocol_version": "2025-11-25", "transport": "http", "ip": "127.0.0.1", "log_level": "debug"}
    return {**dict.fromkeys(told, text), **fixed, "capabilities": '{"<img src=x onerror=window.__ran=1>": {}}'}
