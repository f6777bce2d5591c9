"""A busy house in a few minutes: rows by the million, made by PostgreSQL itself. For a database of their own.

`calls` is the number of record rows; everything else is in proportion: for ten million of them a million sessions
and a hundred thousand users.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session as SignIn
from django.db import connection
from django.db.models import Field, Model

from collab_app.models import Attendance, Membership, Message, Room, SharedState
from sessions_app.models import (
    ApiKey,
    FamiliarNetwork,
    OutsideIdentity,
    Preference,
    RefreshToken,
    RevokedToken,
    Session,
    SessionToken,
    TokenFamily,
    User,
)
from sessions_app.permissions import MEMBERS
from tools_app.latency import BOUNDS, BUCKETS
from tools_app.models import HourOfName, HourOfUser, ToolCall
from tools_app.models.hour import OUTCOMES

OPERATOR = "operator"
DAYS = 90
NOTHING = {
    "CharField": "''", "TextField": "''", "BooleanField": "false", "DateTimeField": "now()", "FloatField": "0",
}  # fmt: skip
"""What a column holds that nothing is said of and that is not null; of other types: 0."""
TOOLS = (
    "get-user-profile", "manage-preferences", "session-analytics", "cached-data-fetch", "rate-limited-operation",
    "collaboration", "admin-operations", "no-such-tool",
)  # fmt: skip
NAME = f"(ARRAY{list(TOOLS)})[1 + n % {len(TOOLS)}]"
OUTCOME = (
    "CASE WHEN n % 50 = 0 THEN 'error' WHEN n % 97 = 0 THEN 'invalid' WHEN n % 101 = 0 THEN 'refused'"
    " WHEN n % 997 = 0 THEN 'timeout' WHEN n % 1009 = 0 THEN 'cancelled' WHEN n % 4999 = 0 THEN 'crashed'"
    " ELSE 'ok' END"
)
CLIENT = "'client ' || n % 40"
ADDRESS = "('10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256)::inet"


def fill(calls: int) -> None:
    """In an empty database that is migrated."""
    with cheaply():
        people(calls // 100)
        credentials(calls // 100)
        sessions(calls // 10, calls // 100)
        record(calls, calls // 100)
        rooms(calls // 500, calls // 100)
    User.objects.create_superuser(OPERATOR, f"{OPERATOR}@example.com", "correct horse")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def people(users: int) -> None:
    insert(
        User, users, username="'user-' || n", email="'user-' || n || '@example.com'", first_name="'First'",
        last_name="'Last' || n % 9973", is_active="n % 100 > 0", is_staff="n % 1000 = 1", password="'!'",
        last_login="now() - n * interval '1 minute'", date_joined="now() - n * interval '5 minutes'",
    )  # fmt: skip
    members = Group.objects.get(name=MEMBERS).pk
    insert(User.groups.through, users, user_id="n", group_id=str(members))
    insert(Preference, 2 * users, user_id=f"1 + n % {users}", key="'key-' || n", value="'\"dark\"'")
    insert(FamiliarNetwork, users, user_id="n", network=f"{ADDRESS}::text", seen_at="now() - interval '1 day'")
    insert(
        OutsideIdentity, users // 5, user_id="n", issuer="'https://issuer-' || n % 3 || '.example'",
        subject="'subject-' || n",
    )  # fmt: skip
    insert(
        SignIn, users // 5, session_key="'key' || n", session_data="'x'", expire_date="now() + interval '1 day'"
    )
    kind = ContentType.objects.get_for_model(User).pk
    insert(
        LogEntry, users, action_time="now() - n * interval '1 minute'", user_id=f"1 + n % {users}",
        content_type_id=str(kind), object_id="n::text", object_repr="'user-' || n", action_flag="1 + n % 3",
        change_message="'Changed.'",
    )  # fmt: skip


def credentials(users: int) -> None:
    usual = {
        "user_id": f"1 + n % {users}",
        "public_id": "lpad(to_hex(n), 12, '0')",
        "created_at": "now() - n * interval '3 minutes'",
        "last_used_at": "now() - n % 9000 * interval '1 minute'",
        "revoked_at": "CASE WHEN n % 10 = 0 THEN now() END",
    }
    secret = {"digest": "lpad(to_hex(n), 64, '0')", "last_four": "'abcd'"}
    soon = {"expires_at": "now() + (n % 130000 - 30000) * interval '1 minute'"}
    where = {"ip": ADDRESS, "user_agent": "'python-httpx/0.28'"}
    insert(ApiKey, users * 3 // 2, **usual, **secret, **soon, addresses="'[]'::jsonb", name="'laptop ' || n")
    idle = {"idle_lifetime": "interval '7 days'", "idle_expires_at": "now() + interval '7 days'"}
    insert(SessionToken, users, **usual, **secret, **soon, **where, **idle, name="'token ' || n")
    insert(TokenFamily, users, **usual, **soon, **where)
    insert(RefreshToken, 2 * users, family_id=f"1 + n % {users}", digest="lpad(to_hex(n), 64, '0')")
    insert(
        RevokedToken, users // 5, issuer="'https://mcp.example'", jti="'jti-' || n",
        revoked_at="now() - n * interval '1 minute'", expires_at="now() + interval '1 day'",
    )  # fmt: skip


def sessions(number: int, users: int) -> None:
    """One in fifty is live."""
    live, ago = "n % 50 = 0", f"n * interval '{DAYS * 86400 / number:.6f} seconds'"
    insert(
        Session, number, public_id="lpad(to_hex(n), 43, '0')", user_id=f"1 + n % {users}",
        credential="'api-key:' || n", label="'laptop ' || n", client_name=CLIENT, client_version="'1.0'",
        transport="CASE WHEN n % 7 = 0 THEN 'websocket' ELSE 'http' END",
        protocol_version="CASE WHEN n % 3 = 0 THEN '2025-11-25' ELSE '2026-07-28' END", ip=ADDRESS,
        opened_at=f"now() - {ago} - interval '1 hour'", expires_at="now() + interval '1 day'",
        last_activity_at=f"now() - CASE WHEN {live} THEN n % 36000 * interval '1 second' ELSE {ago} END",
        ended_at=f"CASE WHEN NOT {live} THEN now() - {ago} END", end_reason="'by the client'",
        calls="n % 50", errors="n % 3", total_ms="n % 5000", last_call_at="now()",
    )  # fmt: skip


def record(calls: int, users: int) -> None:
    """Some call a thousand times as often as others."""
    insert(
        ToolCall, calls, kind="CASE WHEN n % 20 = 0 THEN 'resource' ELSE 'tool' END", name=NAME, outcome=OUTCOME,
        arguments_digest="md5(n::text)", arguments_size="n % 500",
        error_id="CASE WHEN n % 4999 = 0 THEN lpad(to_hex(n), 8, '0') ELSE '' END",
        user_id="who", username="'user-' || who", credential="'api-key:' || who",
        session_id=f"1 + n % {calls // 10}",
        client_name=CLIENT, client_version="'1.0'", ip=ADDRESS, duration_ms="exp(random() * 8 - 1)",
        started_at=f"now() - {DAYS} * interval '1 day' + n * interval '{DAYS * 86400 / calls:.6f} seconds'",
        source=f"(SELECT n, 1 + (random() ^ 3 * {users - 1})::int AS who FROM generate_series(1, {calls}) n) made",
    )  # fmt: skip
    add_up()


def add_up() -> None:
    """What would have been added up while those calls were recorded."""
    outcomes = ", ".join(f"count(*) FILTER (WHERE outcome = '{name}')" for name in OUTCOMES)
    ran = "outcome NOT IN ('refused', 'invalid')"
    edges = zip((-1, *BOUNDS), (*BOUNDS, 10**9), strict=True)
    buckets = ", ".join(
        f"count(*) FILTER (WHERE {ran} AND duration_ms > {low} AND duration_ms <= {high})" for low, high in edges
    )
    failed = ", ".join(f"'{name}'" for name in ToolCall.FAILURES)
    hour, names = "date_trunc('hour', started_at)", ", ".join((*OUTCOMES, *BUCKETS))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {HourOfName._meta.db_table} (hour, kind, name, {names}, total_ms)"
            f" SELECT {hour}, kind, name, {outcomes}, {buckets}, sum(duration_ms)"
            f" FROM {ToolCall._meta.db_table} GROUP BY 1, 2, 3"
        )
        cursor.execute(
            f"INSERT INTO {HourOfUser._meta.db_table} (hour, user_id, calls, errors, total_ms)"
            f" SELECT {hour}, user_id, count(*), count(*) FILTER (WHERE outcome IN ({failed})), sum(duration_ms)"
            f" FROM {ToolCall._meta.db_table} GROUP BY 1, 2"
        )


def rooms(number: int, users: int) -> None:
    who, room = f"1 + n % {users}", f"1 + n % {number}"
    insert(
        Room, number, public_id="'room-' || n", name="'Room ' || n", creator_id=who, by_invitation="n % 2 = 0",
        last_sequence="50", active_at="now() - n * interval '1 minute'",
        closed_at="CASE WHEN n % 4 = 0 THEN now() END",
    )  # fmt: skip
    insert(
        Membership, 5 * number, room_id=room, user_id=f"1 + n % {users}", joined_at="now()",
        role=f"CASE WHEN n <= {number} THEN 'owner' ELSE 'member' END",
        source=f"(SELECT n FROM generate_series(1, {5 * number}) n) made",
    )  # fmt: skip
    insert(
        Message, 50 * number, room_id=room, sequence=f"1 + (n - 1) / {number}", author_id=who,
        text="'The ' || n || 'th thing that somebody says here'", posted_at="now() - n * interval '1 second'",
    )  # fmt: skip
    insert(SharedState, 2 * number, room_id=room, key="'key-' || n", value="'1'", version="1", changed_by_id=who)
    insert(Attendance, number, room_id="n", user_id=who)


def insert(model: type[Model], number: int, source: str = "", **values: str) -> None:
    """`number` rows, of each column what PostgreSQL makes of the number `n`."""
    fields = [field for field in model._meta.local_fields if field.column in values or not is_numbered(field)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    given = ", ".join(values.get(str(field.column), nothing(field)) for field in fields)
    source = source or f"generate_series(1, {number}) n"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {given} FROM {source}")


def is_numbered(field: Field) -> bool:  # type: ignore[type-arg]
    return field.get_internal_type() in ("AutoField", "BigAutoField")


def nothing(field: Field) -> str:  # type: ignore[type-arg]
    return "NULL" if field.null else NOTHING.get(field.get_internal_type(), "0")


@contextmanager
def cheaply() -> Iterator[None]:
    """Without indexes, foreign keys and the log that would make it survive a crash; all are there in the end."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger, so no foreign key, is asked
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SET work_mem = '512MB'")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT EXISTS"
            " (SELECT FROM pg_constraint WHERE conname = indexname)"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("SET session_replication_role = origin")
