"""What all of one's own pages have in common: who sees them, what they run, and what they lead to."""

import re

import pytest
from django.test import Client

from sessions_app.models import ApiKey, Preference, Session, User
from tests.control_room import ControlRoom, Page
from tests.project.test_my_sessions import session_of

pytestmark = pytest.mark.alike
PAGES = ["/me/", "/me/keys/", "/me/sessions/", "/me/rooms/", "/me/usage/", "/me/preferences/", "/me/account/"]


@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_asked_to_sign_in(path: str, db_for_threads: None) -> None:
    for answer in (Client().get(path), Client().post(path)):
        assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")


@pytest.mark.parametrize("path", PAGES)
def test_who_was_deactivated_is_nobody(path: str, alice: User) -> None:
    room = ControlRoom(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert room.get(path)["Location"] == f"/sign-in/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_kept_nowhere_and_runs_nothing_of_its_own(path: str, alice: User) -> None:
    answer = ControlRoom(alice).get(path)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert Page(answer.text).inline == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_which_it_is(path: str, alice: User) -> None:
    html = ControlRoom(alice).read(path)
    assert re.findall(r'<a href="([^"]+)" aria-current="page"', html) == [path]
    assert html.count("<h1>") == 1


@pytest.mark.parametrize("path", PAGES)
def test_an_outsider_has_a_page_too(path: str, charlie: User) -> None:
    assert ControlRoom(charlie).get(path).status_code == 200


def test_all_that_the_pages_load_and_lead_to_is_there(alice: User) -> None:
    ApiKey.mint(alice, "laptop")
    room = ControlRoom(alice)
    targets = {
        target for path in ("/", *PAGES) for target in re.findall(r'(?:src|href)="(/[^"]*)"', room.read(path))
    }
    assert {"/me/keys/", "/static/project/me.css", "/static/project/ask.js"} <= targets
    assert {target: room.get(target).status_code for target in targets} == dict.fromkeys(targets, 200)


def test_forms_need_their_token(alice: User) -> None:
    outside = ControlRoom(alice, enforce_csrf_checks=True)
    key = ApiKey.mint(alice, "laptop")[0]
    Preference.objects.put(alice.pk, "theme", "dark")
    session = session_of(alice)
    for path, form in (
        ("/me/", {"client": "python", "name": "forged", "lifetime": "7"}),
        (f"/me/keys/key/{key.pk}/revoke/", {}),
        (f"/me/sessions/{session.pk}/end/", {}),
        ("/me/preferences/", {"key": "forged", "value": "1"}),
        ("/me/preferences/edit/?key=theme", {"value": "1"}),
        ("/me/preferences/delete/?key=theme", {}),
        ("/me/account/", {"do": "profile", "profile-email": alice.email, "profile-first_name": "Forged"}),
    ):
        assert outside.post(path, **form).status_code == 403, path
    assert ApiKey.objects.valid().count() == 2
    assert Session.objects.live().count() == 1
    assert Preference.objects.of(alice.pk).as_dict() == {"theme": "dark"}
    assert User.objects.get(pk=alice.pk).first_name == ""


@pytest.mark.parametrize(
    "path", ["/me/", "/me/connection/1/", "/me/keys/key/1/revoke/", "/me/sessions/1/end/", "/me/preferences/edit/"]
)
def test_what_is_asked_in_another_way_is_refused(path: str, alice: User) -> None:
    room = ControlRoom(alice)
    for method in ("put", "patch", "delete"):
        assert getattr(room.client, method)(path).status_code == 405


def test_what_is_not_there_is_said_kindly(alice: User) -> None:
    answer = ControlRoom(alice).get("/me/sessions/1/end/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert Page(answer.text).inline == []
