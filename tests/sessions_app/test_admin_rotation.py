"""A key in the admin gets its next secret, and is used from where its networks say."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from sessions_app.models import ApiKey, Session, User
from tests.control_room import ControlRoom, column, facts, form_for, list_of, make_staff, make_superuser, page_of

SECRET = re.compile(r"cgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


@pytest.fixture
def room(db: None) -> ControlRoom:
    return ControlRoom(make_superuser())


@pytest.fixture
def key(alice: User) -> ApiKey:
    return ApiKey.mint(alice, "laptop")[0]


def rotate(room: ControlRoom, key: ApiKey, **data: Any) -> Any:
    sent = {
        "CHANGE_FORM-action": "rotate",
        "_selected_action": str(key.pk),
        "confirmed": "yes",
        "seen": str(key.rotations),
    }
    return room.post(page_of(key), **{**sent, **data})


@pytest.mark.parametrize(("hours", "is_good"), [("24", True), ("0", False)])
def test_a_rotated_key_shows_its_next_secret_once(
    room: ControlRoom, key: ApiKey, hours: str, is_good: bool
) -> None:
    before = key.digest
    answer = rotate(room, key, choice=hours)
    [secret] = set(SECRET.findall(answer.text))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    key.refresh_from_db()
    assert key.digest != before
    assert (key.previous_digest == before, key.has_previous) == (is_good, is_good)
    assert secret.split("_")[1] == key.public_id
    assert secret not in room.read(page_of(key))
    assert LogEntry.objects.get().get_change_message().startswith("Rotated.")


def test_sending_the_answer_again_rotates_no_more(room: ControlRoom, key: ApiKey) -> None:
    """Whoever reloads the page with the secret would end the one that he has just copied."""
    rotate(room, key, choice="0")
    once = ApiKey.objects.get().digest
    assert SECRET.search(rotate(room, key, choice="0").text) is None
    assert ApiKey.objects.get().digest == once
    assert "It was done already" in room.read(page_of(key))


def test_it_is_asked_first_how_long_the_old_secret_is_good(room: ControlRoom, key: ApiKey) -> None:
    sent = {"CHANGE_FORM-action": "rotate", "_selected_action": str(key.pk)}
    page = room.post(page_of(key), **sent)
    assert SECRET.search(page.text) is None
    assert 'name="choice" value="24" checked' in page.text
    assert ApiKey.objects.get().digest == key.digest


@pytest.mark.parametrize("choice", ["", "25", "-1", "x", "9" * 99])
def test_no_other_overlap_is_taken(room: ControlRoom, key: ApiKey, choice: str) -> None:
    answer = rotate(room, key, choice=choice)
    assert answer.status_code == 302
    assert ApiKey.objects.get().digest == key.digest


def test_a_key_that_is_not_valid_is_not_rotated(room: ControlRoom, key: ApiKey) -> None:
    key.revoke()
    assert rotate(room, key, choice="24").status_code == 302
    assert "Only a valid key can be rotated." in room.read(page_of(key))
    assert ApiKey.objects.get().digest == key.digest


def test_nobody_rotates_a_key_of_somebody_with_more_privileges(key: ApiKey) -> None:
    clerk = ControlRoom(make_staff("clerk", may="^(view|change)_apikey$"))
    boss, _ = ApiKey.mint(make_superuser("boss"), "boss")
    rotate(clerk, boss, choice="24")
    assert ApiKey.objects.get(pk=boss.pk).digest == boss.digest
    viewer = ControlRoom(make_staff("viewer", may="^view_apikey$"))
    rotate(viewer, key, choice="24")
    assert ApiKey.objects.get(pk=key.pk).digest == key.digest


def test_a_key_has_the_networks_that_were_typed(room: ControlRoom, alice: User) -> None:
    ends = timezone.now() + timedelta(days=1)
    sent = {"expires_at_0": f"{ends:%Y-%m-%d}", "expires_at_1": "12:00"}
    typed = {"user": "alice", "name": "office", "addresses": " 192.0.2.0/24\r\n\r\n2001:db8::/32 "}
    answer = room.post(form_for(ApiKey), **typed, **sent)
    assert SECRET.search(answer.text)
    key = ApiKey.objects.get()
    assert key.addresses == ["192.0.2.0/24", "2001:db8::/32"]
    assert "192.0.2.0/24\n2001:db8::/32" in room.read(page_of(key)).replace("\r", "")


@pytest.mark.parametrize("typed", ["10.0.0.0/33", "nowhere", "\n".join(f"10.0.{n}.0/24" for n in range(21))])
def test_what_is_no_network_is_said(room: ControlRoom, alice: User, typed: str) -> None:
    answer = room.post(form_for(ApiKey), user="alice", name="office", addresses=typed)
    assert SECRET.search(answer.text) is None
    assert "network" in answer.text
    assert not ApiKey.objects.exists()


def test_saving_a_page_untouched_leaves_the_networks(room: ControlRoom, key: ApiKey) -> None:
    key.addresses = ["192.0.2.0/24"]
    key.save()
    room.save(key)
    assert ApiKey.objects.get().addresses == ["192.0.2.0/24"]
    assert not LogEntry.objects.exclude(change_message="[]").exists()


@pytest.mark.parametrize("owner", ["nobody", "", "boss", "alice "])
def test_an_owner_is_somebody_whom_one_may_speak_for(alice: User, owner: str) -> None:
    make_superuser("boss")
    clerk = ControlRoom(make_staff("clerk", "Members", may="^(view|add)_apikey$"))
    clerk.post(form_for(ApiKey), user=owner, name="office")
    made = list(ApiKey.objects.values_list("user__username", flat=True))
    assert made == (["alice"] if owner.strip() == "alice" else [])


def test_some_names_are_suggested_and_not_all(room: ControlRoom, alice: User) -> None:
    User.objects.bulk_create(User(username=f"agent-{number:03}") for number in range(60))
    page = room.read(form_for(ApiKey))
    assert page.count("<option value=") <= 50
    assert '<option value="agent-000">' in page


def test_a_list_says_by_which_client_each_key_was_used_last(room: ControlRoom, key: ApiKey) -> None:
    other, _ = ApiKey.mint(key.user, "unused")
    now = timezone.now()
    for client, version, ago in (("Cursor", "1.9", 5), ("Claude Code", "2.1", 1)):
        Session.objects.create(
            user=key.user, credential=key.credential, label="laptop", transport="http", client_name=client,
            client_version=version, ip="192.0.2.7", last_activity_at=now - timedelta(minutes=ago),
        )  # fmt: skip
    page = room.read(list_of(ApiKey))
    assert dict(zip(column(page, "name"), column(page, "last_client"), strict=True)) == {
        "laptop": "Claude Code 2.1 192.0.2.7",
        other.name: "—",
    }
    assert facts(room.read(page_of(key)))["Last used by"] == "Claude Code 2.1 192.0.2.7"
