"""Preferences in the admin: any JSON value, by the rules that the tool obeys."""

import json
from typing import Any

import pytest

from sessions_app.models import Preference, User
from sessions_app.models.preference import LARGEST_VALUE, LONGEST_KEY, MOST_KEYS
from tests.control_room import (
    ControlRoom,
    facts,
    filled_in,
    form_for,
    list_of,
    make_staff,
    make_superuser,
    page_of,
)

VALUES = [
    None, True, False, 0, -1.5, 2**53 - 1, "", "null", "a\nb", " spaced ", "\n first line empty", "é\u2028🎉",
    [], {}, [None], {"a": None}, {"": [1, {"b": "<&>"}]},
]  # fmt: skip


@pytest.fixture
def room(db_for_threads: None) -> ControlRoom:
    return ControlRoom(make_superuser())


def put(user: User, value: Any, key: str = "theme") -> Preference:
    Preference.objects.put(user.pk, key, value)
    return user.preferences.get(key=key)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_is_added_shown_and_saved_as_it_is(room: ControlRoom, alice: User, value: Any) -> None:
    answer = room.post(form_for(Preference), user=alice, key="theme", value=json.dumps(value))
    assert answer.status_code == 302
    preference = alice.preferences.get()
    assert (preference.value, type(preference.value)) == (value, type(value))
    shown = filled_in(room.read(page_of(preference)))["value"]
    assert json.loads(shown) == value
    assert room.save(preference).status_code == 302
    assert alice.preferences.get().value == value


def test_null_is_a_value_and_not_sql_null(room: ControlRoom, alice: User) -> None:
    preference = put(alice, "dark")
    assert room.save(preference, value="null").status_code == 302
    assert list(alice.preferences.values_list("value", flat=True)) == [None]
    assert "null" in room.read(list_of(Preference))
    assert room.save(preference, value='"light"').status_code == 302
    assert alice.preferences.get().value == "light"


def test_who_may_only_look_sees_null_and_every_other_value(alice: User, db_for_threads: None) -> None:
    room = ControlRoom(make_staff("viewer", may="^view_"))
    values: list[Any] = [None, False, 0, "", [], {}]
    for value in values:
        preference = put(alice, value)
        assert facts(room.read(page_of(preference)))["Value"] == json.dumps(value)


REFUSED = [
    "", "  ", "dark", "{", "NaN", "Infinity", "1e999", "9" * 5000, '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000"',
    "[" * 65 + "]" * 65, "[" * 5000, "1 2", str(2**53),
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_is_no_json_is_refused_in_the_form_and_shown_again(room: ControlRoom, alice: User, text: str) -> None:
    preference = put(alice, "dark")
    for answer in (
        room.post(form_for(Preference), user=alice, key="new", value=text),
        room.save(preference, value=text),
    ):
        assert answer.status_code == 200
        assert "errorlist" in answer.text
        assert filled_in(answer.text)["value"].strip() == text.strip()
    assert [preference.value for preference in alice.preferences.all()] == ["dark"]


def complaint_about(room: ControlRoom, **data: Any) -> str:
    answer = room.post(form_for(Preference), **data)
    assert answer.status_code == 200
    return str(answer.text)


def test_a_value_has_at_most_sixteen_kibibytes(room: ControlRoom, alice: User) -> None:
    largest = json.dumps("x" * (LARGEST_VALUE - 2))
    preference = put(alice, 1)
    assert "16384 bytes" in complaint_about(room, user=alice, key="new", value=f'{largest[:-1]}x"')
    assert room.save(preference, value=f'{largest[:-1]}x"').status_code == 200
    assert alice.preferences.get().value == 1
    assert room.save(preference, value=f"\n {largest} \n").status_code == 302


def test_a_key_has_one_to_128_characters(room: ControlRoom, alice: User) -> None:
    for key in ("k" * (LONGEST_KEY + 1), "", "  ", "nul\0"):
        assert "errorlist" in complaint_about(room, user=alice, key=key, value="1")
    room.post(form_for(Preference), user=alice, key="k" * LONGEST_KEY, value="1")
    assert len(alice.preferences.get().key) == LONGEST_KEY


def test_a_user_has_at_most_256(room: ControlRoom, alice: User, bob: User) -> None:
    Preference.objects.bulk_create(
        Preference(user=alice, key=f"k{number}", value=number) for number in range(MOST_KEYS)
    )
    assert "at most 256 preferences" in complaint_about(room, user=alice, key="one more", value="1")
    assert room.save(alice.preferences.get(key="k0"), value="2").status_code == 302
    assert room.post(form_for(Preference), user=bob, key="first", value="1").status_code == 302
    assert (alice.preferences.count(), bob.preferences.count()) == (MOST_KEYS, 1)


def test_all_of_a_user_s_preferences_have_room_for_so_much(room: ControlRoom, alice: User) -> None:
    full = "x" * (LARGEST_VALUE - 2)
    Preference.objects.bulk_create(Preference(user=alice, key=f"k{number}", value=full) for number in range(16))
    assert "together" in complaint_about(room, user=alice, key="one more", value="1")
    assert room.save(alice.preferences.get(key="k0"), value='"shorter"').status_code == 302
    assert room.post(form_for(Preference), user=alice, key="one more", value="1").status_code == 302


def test_a_key_that_is_there_is_not_overwritten(room: ControlRoom, alice: User) -> None:
    put(alice, "dark")
    assert "already exists" in complaint_about(room, user=alice, key="theme", value='"light"')
    assert alice.preferences.get().value == "dark"


def test_whose_it_is_and_its_key_stay(room: ControlRoom, alice: User, bob: User) -> None:
    preference = put(alice, "dark")
    room.save(preference, user=bob, key="other", value='"light"')
    assert Preference.objects.values("user_id", "key", "value").get() == {
        "user_id": alice.pk,
        "key": "theme",
        "value": "light",
    }


def test_saving_notes_when(room: ControlRoom, alice: User) -> None:
    preference = put(alice, "dark")
    room.save(preference, value="1")
    assert alice.preferences.get().updated_at > preference.updated_at
