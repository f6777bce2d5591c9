"""Lists of a million rows: searched by what an index finds, and counted as far as anybody turns pages."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from sessions_app import bounded
from sessions_app.admin.whole_words import WholeWords
from sessions_app.bounded import BoundedPaginator
from sessions_app.models import ApiKey, Session, User
from tests.conftest import make_user


class Sessions(WholeWords):
    search_fields = ("^label", "user__username", "client_name", "ip")


class Keys(WholeWords):
    search_fields = ("name", "public_id", "user__username")


def search(kind: type[WholeWords], model: Any, text: str) -> list[Any]:
    rows, has_duplicates = kind(model, admin.site).get_search_results(
        RequestFactory().get("/"), model.objects.order_by("pk"), text
    )
    assert not has_duplicates
    return list(rows)


def session(user: User, label: str, **details: Any) -> Session:
    usual = {"credential": "api-key:1", "transport": "http", "protocol_version": "2025-11-25"}
    return Session.objects.create(user=user, label=label, **{**usual, **details})


@pytest.fixture
def laptop(alice: User) -> Session:
    return session(alice, "laptop 7", client_name="claude", ip="10.0.0.7")


@pytest.fixture
def server(bob: User, laptop: Session) -> Session:
    return session(bob, "server", client_name="cursor", ip="2001:db8::1")


@pytest.mark.parametrize("text", ["laptop 7", "lap", "alice", "claude", "10.0.0.7", "  alice "])
def test_a_row_is_found_by_a_whole_text_or_where_that_is_said_by_its_beginning(
    laptop: Session, server: Session, text: str
) -> None:
    assert search(Sessions, Session, text) == [laptop]


@pytest.mark.parametrize(
    "text", ["aptop", "alic", "claud", "10.0.0", "ALICE", "%", "_", "\x00", "l\x00", "(", "1" * 9999]
)
def test_what_is_neither_finds_nothing(laptop: Session, server: Session, text: str) -> None:
    assert search(Sessions, Session, text) == []


def test_what_several_columns_know_is_found_by_each(laptop: Session, server: Session) -> None:
    other = session(make_user("server"), "desk")
    assert search(Sessions, Session, "server") == [server, other]


def test_an_address_is_one_however_it_is_spelled(server: Session) -> None:
    assert search(Sessions, Session, "2001:0db8:0:0::1") == [server]


def test_no_text_finds_everything(laptop: Session, server: Session) -> None:
    assert search(Sessions, Session, " ") == [laptop, server]


def test_a_credential_is_found_by_what_people_see_of_it(alice: User) -> None:
    key, token = ApiKey.mint(alice, "laptop")
    ApiKey.mint(alice, "another")
    for text in (key.public_id, key.prefix, f"{key.prefix}…{key.last_four}", token.value):
        assert search(Keys, ApiKey, text) == [key]


def test_no_question_joins_two_tables(laptop: Session) -> None:
    with CaptureQueriesContext(connection) as queries:
        search(Sessions, Session, "alice")
    assert not [query for query in queries if "JOIN" in query["sql"]]


def test_rows_are_counted_as_far_as_pages_reach(
    laptop: Session, server: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Session.objects.order_by("pk")
    assert BoundedPaginator(rows, 1).num_pages == 2
    session(server.user, "third")  # type: ignore[arg-type]
    monkeypatch.setattr(bounded, "MOST", 2)
    paginator = BoundedPaginator(rows, 1)
    assert (paginator.count, paginator.num_pages) == (2, 2)
    assert list(paginator.page(2)) == [server]
