"""Connecting a client from one's own page: a key, shown once, lines to paste, and word of the first visit."""

import re
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from sessions_app import limits
from sessions_app.api import keys
from sessions_app.connect import CLIENTS, PLACEHOLDER, instructions
from sessions_app.limits import Limit
from sessions_app.models import ApiKey, Session, User
from sessions_app.pool import tool_pool
from sessions_app.principal import Principal
from tests.conftest import make_user
from tests.control_room import ControlRoom, Page, filled_in

ORIGIN = settings.CONFIG.origin
SECRET = re.compile(r"cgk_[A-Za-z0-9]+_[A-Za-z0-9]+")
CANARY = "<script>alert('canary')</script>"
MAY_CALL = "tools_app.call_get-user-profile"


def make(user: User, **fields: Any) -> Any:
    """As the form of the page is sent, with these fields."""
    room = ControlRoom(user)
    return room.post("/me/", **{**filled_in(room.read("/me/")), "client": "python", "name": "laptop", **fields})


def secret_in(answer: Any) -> str:
    found = SECRET.search(answer.text)
    assert found is not None
    return found[0]


def test_a_key_is_made_and_works(alice: User) -> None:
    answer = make(alice)
    assert answer.status_code == 200
    key = ApiKey.objects.get()
    assert (key.user, key.name, key.scopes) == (alice, "laptop", None)
    assert (key.expires_at - key.created_at).days in (89, 90)  # type: ignore[operator]
    used = Client().get("/api/keys/", headers={"authorization": f"Bearer {secret_in(answer)}"})
    assert used.status_code == 200


def test_the_secret_is_shown_once_and_kept_nowhere(alice: User) -> None:
    answer = make(alice)
    secret = secret_in(answer).rpartition("_")[2]
    assert "no-store" in answer["Cache-Control"]
    assert secret not in repr(list(ApiKey.objects.values_list()))
    room = ControlRoom(alice)
    for path in ("/me/", "/me/keys/", "/me/sessions/"):
        assert secret not in room.read(path)
    assert secret not in repr(dict(room.client.session))


@pytest.mark.parametrize("name", list(CLIENTS))
def test_the_lines_of_every_client_are_there_with_the_key(alice: User, name: str) -> None:
    answer = make(alice, client=name)
    line = instructions(name, ORIGIN, secret_in(answer))
    html = unescape(answer.text)
    assert f'<code id="line-{name}">{line}</code>' in html
    assert re.search(
        rf'<details class="client" name="client" open>\s*<summary>{CLIENTS[name].title}</summary>', html
    )
    assert html.count('name="client" open') == 1


def test_without_a_key_there_are_lines_too(alice: User) -> None:
    html = unescape(ControlRoom(alice).read("/me/"))
    for name in CLIENTS:
        assert instructions(name, ORIGIN, PLACEHOLDER) in html
    assert not ApiKey.objects.exists()


def test_sending_the_form_again_makes_no_second_key(alice: User) -> None:
    make(alice)
    again = make(alice)
    assert again.status_code == 400
    assert SECRET.search(again.text) is None
    assert "You have a key of that name." in again.text
    assert ApiKey.objects.count() == 1
    ApiKey.objects.all().revoke()
    assert secret_in(make(alice)), "the name of a revoked key is free"


def test_another_s_key_of_that_name_is_no_matter(alice: User, bob: User) -> None:
    make(bob)
    assert secret_in(make(alice))


def test_a_key_can_be_narrowed_to_what_one_may(alice: User) -> None:
    html = ControlRoom(alice).read("/me/")
    assert f'value="{MAY_CALL}"' in html
    assert "admin-operations" not in html, "she may not call it, so it is not offered"
    make(alice, scopes=[MAY_CALL])
    assert ApiKey.objects.get().scopes == [MAY_CALL]


def test_who_may_nothing_is_told_so(charlie: User) -> None:
    html = ControlRoom(charlie).read("/me/")
    assert "Your account may use nothing here yet" in html
    assert 'name="scopes"' not in html
    assert make(charlie).status_code == 200


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "  "}, "This field is required."),
        ({"name": "n" * 101}, "at most 100 characters"),
        ({"name": "a\x00b"}, "Null characters are not allowed."),
        ({"client": "netscape"}, "Select a valid choice."),
        ({"client": ""}, "This field is required."),
        ({"lifetime": "36500"}, "Select a valid choice."),
        ({"lifetime": "-1"}, "Select a valid choice."),
        ({"lifetime": "9" * 5000}, "Select a valid choice."),
        ({"scopes": ["tools_app.call_admin-operations"]}, "Select a valid choice."),
        ({"scopes": ["tools_app.invented"]}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_and_makes_no_key(alice: User, fields: dict[str, Any], sentence: str) -> None:
    answer = make(alice, **fields)
    assert answer.status_code == 400
    assert sentence in answer.text
    assert not ApiKey.objects.exists()


def test_what_was_typed_is_kept(alice: User) -> None:
    answer = make(alice, name="my laptop", client="netscape", lifetime="30")
    assert Page(answer.text).fields["name"] == "my laptop"
    assert Page(answer.text).fields["lifetime"] == "30"


def test_there_is_a_most_that_one_may_have(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 1)
    make(alice)
    answer = make(alice, name="another")
    assert answer.status_code == 400
    assert "You have 1 keys; revoke one first." in answer.text


def test_a_name_is_text(alice: User) -> None:
    answer = make(alice, name=CANARY)
    for html in (answer.text, ControlRoom(alice).read("/me/keys/")):
        assert CANARY not in html
        assert CANARY in unescape(html)
        assert Page(html).inline == []


def test_changes_count_as_requests(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.pages.signed_in.API", Limit(limits.API.name, 1, 60))
    assert make(alice).status_code == 200
    answer = make(alice, name="another")
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert "Rate limit exceeded." in answer.text
    assert ApiKey.objects.count() == 1


# --- Word of the first visit ---


def visit(key: ApiKey, name: str = "claude-code", version: str = "2.1") -> Session:
    principal: Principal = key.principal()
    return Session.objects.continue_or_open(
        principal, client_name=name, protocol_version="2026-07-28", transport="http", client_version=version
    )


def clients_of(user: User, key: ApiKey) -> Any:
    return ControlRoom(user).get(f"/me/connection/{key.pk}/").json()["clients"]


def test_the_first_visit_is_told(alice: User) -> None:
    key, other = ApiKey.mint(alice, "laptop")[0], ApiKey.mint(alice, "other")[0]
    visit(other)
    assert clients_of(alice, key) == []
    visit(key)
    assert clients_of(alice, key) == [{"name": "claude-code", "version": "2.1"}]
    Session.objects.all().end("by a test")
    assert len(clients_of(alice, key)) == 1, "it came, though it has gone"


def test_what_a_client_calls_itself_is_made_visible(alice: User) -> None:
    key = ApiKey.mint(alice, "laptop")[0]
    visit(key, "a\u202eb", "\x1b[2J")
    assert clients_of(alice, key) == [{"name": r"a\u202eb", "version": r"\x1b[2J"}]


def test_it_is_told_of_one_s_own_keys_only(alice: User, bob: User) -> None:
    key = ApiKey.mint(bob, "his")[0]
    visit(key)
    for pk in (key.pk, 999_999, 10**30):
        assert ControlRoom(alice).get(f"/me/connection/{pk}/").status_code == 404
    assert ControlRoom().get(f"/me/connection/{key.pk}/").status_code == 302


def test_the_page_says_where_to_ask(alice: User) -> None:
    answer = make(alice)
    assert f'data-connection="/me/connection/{ApiKey.objects.get().pk}/"' in answer.text


def test_a_user_without_a_password_of_his_own_is_as_any_other(db_for_threads: None) -> None:
    agent = make_user("agent")
    agent.set_unusable_password()
    agent.save()
    assert make(agent).status_code == 200


def test_of_two_forms_at_once_one_makes_the_key(alice: User) -> None:
    room = ControlRoom(alice)
    form = {**filled_in(room.read("/me/")), "client": "python", "name": "laptop"}
    rooms = [ControlRoom(alice) for _ in range(4)]
    done = [tool_pool.submit(partial(room.post, "/me/", **form)) for room in rooms]
    assert sorted(answer.result().status_code for answer in done) == [200, 400, 400, 400]
    assert ApiKey.objects.count() == 1
