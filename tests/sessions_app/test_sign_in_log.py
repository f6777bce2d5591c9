"""Who signed in, and who failed to: in the log, without a secret."""

import logging

import pytest
from django.contrib.auth import authenticate
from django.http import HttpRequest

from sessions_app.models import SessionToken, TokenFamily, User
from sessions_app.sign_in_log import header_names
from tests.control_room import ControlRoom, make_superuser


@pytest.fixture(autouse=True)
def at_every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = ("sessions_app.sign_in_log", "sessions_app.models.sign_in")
    return [record.getMessage() for record in caplog.records if record.name in ours]


def sign_in(**data: str) -> None:
    room = ControlRoom()
    room.client.post("/admin/login/", data, headers={"x-request-id": "a value", "authorization": "Bearer hunter2"})


def test_a_sign_in_to_the_admin(db_for_threads: None, caplog: pytest.LogCaptureFixture) -> None:
    operator = make_superuser()
    operator.set_password("correct horse")
    operator.save()
    sign_in(username=operator.username, password="correct horse")
    assert lines(caplog) == [f"User {operator.username} signed in from 127.0.0.1 with a password"]


def test_a_wrong_password(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    sign_in(username="alice", password="hunter2")
    assert lines(caplog) == [
        "Sign-in of user alice failed from 127.0.0.1"
        " (headers: authorization, content-length, content-type, cookie, x-request-id)"
    ]
    assert "hunter2" not in caplog.text


def test_a_password_where_the_name_belongs_is_not_written_down(
    alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    for username in ("correct horse", "hunter2\r\nfaked line", "x" * 10_000):
        assert authenticate(HttpRequest(), username=username, password="alice") is None
    assert {line.partition(" failed")[0] for line in lines(caplog)} == {"Sign-in of nobody that is known"}
    assert "correct horse" not in caplog.text


def test_what_is_got_for_a_password(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    token, secret = SessionToken.mint(alice, ip="10.0.0.7")
    family, refresh = TokenFamily.open(alice)
    assert lines(caplog) == [
        f"User alice signed in from 10.0.0.7: session token {token.prefix}",
        f"User alice signed in from the command line: token family {family.prefix}",
    ]
    for shown in (secret, refresh):
        assert shown.value[20:] not in caplog.text


def test_names_of_headers_are_few_and_plain() -> None:
    names = ["Accept", "X-B", "cgk_Ab12Cd34Ef56_abc", "x" * 41, "", "a b", "a\nb", "ä", "accept"]
    assert header_names(names) == "accept, x-b"
    assert header_names(f"x-{number}" for number in range(100)).count(",") == 29
