"""Keys in the admin: made, shown once, used, narrowed, revoked."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.utils import timezone

from sessions_app import tokens
from sessions_app.callers import callers
from sessions_app.connect import CLIENTS, instructions
from sessions_app.models import ApiKey, Session, User
from sessions_app.transport import presence
from tests.control_room import (
    ControlRoom,
    column,
    deletion_of,
    form_for,
    history_of,
    list_of,
    make_superuser,
    page_of,
)
from tests.wire import Wire

SECRET = re.compile(r"cgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


@pytest.fixture
def operator(db_for_threads: None) -> User:
    return make_superuser()


@pytest.fixture
def room(operator: User) -> ControlRoom:
    return ControlRoom(operator)


def make_key(room: ControlRoom, owner: User, name: str = "laptop", **data: Any) -> Any:
    return room.post(form_for(ApiKey), user=owner.get_username(), name=name, **data)


def secret_in(answer: Any) -> str:
    found = set(SECRET.findall(answer.text))
    assert len(found) == 1
    return str(found.pop())


@pytest.fixture
async def laptop(room: ControlRoom, alice: User) -> Wire:
    """A client with a key of alice's that the operator made."""
    return Wire(secret_in(await sync_to_async(make_key)(room, alice)))


async def key_of(wire: Wire) -> ApiKey:
    token = tokens.parse(str(wire.key))
    assert token is not None
    return await ApiKey.objects.by_token(token).aget()


async def status_of(wire: Wire) -> int:
    """What a call is answered now, by a process that remembers nothing."""
    callers.forget()
    presence.forget()
    return (await wire.ask("tools/list")).status


def test_the_answer_to_the_form_is_the_one_page_with_the_secret(room: ControlRoom, alice: User) -> None:
    answer = make_key(room, alice)
    secret = secret_in(answer)
    key = ApiKey.objects.get()
    assert (answer.status_code, key.user, key.name, key.scopes) == (200, alice, "laptop", None)
    for path in (page_of(key), history_of(key), list_of(ApiKey), form_for(ApiKey), list_of(LogEntry), "/admin/"):
        assert secret not in room.read(path)
        assert secret.rpartition("_")[2] not in room.read(path)


def test_no_cache_keeps_the_secret(room: ControlRoom, alice: User) -> None:
    assert "no-store" in make_key(room, alice)["Cache-Control"]


def test_the_secret_is_nowhere_in_the_database(room: ControlRoom, alice: User) -> None:
    secret = secret_in(make_key(room, alice)).rpartition("_")[2]
    assert secret not in repr(list(ApiKey.objects.values_list()) + list(LogEntry.objects.values_list()))
    assert secret not in repr(dict(room.client.session))


def test_the_page_has_a_ready_line_and_buttons_to_copy(room: ControlRoom, alice: User) -> None:
    answer = make_key(room, alice)
    line = instructions("claude-code", settings.CONFIG.origin, secret_in(answer))
    assert f'<pre id="claude-code" tabindex="0">{line}</pre>' in unescape(answer.text)
    assert answer.text.count("data-copy=") == 1 + len(CLIENTS)


def test_sending_the_form_again_makes_no_second_key(room: ControlRoom, alice: User) -> None:
    make_key(room, alice)
    again = make_key(room, alice)
    assert SECRET.search(again.text) is None
    assert "alice has a key of that name." in again.text
    assert ApiKey.objects.count() == 1


def test_a_revoked_keys_name_may_be_used_again(room: ControlRoom, alice: User) -> None:
    make_key(room, alice)
    ApiKey.objects.all().revoke()
    assert secret_in(make_key(room, alice))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "n" * 101}, "at most 100 characters"),
        ({"user": ""}, "This field is required."),
        ({"user": "999999"}, "There is no such user"),
        ({"user": "x"}, "There is no such user"),
        ({"scopes": ["tools_app.invented"]}, "Select a valid choice."),
        ({"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}, "That is in the past."),
        ({"expires_at_0": "soon", "expires_at_1": ""}, "Enter a valid"),
    ],
)
def test_a_form_that_is_wrong_makes_no_key(
    room: ControlRoom, alice: User, data: dict[str, Any], complaint: str
) -> None:
    answer = room.post(form_for(ApiKey), **{"user": alice, "name": "laptop", **data})
    assert answer.status_code == 200
    assert complaint in answer.text
    assert not ApiKey.objects.exists()


def test_a_new_key_ends_in_ninety_days_unless_told_otherwise(room: ControlRoom, alice: User) -> None:
    in_ninety_days = timezone.now() + timedelta(days=90)
    assert f'value="{in_ninety_days:%Y-%m-%d}"' in room.read(form_for(ApiKey))
    make_key(room, alice, "with an end", expires_at_0=f"{in_ninety_days:%Y-%m-%d}", expires_at_1="12:00")
    make_key(room, alice, "without")
    ends = {key.name: key.expires_at and key.expires_at.date() for key in ApiKey.objects.all()}
    assert ends == {"with an end": in_ninety_days.date(), "without": None}


def test_inactive_users_are_not_offered(room: ControlRoom, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert "alice" not in room.read(form_for(ApiKey))
    assert "There is no such user" in make_key(room, alice).text


@pytest.mark.parametrize("place", ["list", "page"])
async def test_a_key_works_until_it_is_revoked(
    room: ControlRoom, operator: User, laptop: Wire, place: str
) -> None:
    assert await status_of(laptop) == 200
    key = await key_of(laptop)
    revoke = room.act if place == "list" else room.act_on_page
    assert (await sync_to_async(revoke)("revoke", key)).status_code == 302
    assert await status_of(laptop) == 401
    entry = await LogEntry.objects.filter(change_message="Revoked.").select_related("user").aget()
    assert (entry.user, entry.object_id) == (operator, str(key.pk))


async def test_a_deleted_key_works_no_more(room: ControlRoom, laptop: Wire) -> None:
    await sync_to_async(room.post)(deletion_of(await key_of(laptop)), post="yes")
    assert await status_of(laptop) == 401


async def test_a_deactivated_or_deleted_owners_key_works_no_more(
    room: ControlRoom, laptop: Wire, alice: User
) -> None:
    await sync_to_async(room.save)(alice, is_active="")
    assert await status_of(laptop) == 401
    await sync_to_async(room.save)(alice, is_active="on")
    assert await status_of(laptop) == 200
    await sync_to_async(room.post)(deletion_of(alice), post="yes")
    assert await status_of(laptop) == 401
    assert not await User.objects.filter(pk=alice.pk).aexists()


async def test_a_key_is_narrowed_to_what_was_checked(room: ControlRoom, alice: User) -> None:
    answer = await sync_to_async(make_key)(room, alice, scopes=["tools_app.call_echo", "tools_app.call_restock"])
    wire = Wire(secret_in(answer))
    assert [tool["name"] for tool in (await wire.ask("tools/list")).result["tools"]] == ["echo"]


async def test_unchecking_all_leaves_a_narrowed_key_nothing(room: ControlRoom, laptop: Wire, alice: User) -> None:
    key = await key_of(laptop)
    await ApiKey.objects.filter(pk=key.pk).aupdate(scopes=["tools_app.call_echo"])
    await sync_to_async(room.save)(key, scopes=[])
    assert (await laptop.ask("tools/list")).result["tools"] == []
    assert (await key_of(laptop)).scopes == []


def test_saving_a_page_untouched_changes_nothing(room: ControlRoom, alice: User) -> None:
    for scopes in (None, [], ["tools_app.call_echo"], ["other_app.unknown"]):
        key, _ = ApiKey.mint(alice, f"narrowed to {scopes}", scopes=scopes)
        # The form shows whole seconds.
        ApiKey.objects.update(expires_at=timezone.now().replace(microsecond=0) + timedelta(days=1))
        before = ApiKey.objects.values().get(pk=key.pk)
        assert room.save(key).status_code == 302
        assert ApiKey.objects.values().get(pk=key.pk) == before


def test_a_key_is_never_given_to_another_owner(room: ControlRoom, alice: User, bob: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    room.save(key, user=bob, digest="0" * 64, public_id="0" * 12, revoked_at="")
    assert ApiKey.objects.values("user_id", "digest", "public_id").get() == {
        "user_id": alice.pk,
        "digest": key.digest,
        "public_id": key.public_id,
    }


def test_the_list_says_how_each_key_stands(room: ControlRoom, alice: User, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    ApiKey.mint(alice, "good")
    ApiKey.mint(alice, "old", lifetime=timedelta(days=-1))
    ApiKey.mint(alice, "gone")[0].revoke()
    ApiKey.mint(charlie, "asleep")
    page = room.read(list_of(ApiKey))
    assert dict(zip(column(page, "name"), column(page, "status"), strict=True)) == {
        "good": "valid", "old": "expired", "gone": "revoked", "asleep": "its owner is inactive",
    }  # fmt: skip


async def test_an_ended_session_is_left_for_a_new_one(
    room: ControlRoom, operator: User, laptop: Wire, alice: User
) -> None:
    await laptop.ask("tools/list")
    first = await alice.mcp_sessions.aget()
    await sync_to_async(room.act)("end", first)
    assert await status_of(laptop) == 200
    await first.arefresh_from_db()
    second = await alice.mcp_sessions.aget(ended_at=None)
    assert (first.is_live, first.end_reason, second.pk == first.pk) == (False, "by operator", False)
    assert (await LogEntry.objects.aget(change_message="Ended.")).object_id == str(first.pk)


def test_a_guests_session_can_be_ended(room: ControlRoom) -> None:
    session = Session.objects.create(label="guest", credential="guest", transport="http")
    room.act_on_page("end", session)
    session.refresh_from_db()
    session.delete()
    assert not session.is_live


@pytest.mark.parametrize("model", [ApiKey, Session])
def test_an_action_without_a_selection_changes_nothing(room: ControlRoom, alice: User, model: type[Model]) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    assert room.post(list_of(model), action="revoke").status_code in (200, 302, 400)
    assert room.post(list_of(model), action="invented", _selected_action=["x"]).status_code in (200, 302, 400)
    key.refresh_from_db()
    assert key.is_valid


def test_a_key_s_rate_is_set_and_shown(room: ControlRoom, alice: User) -> None:
    assert 'name="rate"' in room.read(form_for(ApiKey))
    key, _ = ApiKey.mint(alice, "slow", rate="100/h")
    assert "100/h" in room.read(page_of(key))
    room.save(key, rate="5/m")
    key.refresh_from_db()
    assert key.rate == "5/m"
    assert "write 100/h" in room.save(key, rate="often").text
