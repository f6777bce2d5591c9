"""One of everything that a user can have, with what must never be shown known beforehand."""

from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
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
from tools_app.models import ToolCall, ToolPolicy

Belongings = dict[type[Model], Any]


def everything_of(user: User) -> Belongings:
    """A row of each model that has a page in the control room, all about `user`."""
    group, _ = Group.objects.get_or_create(name=f"{user}'s group")
    user.groups.add(group)
    key, _ = ApiKey.mint(user, f"{user}'s laptop")
    key.rotate(timedelta(hours=1))
    session = session_of(user, key)
    session.subscribe("concierge://profile")
    session.server_requests.create(
        request_id=f"asked-{user}", method="elicitation/create", expires_at=timezone.now() + timedelta(hours=1)
    )
    Preference.objects.put(user.pk, f"{user}s-theme", {"dark": True})
    room = Room.objects.start(user, f"{user}'s room", by_invitation=True)
    message = room.post(user, "Only for us.", client="laptop", key=f"idempotent-{user}")
    room.state.set("plan", "secret plan", user)
    RevokedToken.objects.revoke("https://issuer.example", f"jti-{user}", timezone.now())
    return {
        User: user,
        Group: group,
        ApiKey: key,
        Session: session,
        Preference: Preference.objects.get(user=user),
        SessionToken: SessionToken.mint(user, f"{user}'s token")[0],
        TokenFamily: TokenFamily.open(user)[0],
        RevokedToken: RevokedToken.objects.get(jti=f"jti-{user}"),
        OutsideIdentity: OutsideIdentity.objects.create(
            user=user, issuer="https://issuer.example", subject=f"{user}'s subject"
        ),
        ToolCall: call_of(user, session),
        ToolPolicy: ToolPolicy.objects.get_or_create(tool="echo", defaults={"rate": "5/m"})[0],
        LogEntry: LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(User),
            object_id=str(user.pk),
            object_repr=str(user),
            action_flag=CHANGE,
            change_message="Something.",
        ),
        Room: room,
        type(message): message,
        type(room.member(user)): room.member(user),
    }


def session_of(user: User, key: ApiKey) -> Session:
    return Session.objects.create(
        user=user,
        credential=key.credential,
        label=f"{user}'s session",
        client_name="client",
        stream=f"stream-of-{user}",
        transport="http",
        protocol_version="2025-11-25",
    )


def call_of(user: User, session: Session) -> ToolCall:
    return ToolCall.objects.create(
        kind="tool",
        name="echo",
        outcome="ok",
        user_id=user.pk,
        username=user.username,
        credential="api-key:1",
        session_id=session.pk,
        started_at=session.opened_at,
        duration_ms=1.25,
    )
