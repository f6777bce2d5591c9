"""Made-up people and what they did; runs in `manage.py shell` of the server whose pictures are taken."""

import random
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from collab_app.models import Room
from sessions_app.models import ApiKey, Preference, Session, User
from tools_app import hourly
from tools_app.models import ToolCall
from tools_app.recorder import Entry, insert

chance = random.Random(8)
now = timezone.now()
tools = ["collaboration", "session-analytics", "manage-preferences", "get-user-profile", "cached-data-fetch"]
outcomes = [ToolCall.Outcome.OK] * 90 + [ToolCall.Outcome.ERROR] * 4 + [ToolCall.Outcome.INVALID] * 3
outcomes += [ToolCall.Outcome.REFUSED] * 2 + [ToolCall.Outcome.TIMEOUT]
clients = [
    ("claude-code", "2.1.330", "2026-07-28"),
    ("Cursor", "1.9.2", "2025-11-25"),
    ("vscode", "1.107", "2025-11-25"),
]

User.objects.create_superuser("olivia", "olivia@example.com", "correct horse", first_name="Olivia")
people: list[User] = []
for name in ("alice", "bob", "charlie", "dora", "emil"):
    user = User.objects.create_user(name, f"{name}@example.com", "correct horse", first_name=name.title())
    user.groups.add(Group.objects.get(name="Members"))
    people.append(user)
for user in people:
    laptop = ApiKey.mint(user, "laptop")[0]
    ApiKey.mint(user, "nightly job", scopes=["tools_app.call_collaboration"], lifetime=timedelta(days=3))
    for client, version, protocol in clients[: chance.randint(1, 3)]:
        Session.objects.create(
            user=user, credential=laptop.credential, label="laptop", client_name=client, client_version=version,
            transport="http", protocol_version=protocol, ip=f"192.0.2.{chance.randint(1, 254)}",
            opened_at=now - timedelta(hours=chance.randint(1, 40)), calls=chance.randint(20, 900),
            errors=chance.randint(0, 9), total_ms=chance.random() * 9000,
        )  # fmt: skip
    Preference.objects.put(user.pk, "theme", "dark")
    Preference.objects.put(user.pk, "editor", {"tabs": 4, "wrap": True})

entries = []
for _number in range(1500):
    user = chance.choice(people)
    session, key = user.mcp_sessions.all()[0], user.api_keys.all()[0]
    entry = Entry(
        key.principal(), session, session.client_version, session.ip, ToolCall.Kind.TOOL, chance.choice(tools), 40,
        "", (now - timedelta(minutes=chance.triangular(0, 1430, 300))).timestamp(),
    )  # fmt: skip
    entry.outcome, entry.duration_ms = chance.choice(outcomes), chance.expovariate(1 / 12)
    entries.append(entry)
with transaction.atomic():
    insert(entries)
    hourly.add(entries)

alice, bob = people[:2]
room = Room.objects.start(alice, "Design of the shop", "design")
room.join(bob)
room.post(alice, "Where are we with the order page?")
room.post(bob, "The list is done; the filter is being written.", client="claude-code")
room.post(alice, "Good. I put the plan into the shared state.")
room.state.set("plan", {"step": 2, "of": 3}, alice)
