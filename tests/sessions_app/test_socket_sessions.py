"""The sessions of sockets, as rows: each socket has its own, and it is over soon after its server is."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.cleanup import LAST_WORDS
from sessions_app.exceptions import TooManySessions
from sessions_app.models import ApiKey, Session, User
from sessions_app.models import session_queryset as session_module
from sessions_app.models.session import ACTIVITY_IS_NOTED_EVERY
from sessions_app.models.session_lifetime import IDLE_LIFETIME, SOCKET_SILENCE
from sessions_app.principal import Principal
from sessions_app.transport import presence
from tests.sessions_app.test_cleanup import run
from tests.wire import Durable

ERAS = ("2025-11-25", "2026-07-28")
SECOND = timedelta(seconds=1)
NOT_FOUND = {"code": -32001, "message": "Session not found"}
GONE = "the server that held its socket is gone"


@pytest.fixture
def caller(alice: User) -> Principal:
    return ApiKey.mint(alice, "laptop")[0].principal()


def socket_of(caller: Principal, version: str = "2026-07-28", **details: Any) -> Session:
    return Session.objects.open(caller, transport="websocket", protocol_version=version, **details)


def silent(caller: Principal, silence: timedelta = SOCKET_SILENCE, **details: Any) -> Session:
    return socket_of(caller, last_activity_at=timezone.now() - silence, **details)


def http_of(caller: Principal, **details: Any) -> Session:
    return Session.objects.open(caller, transport="http", protocol_version="2025-11-25", **details)


# --- Each has its own ---


@pytest.mark.parametrize("version", ERAS)
def test_each_socket_of_one_client_has_a_session_of_its_own(caller: Principal, version: str) -> None:
    first, second = (socket_of(caller, version, client_name="cursor") for _ in "ab")
    assert set(Session.objects.live().of_sockets()) == {first, second}


def test_over_http_a_client_does_not_continue_what_is_a_sockets(caller: Principal) -> None:
    socket = socket_of(caller, client_name="cursor")
    who = {"client_name": "cursor"}
    assert Session.objects.continued(caller, **who) is None
    opened = Session.objects.continue_or_open(caller, **who, protocol_version="2026-07-28")
    assert opened != socket
    assert Session.objects.continue_or_open(caller, **who, protocol_version="2026-07-28") == opened
    assert list(Session.objects.of_sockets()) == [socket]


async def test_the_id_of_a_sockets_session_opens_nothing_over_http(durable: Durable) -> None:
    unknown = await durable.with_id("A" * 43).ask("ping")
    await Session.objects.filter(public_id=durable.session_id).aupdate(transport="websocket")
    presence.forget()
    answer = await durable.ask("ping")
    assert (answer.status, answer.error) == (unknown.status, unknown.error) == (404, NOT_FOUND)
    assert (await durable.delete()).status == 404


# --- Silence ---


@pytest.mark.parametrize("version", ERAS)
def test_a_socket_is_over_when_its_server_has_not_been_heard_for_three_minutes(
    caller: Principal, version: str
) -> None:
    heard = silent(caller, SOCKET_SILENCE - SECOND, version=version)
    unheard = silent(caller, version=version)
    assert (heard.is_live, unheard.is_live) == (True, False)
    assert list(Session.objects.live()) == [heard]
    assert list(Session.objects.expired()) == list(Session.objects.over()) == [unheard]
    assert timedelta(minutes=3) == SOCKET_SILENCE > 2 * ACTIVITY_IS_NOTED_EVERY  # one note may get lost


def test_silence_of_a_client_over_http_means_nothing(caller: Principal) -> None:
    quiet = http_of(caller, last_activity_at=timezone.now() - IDLE_LIFETIME + SECOND)
    assert quiet.is_live
    assert list(Session.objects.live()) == [quiet]
    assert not Session.objects.expired().exists()


def test_it_was_not_over_yet_before_the_silence_was_long(caller: Principal) -> None:
    silent(caller, SOCKET_SILENCE + SECOND)
    assert Session.objects.over().exists()
    assert not Session.objects.over(timezone.now() - 2 * SECOND).exists()


def test_no_activity_revives_it_and_nobody_can_end_it_once_more(caller: Principal) -> None:
    unheard = silent(caller)
    unheard.note_activity()
    assert not unheard.end("by operator")
    unheard.refresh_from_db()
    assert (unheard.is_live, unheard.end_reason) == (False, "")


def test_it_ended_because_its_server_is_gone_and_the_others_expired(caller: Principal) -> None:
    now = timezone.now()
    # This one's server closed it when its thirty days were over, and then said no more of it.
    aged = silent(caller, SOCKET_SILENCE + SECOND, expires_at=now - SOCKET_SILENCE)
    idle = http_of(caller, last_activity_at=now - IDLE_LIFETIME)
    unheard, live = silent(caller, timedelta(days=2)), socket_of(caller)
    assert Session.objects.all().expire() == 3
    reasons = dict(Session.objects.values_list("pk", "end_reason"))
    assert reasons == {aged.pk: "expired", idle.pk: "expired", unheard.pk: GONE, live.pk: ""}


# --- Room and cleaning up ---


def test_a_socket_whose_server_is_gone_takes_no_room(caller: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 2)
    monkeypatch.setattr(session_module, "MOST_IN_ALL", 2)
    unheard = [silent(caller) for _ in range(3)]
    first, second = socket_of(caller), http_of(caller)
    assert set(Session.objects.live()) == {first, second}
    assert Session.objects.filter(pk__in=[row.pk for row in unheard], ended_at=None).count() == 3
    with pytest.raises(TooManySessions):
        socket_of(caller)


def test_sockets_count_among_the_sessions_of_one_credential(
    caller: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "MOST_OF_ONE", 2)
    quietest = silent(caller, 2 * SECOND)
    others = {socket_of(caller), http_of(caller)}
    quietest.refresh_from_db()
    assert quietest.end_reason == "more than 2 sessions of one credential"
    assert set(Session.objects.live()) == others


def test_cleaning_up_says_why_it_ended_and_keeps_what_made_calls(caller: Principal) -> None:
    used, unused = (silent(caller, SOCKET_SILENCE + LAST_WORDS, calls=calls) for calls in (1, 0))
    live = socket_of(caller)
    for row in (used, live):
        row.subscriptions.create(uri="shop://orders")
    said = run()
    assert (said["expired sessions, now ended"], said["sessions without a call"]) == (2, 1)
    assert said["subscriptions of sessions that are over"] == 1
    used.refresh_from_db()
    assert used.end_reason == GONE
    assert set(Session.objects.all()) == {used, live}
    assert not Session.objects.filter(pk=unused.pk).exists()
