"""One's preferences, on one's own page: set, edited, deleted; what is refused is said, and nothing lost."""

import json
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from sessions_app.models import Preference, User
from sessions_app.models.preference import LARGEST_VALUE, LONGEST_KEY
from tests.control_room import ControlRoom, Page, filled_in

CANARY = "<script>alert('canary')</script>"
LIST, EDIT, DELETE = "/me/preferences/", "/me/preferences/edit/", "/me/preferences/delete/"


def put(user: User, key: str, value: Any) -> None:
    Preference.objects.put(user.pk, key, value)


def kept_by(user: User) -> dict[str, Any]:
    return Preference.objects.of(user.pk).as_dict()


def about(path: str, key: str) -> str:
    return f"{path}?{urlencode({'key': key})}"


def shown(user: User, key: str) -> dict[str, Any]:
    """The form for one of them, as a browser has it."""
    return filled_in(ControlRoom(user).read(EDIT, key=key))


def save(user: User, key: str, **fields: Any) -> Any:
    return ControlRoom(user).post(about(EDIT, key), **fields)


@pytest.mark.parametrize("value", ['"dark"', "null", "0", "-0.5", '{"a": [1, null]}', "[]", '"ünï 🙂"', " true "])
def test_any_json_is_set(alice: User, value: str) -> None:
    assert ControlRoom(alice).post(LIST, key="theme", value=value)["Location"] == LIST
    assert kept_by(alice) == {"theme": json.loads(value)}


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("", "1", "This field is required."),
        ("k" * (LONGEST_KEY + 1), "1", "at most 128 characters"),
        ("a\x00b", "1", "Null characters are not allowed."),
        ("theme", "", "This field is required."),
        ("theme", "dark", "Not valid JSON"),
        ("theme", '{"a": 1, "a": 2}', "Not valid JSON"),
        ("theme", "NaN", "Not valid JSON"),
        ("theme", "1e999", "Not accepted"),
        ("theme", '"\\u0000"', "Not accepted"),
        ("theme", "[" * 100 + "]" * 100, "Not accepted"),
        ("theme", f'"{"x" * LARGEST_VALUE}"', "A preference's value has at most 16384 bytes"),
        ("theme", "x" * 70_000, "at most 65536 characters"),
    ],
)
def test_what_is_refused_is_said_and_kept(alice: User, key: str, value: str, sentence: str) -> None:
    answer = ControlRoom(alice).post(LIST, key=key, value=value)
    assert answer.status_code == 400
    assert sentence in unescape(answer.text)
    fields = Page(answer.text).fields
    assert (fields["key"], fields["value"].strip()) == (key, value)
    assert kept_by(alice) == {}


def test_what_is_there_is_not_overwritten_unseen(alice: User) -> None:
    put(alice, "theme", "dark")
    answer = ControlRoom(alice).post(LIST, key="theme", value='"light"')
    assert answer.status_code == 400
    assert "You have a preference of this key: edit that one." in answer.text
    assert kept_by(alice) == {"theme": "dark"}


@pytest.mark.parametrize("key", ["theme", "a/b", "..", "with space", "a\nb", "ä?&#%", "<b>"])
def test_one_is_edited_and_deleted_whatever_it_is_called(alice: User, key: str) -> None:
    put(alice, key, {"a": 1})
    fields = shown(alice, key)
    assert fields["value"] == '{\n  "a": 1\n}'
    assert save(alice, key, **{**fields, "value": "[2]"})["Location"] == LIST
    assert kept_by(alice) == {key: [2]}
    room = ControlRoom(alice)
    assert "Delete the preference" in room.read(DELETE, key=key)
    assert kept_by(alice) == {key: [2]}
    assert room.post(about(DELETE, key))["Location"] == LIST
    assert kept_by(alice) == {}


def test_a_change_of_somebody_else_s_is_not_overwritten_unseen(alice: User) -> None:
    put(alice, "theme", "dark")
    fields = shown(alice, "theme")
    put(alice, "theme", "set by an agent")
    answer = save(alice, "theme", **{**fields, "value": '"mine"'})
    assert answer.status_code == 400
    assert 'Meanwhile it was changed to "set by an agent".' in unescape(answer.text)
    again = filled_in(answer.text)
    assert again["value"] == '"mine"'
    assert kept_by(alice) == {"theme": "set by an agent"}
    assert save(alice, "theme", **again).status_code == 302
    assert kept_by(alice) == {"theme": "mine"}


def test_what_was_deleted_meanwhile_can_be_kept(alice: User) -> None:
    put(alice, "theme", "dark")
    fields = shown(alice, "theme")
    Preference.objects.all().delete()
    answer = save(alice, "theme", **{**fields, "value": '"mine"'})
    assert "It was deleted meanwhile." in answer.text
    assert save(alice, "theme", **filled_in(answer.text)).status_code == 302
    assert kept_by(alice) == {"theme": "mine"}


def test_another_s_are_as_ones_that_there_are_not(alice: User, bob: User) -> None:
    put(bob, "theme", "his")
    room = ControlRoom(alice)
    assert "You have none yet." in room.read(LIST)
    for key in ("theme", "nothing", "", "a\x00b"):
        for path in (EDIT, DELETE):
            assert room.get(path, key=key).status_code == 404
        assert room.post(about(DELETE, key)).status_code == 404
    assert save(alice, "theme", value='"hers"', seen="").status_code == 302
    assert (kept_by(alice), kept_by(bob)) == ({"theme": "hers"}, {"theme": "his"})


def test_a_key_that_is_none_is_not_made_by_editing(alice: User) -> None:
    for key, status in (("", 400), ("k" * 200, 400), ("a\x00b", 404)):
        assert save(alice, key, value="1", seen="").status_code == status
    assert kept_by(alice) == {}


def test_who_has_none_is_told_what_they_are_for(alice: User) -> None:
    assert "You have none yet." in ControlRoom(alice).read(LIST)


def test_what_others_wrote_is_text(alice: User) -> None:
    put(alice, CANARY, {"value": CANARY})
    room = ControlRoom(alice)
    for html in (room.read(LIST), room.read(EDIT, key=CANARY), room.read(DELETE, key=CANARY)):
        assert CANARY not in html
        assert CANARY in unescape(html)
        assert Page(html).inline == []
