"""An account of a program: it has keys, and nobody signs in to it, whatever he knows."""

from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from sessions_app.models import ApiKey, SessionToken, User
from sessions_app.permissions import MEMBERS
from tests.conftest import make_user
from tests.control_room import ControlRoom, make_superuser, page_of
from tests.wire import Wire

PASSWORD = "correct horse"


@pytest.fixture
def robot(db_for_threads: None) -> User:
    """With a password that somebody set all the same."""
    robot = make_user("robot", "Members")
    robot.set_password(PASSWORD)
    robot.is_service = True
    robot.save()
    return robot


def signed_in(client: Client) -> bool:
    return client.get("/me/").status_code == 200


def test_nobody_signs_in_to_it_at_any_door(robot: User) -> None:
    who = {"username": "robot", "password": PASSWORD}
    for door in ("/sign-in/", "/admin/login/"):
        client = Client()
        assert client.post(door, who).status_code in (200, 400)
        assert not signed_in(client)
    for door in ("/api/token/", "/api/session-tokens/"):
        answer = Client().post(door, who, content_type="application/json", headers={"host": "127.0.0.1:8000"})
        assert answer.status_code == 401, door
    assert not SessionToken.objects.exists()


def test_the_answer_is_that_of_a_wrong_password(robot: User) -> None:
    def answer(password: str) -> str:
        page: str = Client().post("/sign-in/", {"username": "robot", "password": password}).text
        return page.partition("<main")[2].replace(password, "")

    assert answer(PASSWORD).partition("csrf")[0] == answer("wrong").partition("csrf")[0]


async def test_its_keys_work(robot: User) -> None:
    _, token = await sync_to_async(ApiKey.mint)(robot, "nightly")
    assert (await Wire(token.value).ask("tools/list")).status == 200


def test_who_was_signed_in_is_not_any_more(alice: User, db_for_threads: None) -> None:
    client = Client()
    client.force_login(alice)
    assert signed_in(client)
    SessionToken.mint(alice)
    key, _ = ApiKey.mint(alice, "laptop")
    alice.become_service("it is a program's")
    assert not signed_in(client)
    assert not SessionToken.objects.valid().exists()
    key.refresh_from_db()
    assert key.is_valid


def test_it_is_never_staff(robot: User) -> None:
    for privilege in ("is_staff", "is_superuser"):
        user = get_user_model().objects.get(pk=robot.pk)
        setattr(user, privilege, True)
        with pytest.raises(ValidationError, match="neither staff nor superuser"):
            user.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            user.save()


def test_an_operator_makes_one_of_a_user(alice: User, db_for_threads: None) -> None:
    room = ControlRoom(make_superuser())
    assert room.save(alice, is_service="on").status_code == 302
    alice.refresh_from_db()
    assert (alice.is_service, alice.has_usable_password(), alice.status) == (True, False, "service account")
    assert room.save(alice, is_service="on", is_staff="on").status_code == 200
    room.act("reset_password", alice)
    assert "nobody signs in to a service account" in room.read(page_of(alice))


def test_the_command_makes_one_with_its_first_key(db_for_threads: None) -> None:
    out = StringIO()
    call_command("createkey", "robot", name="nightly", create_user=True, service=True, quiet=True, stdout=out)
    robot = User.objects.get(username="robot")
    assert (robot.is_service, robot.has_usable_password()) == (True, False)
    assert robot.groups.get().name == MEMBERS
    assert out.getvalue().startswith("cgk_")
