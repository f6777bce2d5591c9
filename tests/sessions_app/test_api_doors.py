"""Every endpoint below `/api/`, with every kind of credential: valid, over, narrowed, wrong, doubled, or none."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from sessions_app.jwt import own
from sessions_app.models import ApiKey, OutsideIdentity, SessionToken, TokenFamily, User
from tests.conftest import key_for
from tests.issuer import OutsideIssuer
from tests.rest import Answer, Rest, browser
from tests.sessions_app.endpoints import ECHO, ENDPOINTS, Endpoint, belongings, stored
from tests.sessions_app.test_kinds import MAKERS, QUERIES, Kind

pytestmark = pytest.mark.alike

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


def refused(answer: Answer) -> tuple[int, dict[str, Any], str]:
    return answer.status, answer.problem, answer.headers["www-authenticate"]


BAD = (
    401,
    {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "The credential is not valid."},
    'Bearer realm="concierge", error="invalid_token"',
)


@every_endpoint
def test_a_valid_one_opens_it(kind: Kind, alice: User, endpoint: Endpoint) -> None:
    status = endpoint.by_key if endpoint.by_key and kind.header == "x-api-key" else endpoint.status
    assert endpoint.ask(Rest(kind.secret), belongings(alice)).status == status
    if kind.header is not None:
        alone = Rest(headers={kind.header: kind.secret})
        assert endpoint.ask(alone, belongings(alice)).status == status


@every_endpoint
def test_one_that_is_over_does_not(kind: Kind, alice: User, endpoint: Endpoint) -> None:
    ids = belongings(alice)
    kind.revoke()
    before = stored()
    assert refused(endpoint.ask(Rest(kind.secret), ids)) == BAD
    assert stored() == before


def test_whatever_ends_it_is_answered_alike(kind: Kind, alice: User) -> None:
    kind.expire()
    assert refused(Rest(kind.secret).get("keys/")) == BAD
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert refused(Rest(key_for(alice)).get("keys/")) == BAD


@every_endpoint
def test_none_does_not(alice: User, endpoint: Endpoint) -> None:
    ids, before = belongings(alice), stored()
    answer = endpoint.ask(Rest(), ids)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="concierge"')
    assert answer.problem["detail"].startswith("A credential is required")
    assert len(stored()[0]) == len(before[0])


def test_one_that_is_not_whole_or_of_another_kind_does_not(kind: Kind) -> None:
    for secret in (kind.secret[:-1], f"{kind.secret}x", kind.secret[:20], kind.secret.swapcase(), "x", "a.b.c"):
        assert refused(Rest(secret).get("keys/")) == BAD
    for header in {"x-api-key", "x-session-token"} - {kind.header}:
        assert refused(Rest(headers={header: kind.secret}).get("keys/")) == BAD
    for scheme in ("Basic", "Token", "bearer:", ""):
        assert refused(Rest(headers={"authorization": f"{scheme} {kind.secret}"}).get("keys/")) == BAD


@every_endpoint
def test_two_are_one_too_many(kind: Kind, alice: User, endpoint: Endpoint) -> None:
    ids, before = belongings(alice), stored()
    for other in ("x-api-key", "x-session-token"):
        answer = endpoint.ask(Rest(kind.secret), ids, headers={other: kind.secret})
        assert (answer.status, answer.problem["detail"]) == (400, "Send one credential, not two.")
    assert stored() == before or endpoint.status == 200


@pytest.mark.parametrize("query", QUERIES)
def test_one_in_a_url_is_refused_and_not_repeated(kind: Kind, query: str) -> None:
    for client in (Rest(), Rest(kind.secret)):
        for path in ("keys/", "docs/", "nothing/"):
            answer = client.get(f"{path}?{query.format(kind.secret)}")
            assert answer.status == 400
            assert answer.problem["detail"].startswith("A credential in a URL ends up in logs")
            assert kind.secret[10:30] not in answer.body.decode()


@pytest.mark.parametrize("path", ["keys/{}/", "preferences/{}/", "{}", "keys/?cursor={}", "sessions/?limit={}"])
def test_so_is_one_in_a_path_or_under_another_name(alice: User, path: str) -> None:
    secret = key_for(alice)
    answer = Rest(secret).get(path.format(secret))
    assert answer.status == 400
    assert secret not in answer.body.decode()


# --- Narrowed ---


def narrowed_secrets(user: User, issuer: OutsideIssuer) -> dict[str, str]:
    OutsideIdentity.objects.create(user=user, issuer=issuer.url, subject="narrow")
    return {
        "API key": ApiKey.mint(user, "narrow", scopes=[ECHO])[1].value,
        "session token": SessionToken.mint(user, scopes=[ECHO])[1].value,
        "JWT": own.issue(TokenFamily.open(user, scopes=[ECHO])[0]),
        "outside JWT": issuer.token("narrow", permissions=[ECHO]),
    }


@every_endpoint
def test_a_narrowed_one_sees_and_ends_nothing_but_its_own(
    alice: User, issuer: OutsideIssuer, endpoint: Endpoint
) -> None:
    ids = belongings(alice)
    before = stored()
    for name, secret in narrowed_secrets(alice, issuer).items():
        answer = endpoint.ask(Rest(secret), ids)
        assert answer.status == endpoint.narrowed, name
        if answer.status == 403:
            assert answer.problem["detail"] == "This credential is narrowed; this takes one that is not."
        if endpoint.method == "GET" and answer.status == 200:
            assert len(answer.data["results"]) <= 1
    for rows_before, rows in zip(before, stored(), strict=True):
        assert rows[: len(rows_before)] == rows_before


def test_a_narrowed_one_may_end_itself(alice: User) -> None:
    key, token = ApiKey.mint(alice, "narrow", scopes=[ECHO])
    client = Rest(token.value)
    assert [row["id"] for row in client.get("keys/").data["results"]] == [key.pk]
    assert client.delete(f"keys/{key.pk}/").status == 204
    assert refused(client.get("keys/")) == BAD


# --- The admin's cookie ---


@every_endpoint
def test_whoever_is_signed_in_to_the_admin_needs_no_other(alice: User, endpoint: Endpoint) -> None:
    assert endpoint.ask(browser(alice), belongings(alice)).status == endpoint.status


@every_endpoint
def test_without_the_csrf_token_a_cookie_changes_nothing(alice: User, endpoint: Endpoint) -> None:
    ids, before = belongings(alice), stored()
    answer = endpoint.ask(browser(alice, csrf=False), ids)
    assert answer.status == (200 if endpoint.method == "GET" else 403)
    if answer.status == 403:
        assert answer.problem["detail"].startswith("CSRF Failed")
    assert stored() == before


def test_a_cookie_does_not_mend_a_bad_header(alice: User) -> None:
    assert refused(browser(alice, authorization="Bearer x").get("keys/")) == BAD


def test_a_header_decides_alone_whose_request_it_is(alice: User, bob: User) -> None:
    """With a cookie beside it, and without a CSRF token: no browser adds a header by itself."""
    client = browser(alice, csrf=False, authorization=f"Bearer {key_for(bob)}")
    assert client.post("keys/", {"name": "bob's"}).status == 201
    assert bob.api_keys.filter(name="bob's").exists()


def test_a_cookie_of_an_inactive_user_is_none(alice: User) -> None:
    client = browser(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get("keys/").status == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000"]
)
def test_another_site_may_not_call(alice: User, origin: str) -> None:
    for client in (browser(alice), Rest(key_for(alice)), Rest()):
        for method in ("GET", "POST", "OPTIONS"):
            answer = client.ask(method, "keys/", headers={"origin": origin})
            assert (answer.status, answer.problem["detail"]) == (403, "This Origin may not call the server.")
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_of_ours_may(alice: User) -> None:
    assert browser(alice, origin="http://127.0.0.1:8000").post("keys/", {"name": "mine"}).status == 201


# --- What may be done is what may be done now ---


def test_permissions_are_those_of_this_moment(alice: User) -> None:
    client = Rest(key_for(alice))
    wanted = {"name": "restock", "scopes": ["call_restock"]}
    assert client.post("keys/", wanted).status == 400
    alice.user_permissions.add(Permission.objects.get(codename="call_restock"))
    assert client.post("keys/", wanted).status == 201


def test_an_issuer_s_keys_are_waited_for(alice: User, issuer: OutsideIssuer) -> None:
    """They have to be fetched first, as at /mcp."""
    OutsideIdentity.objects.create(user=alice, issuer=issuer.url, subject="a-subject")
    assert issuer.requests == []
    assert Rest(issuer.token()).get("keys/").status == 200
    assert len(issuer.requests) == 1
    assert refused(Rest(issuer.token(h_kid="invented")).get("keys/")) == BAD


def test_who_presents_too_many_bad_ones_is_told_so(alice: User) -> None:
    statuses = [Rest("x").get("keys/").status for _ in range(61)]
    assert statuses == [401] * 60 + [429]
    assert Rest(key_for(alice)).get("keys/").status == 200  # a neighbour is not locked out
