"""Sessions in the admin: what an operator sees of a client of either era, and how he ends one."""

import json
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import Session, User
from sessions_app.models.session_lifetime import IDLE_LIFETIME
from sessions_app.pool import identity_pool
from tests.control_room import ControlRoom, facts, history_of, list_of, make_superuser, page_of
from tests.sessions_app.conftest import row_of
from tests.wire import Durable

CAPABILITIES = {
    "roots": {"listChanged": True},
    "elicitation": {"form": {}, "url": {}},
    "experimental": {"com.example/tracing": {"secret-inside": "do-not-show"}},
}


@pytest.fixture
def operator(db_for_threads: None) -> User:
    return make_superuser()


@pytest.fixture
def room(operator: User) -> ControlRoom:
    return ControlRoom(operator)


def session(user: User, **details: Any) -> Session:
    defaults = {"credential": "api-key:1", "label": "laptop", "transport": "http"}
    return Session.objects.create(user=user, **{**defaults, "protocol_version": "2025-11-25", **details})


def shaken(user: User, capabilities: Any = CAPABILITIES, **details: Any) -> Session:
    """A session that began with a handshake, as `initialize` leaves it."""
    info = {"name": "cursor", "version": "3.1", "description": "info-inside", "icons": [{"src": "data:,x"}]}
    stored = {"client_info": json.dumps(info), "capabilities": json.dumps(capabilities)}
    return session(
        user, client_name="cursor", client_version="3.1", stream="0123456789abcdef", **stored, **details
    )


def read(room: ControlRoom, obj: Session) -> dict[str, str]:
    """The page's fields: what is written beside each name."""
    return facts(room.read(page_of(obj)))


def test_a_handshake_session_says_what_was_agreed(room: ControlRoom, alice: User) -> None:
    row = shaken(alice, log_level="warning")
    for uri in ("shop://menu", "shop://orders"):
        row.subscribe(uri)
    row.server_requests.create(method="elicitation/create")
    shown = read(room, row)
    assert shown["Protocol"] == "2025-11-25 (handshake)"
    assert shown["Client"] == "cursor 3.1"
    assert shown["Client's capabilities"] == "elicitation, experimental, roots"
    assert shown["Log level"].startswith("warning")
    assert shown["Resources subscribed to"] == "2"
    assert shown["Questions without an answer yet"] == "1"
    assert shown["Expires at"].startswith(f"{row.expires_at:%Y-%m-%d %H:%M}")


def test_a_stateless_session_has_nothing_of_a_handshake(room: ControlRoom, alice: User) -> None:
    shown = read(room, session(alice, protocol_version="2026-07-28"))
    assert shown["Protocol"] == "2026-07-28 (stateless)"
    assert shown["Client's capabilities"] == "—"
    assert (shown["Resources subscribed to"], shown["Questions without an answer yet"]) == ("0", "0")


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
def test_a_socket_s_says_that_it_is_one(room: ControlRoom, alice: User, version: str) -> None:
    shown = read(room, session(alice, protocol_version=version, transport="websocket"))
    assert (shown["Protocol"], shown["Transport"]) == (f"{version} (WebSocket)", "WebSocket")


def test_a_question_that_was_answered_or_forgotten_is_open_no_more(room: ControlRoom, alice: User) -> None:
    row, now = shaken(alice), timezone.now()
    row.server_requests.create(method="elicitation/create", replied_at=now, reply='{"result": {}}')
    row.server_requests.create(method="elicitation/create", expires_at=now)
    assert read(room, row)["Questions without an answer yet"] == "0"


def test_what_clients_said_and_people_answered_is_on_no_page(room: ControlRoom, alice: User) -> None:
    row = shaken(alice)
    row.server_requests.create(
        method="elicitation/create", replied_at=timezone.now(), reply='{"pin": "reply-inside"}'
    )
    hidden = (row.public_id, row.stream, "secret-inside", "do-not-show", "info-inside", "reply-inside")
    for path in (list_of(Session), page_of(row), history_of(row)):
        page = room.read(path)
        assert [text for text in hidden if text in page] == [], path


def test_however_much_a_client_says_of_itself_its_page_stays_short(room: ControlRoom, alice: User) -> None:
    names: dict[str, Any] = {f"x{number:03}\u202e{'y' * 500}": {} for number in range(30)}
    shown = read(room, shaken(alice, names))["Client's capabilities"]
    assert shown.startswith(f"x000{'y' * 26}, x001{'y' * 26}, ")
    assert shown.endswith("and 20 more")
    assert len(shown) < 400


def test_what_is_hidden_cannot_be_guessed_by_filtering(room: ControlRoom, alice: User) -> None:
    shaken(alice)
    for lookup in (
        "capabilities__contains", "client_info__startswith", "stream__startswith", "public_id__startswith",
        "server_requests__reply__contains", "server_requests__request_id__startswith", "subscriptions__uri",
    ):  # fmt: skip
        assert room.get(list_of(Session), **{lookup: "a"}).status_code == 400, lookup
    for lookup in ("mcp_sessions__stream__startswith", "mcp_sessions__server_requests__reply__contains"):
        assert room.get(list_of(User), **{lookup: "a"}).status_code == 400, lookup


def test_a_session_that_the_clock_ended_is_not_live_though_nobody_said_so(room: ControlRoom, alice: User) -> None:
    now = timezone.now()
    live = session(alice, client_name="live")
    over = [
        session(alice, client_name="idle", last_activity_at=now - IDLE_LIFETIME),
        session(alice, client_name="aged", expires_at=now),
        session(alice, client_name="told", ended_at=now, end_reason="by the client"),
    ]
    for state, shown in (("live", [live]), ("ended", over)):
        page = room.read(list_of(Session), state=state)
        found = {row for row in (live, *over) if page_of(row) in page}
        assert found == set(shown), state
    for row in (live, *over):
        assert facts(room.read(page_of(row)))["Live"] == ("check_small" if row is live else "close_small")


def test_what_the_clock_ended_is_not_ended_once_more(room: ControlRoom, alice: User) -> None:
    idle = session(alice, last_activity_at=timezone.now() - IDLE_LIFETIME)
    room.act("end", idle)
    assert "Ended: 0. Ended before: 1." in room.read(list_of(Session))
    idle.refresh_from_db()
    assert idle.ended_at is None


@pytest.mark.usefixtures("attached", "quick")
async def test_ending_a_session_ends_its_stream_and_its_calls(durable: Durable, operator: User) -> None:
    stream = await durable.get()
    call = durable.begin("ask", {"text": "tea"})
    await call.asked()
    row = await row_of(durable)
    answer = await identity_pool.run(lambda: ControlRoom(operator).act_on_page("end", row))
    assert answer.status_code == 302
    await stream.wait()
    assert "result" not in (await call.wait()).messages[-1]
    assert (await durable.ask("ping")).status == 404
    await row.arefresh_from_db()
    assert row.end_reason == "by operator"
