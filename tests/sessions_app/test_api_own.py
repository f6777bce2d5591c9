"""One's own keys, tokens, sessions and preferences over REST."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sessions_app.api.keys import ApiKeyMaker
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import own
from sessions_app.models import ApiKey, Preference, Session, SessionToken, TokenFamily, User
from sessions_app.models.preference import LARGEST_VALUE, LONGEST_KEY
from sessions_app.models.session_lifetime import IDLE_LIFETIME
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.sessions_app.endpoints import ECHO, session_of

PROFILE = "tools_app.call_get-user-profile"


@pytest.fixture
def client(alice: User) -> Rest:
    """alice's, signed in."""
    return Rest(SessionToken.mint(alice)[1].value)


# --- Keys ---


def test_a_key_is_made_and_its_secret_is_shown_once(client: Rest, alice: User) -> None:
    answer = client.post("keys/", {"name": " laptop "})
    key = ApiKey.objects.get()
    assert (answer.status, answer.data["id"], answer.data["name"]) == (201, key.pk, "laptop")
    assert (key.user, key.scopes, key.rate) == (alice, None, "")
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == pytest.approx(timedelta(days=90), abs=timedelta(seconds=1))
    secret = answer.data["secret"]
    assert Rest(secret).get("keys/").status == 200
    (listed,) = client.get("keys/").data["results"]
    assert {**listed, "last_used_at": None, "secret": secret} == answer.data
    assert secret[-12:] not in client.get("keys/").body.decode()


def test_its_end_may_be_chosen_or_left_out(client: Rest) -> None:
    moment = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    assert (
        parse_datetime(client.post("keys/", {"name": "a", "expires_at": moment.isoformat()}).data["expires_at"])
        == moment
    )
    assert client.post("keys/", {"name": "b", "expires_at": None}).data["expires_at"] is None


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": 7}, {"name": None}, {"name": ["a"]},
        {"name": "a", "scopes": ECHO}, {"name": "a", "scopes": [7]}, {"name": "a", "scopes": [None]},
        {"name": "a", "scopes": {}}, {"name": "a", "expires_at": "tomorrow"}, {"name": "a", "expires_at": 7},
        {"name": "a", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "a", "expires_at": "9999-12-31T23:59:59-23:59"},
        {"name": "a", "user": 1}, {"name": "a", "rate": "9/s"}, {"name": "a", "digest": "0"},
    ],
)  # fmt: skip
def test_what_does_not_fit_makes_none(client: Rest, wanted: dict[str, Any]) -> None:
    answer = client.post("keys/", wanted)
    assert (answer.status, answer.problem["detail"]) == (400, "Not accepted as it is.")
    assert answer.problem["errors"]
    assert not ApiKey.objects.exists()


def test_it_is_narrowed_to_what_its_maker_may_do(client: Rest) -> None:
    for scopes in ([ECHO, PROFILE], ["call_echo", "call_get-user-profile", ECHO]):
        assert client.post("keys/", {"name": "a", "scopes": scopes}).data["scopes"] == [ECHO, PROFILE]
    assert client.post("keys/", {"name": "a", "scopes": []}).data["scopes"] == []
    assert client.post("keys/", {"name": "a", "scopes": None}).data["scopes"] is None


def test_what_one_lacks_and_what_there_is_not_get_the_same_answer(client: Rest) -> None:
    answers = [
        client.post("keys/", {"name": "a", "scopes": scopes}).everything
        for scopes in (
            ["call_restock"],
            ["tools_app.call_restock"],
            ["nothing.at_all"],
            [ECHO, "sessions_app.admin"],
        )
    ]
    assert len({repr(answer) for answer in answers}) == 1
    assert answers[0][0] == 400
    assert not ApiKey.objects.exists()


def makers(user: User) -> dict[str, str]:
    """Narrowed to one scope, each in its way."""
    return {
        "key": ApiKey.mint(user, "narrow", scopes=[ECHO])[1].value,
        "session token": SessionToken.mint(user, scopes=[ECHO])[1].value,
        "JWT": own.issue(TokenFamily.open(user, scopes=[ECHO])[0]),
    }


@pytest.mark.parametrize("maker", ["key", "session token", "JWT"])
def test_a_narrowed_credential_makes_none_that_is_wider(alice: User, maker: str) -> None:
    client = Rest(makers(alice)[maker])
    for wanted in ({"name": "a"}, {"name": "b", "scopes": None}, {"name": "c", "scopes": [ECHO]}):
        assert client.post("keys/", wanted).data["scopes"] == [ECHO]
    assert client.post("keys/", {"name": "d", "scopes": []}).data["scopes"] == []
    assert client.post("keys/", {"name": "e", "scopes": [PROFILE]}).status == 400
    assert client.post("keys/", {"name": "f", "scopes": [ECHO, PROFILE]}).status == 400


def test_a_key_makes_none_that_outlives_it_or_may_do_more_often(alice: User) -> None:
    soon = timedelta(days=1)
    key, token = ApiKey.mint(alice, "short", lifetime=soon)
    ApiKey.objects.filter(pk=key.pk).update(rate="9/h")
    client = Rest(token.value)
    made = client.post("keys/", {"name": "a"}).data
    assert (parse_datetime(made["expires_at"]), made["rate"]) == (key.expires_at, "9/h")
    for later in (None, (timezone.now() + 2 * soon).isoformat()):
        answer = client.post("keys/", {"name": "b", "expires_at": later})
        assert answer.problem["errors"] == {"expires_at": ["A key cannot make one that outlives it."]}
    sooner = (timezone.now() + soon / 2).isoformat()
    assert client.post("keys/", {"name": "c", "expires_at": sooner}).status == 201


def test_a_user_makes_a_hundred_and_no_more(client: Rest, alice: User) -> None:
    for number in range(99):
        ApiKey.mint(alice, str(number))
    assert client.post("keys/", {"name": "the hundredth"}).status == 201
    answer = client.post("keys/", {"name": "one more"})
    assert (answer.status, answer.problem["errors"]) == (400, ["You have 100 keys; revoke one first."])
    ApiKey.objects.filter(name="7").revoke()
    assert client.post("keys/", {"name": "one more"}).status == 201


def test_what_was_taken_back_in_the_meantime_makes_none(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "leaked")
    maker = ApiKeyMaker(alice, key.principal())
    key.revoke()
    with pytest.raises(Unauthenticated):
        maker.make("persistent")
    maker = ApiKeyMaker(alice, SessionToken.mint(alice)[0].principal())
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(Unauthenticated):
        maker.make("persistent")
    assert ApiKey.objects.count() == 1


def test_who_made_a_key_is_in_the_log(client: Rest, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = client.post("keys/", {"name": "laptop"}).data
    held = SessionToken.objects.get()
    assert f"User alice made API key {made['prefix']} with {held.credential}" in caplog.messages
    assert made["secret"] not in caplog.text


@pytest.mark.parametrize("kind", ["keys", "session-tokens"])
def test_one_s_own_is_revoked_and_gone(client: Rest, alice: User, kind: str) -> None:
    model = ApiKey if kind == "keys" else SessionToken
    row = (ApiKey.mint(alice, "x") if kind == "keys" else SessionToken.mint(alice))[0]
    assert client.delete(f"{kind}/{row.pk}/").status == 204
    row.refresh_from_db()
    assert row.revoked_reason == "by alice"
    assert client.delete(f"{kind}/{row.pk}/").status == 404
    assert row.pk not in [listed["id"] for listed in client.get(f"{kind}/").data["results"]]
    assert not model.objects.valid().filter(pk=row.pk).exists()


def test_only_what_is_valid_is_listed(client: Rest, alice: User, bob: User) -> None:
    valid, _ = ApiKey.mint(alice, "valid")
    ApiKey.mint(alice, "over", lifetime=-timedelta(seconds=1))
    ApiKey.mint(alice, "revoked")[0].revoke()
    ApiKey.mint(bob, "bob's")
    assert [row["id"] for row in client.get("keys/").data["results"]] == [valid.pk]


def test_session_tokens_are_listed_by_where_they_are_from(client: Rest, alice: User) -> None:
    row, token = SessionToken.mint(alice, "phone", ip="10.0.0.7", user_agent="curl/8")
    listed = client.get("session-tokens/").data["results"]
    assert len(listed) == 2
    assert (listed[0]["id"], listed[0]["name"], listed[0]["prefix"]) == (row.pk, "phone", row.prefix)
    assert (listed[0]["ip"], listed[0]["user_agent"], listed[0]["last_four"]) == (
        "10.0.0.7",
        "curl/8",
        row.last_four,
    )
    assert token.value[20:-4] not in client.get("session-tokens/").body.decode()


# --- Sessions ---


def test_live_sessions_of_all_credentials_are_listed_without_their_public_ids(client: Rest, alice: User) -> None:
    first, second = session_of(alice, "api-key:1", client_name="cursor"), session_of(alice, "family:2", calls=7)
    session_of(alice, "api-key:1", ended_at=timezone.now())
    session_of(alice, "api-key:1", last_activity_at=timezone.now() - IDLE_LIFETIME)
    answer = client.get("sessions/")
    assert [row["id"] for row in answer.data["results"]] == [second.pk, first.pk]
    assert answer.data["results"][1]["client_name"] == "cursor"
    assert answer.data["results"][0]["calls"] == 7
    for row in Session.objects.all():
        assert row.public_id not in answer.body.decode()


def test_a_session_is_ended_and_its_credential_stays(client: Rest, alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    row = session_of(alice, key.credential)
    assert client.delete(f"sessions/{row.pk}/").status == 204
    row.refresh_from_db()
    assert (row.is_live, row.end_reason) == (False, "by alice")
    assert client.delete(f"sessions/{row.pk}/").status == 404
    assert client.delete(f"sessions/{row.pk}/?revoke=1").status == 404
    assert ApiKey.objects.valid().exists()


def test_or_its_credential_goes_too(client: Rest, alice: User) -> None:
    held = [ApiKey.mint(alice, "laptop")[0], SessionToken.mint(alice)[0], TokenFamily.open(alice)[0]]
    for credential in held:
        row, sibling = (session_of(alice, credential.credential, client_name=name) for name in "ab")
        assert client.delete(f"sessions/{row.pk}/?revoke=1").status == 204
        for ended in (row, sibling):
            ended.refresh_from_db()
            assert not ended.is_live
        credential.refresh_from_db()
        assert credential.revoked_reason == "by alice"


def test_where_the_credential_is_over_already_the_session_is_ended_all_the_same(client: Rest, alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    row = session_of(alice, key.credential)
    key.revoke()
    assert client.delete(f"sessions/{row.pk}/?revoke=1").status == 204
    row.refresh_from_db()
    assert not row.is_live


@pytest.mark.parametrize("query", ["revoke=yes", "revoke=", "revoke=true", "revok=1", "revoke=1&revoke=0", "x"])
def test_a_mistyped_flag_ends_nothing(client: Rest, alice: User, query: str) -> None:
    row = session_of(alice, "api-key:1")
    assert client.delete(f"sessions/{row.pk}/?{query}").status == 400
    row.refresh_from_db()
    assert row.is_live


# --- Preferences ---

VALUES = [None, True, 0, -1.5, "", "dark", [], {}, [1, [2, {"a": None}]], {"a": {"b": "ü"}}, 1e22, "🦉", 2**53 - 1]


@pytest.mark.parametrize("value", VALUES)
def test_any_json_value_is_kept(client: Rest, alice: User, value: Any) -> None:
    answer = client.put("preferences/theme/", {"value": value})
    assert answer.status == 200
    assert (answer.data["key"], answer.data["value"]) == ("theme", value)
    assert client.get("preferences/theme/").data == answer.data
    assert client.get("preferences/").data["results"] == [answer.data]
    assert Preference.objects.of(alice.pk).as_dict() == {"theme": value}


@pytest.mark.parametrize(
    "key", ["a", "a b", "a/b", "ä", "x" * LONGEST_KEY, "a%0Ab", "%2E", "a.b-c_d~e", "%3F", "🦉"]
)
def test_under_any_key(client: Rest, key: str) -> None:
    assert client.put(f"preferences/{key}/", {"value": 1}).status == 200
    assert client.get(f"preferences/{key}/").data["value"] == 1
    assert client.delete(f"preferences/{key}/").status == 204
    assert client.get(f"preferences/{key}/").status == 404
    assert client.delete(f"preferences/{key}/").status == 404


@pytest.mark.parametrize("body", [{}, {"value": 1, "key": "x"}, {"Value": 1}, [], "dark", None])
def test_the_body_is_an_object_with_a_value_and_no_more(client: Rest, body: Any) -> None:
    assert client.put("preferences/theme/", body).status == 400
    assert not Preference.objects.exists()


def test_the_model_s_bounds_are_the_api_s(client: Rest, alice: User) -> None:
    assert (
        client.put("preferences/theme/", {"value": "x" * LARGEST_VALUE})
        .problem["detail"]
        .startswith("A preference")
    )
    assert client.put(f"preferences/{'x' * (LONGEST_KEY + 1)}/", {"value": 1}).status == 400
    for number in range(256):
        Preference.objects.create(user=alice, key=f"k{number}", value=1)
    answer = client.put("preferences/one-more/", {"value": 1})
    assert (answer.status, "at most 256 preferences" in answer.problem["detail"]) == (400, True)
    assert client.put("preferences/k7/", {"value": 2}).status == 200


def test_a_nul_in_a_key_is_nothing(client: Rest) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert client.ask(method, "preferences/a%00b/", {"value": 1} if method == "PUT" else b"").status == 404


def test_a_browser_sees_what_a_token_sees(client: Rest, alice: User) -> None:
    client.put("preferences/theme/", {"value": "dark"})
    assert browser(alice).get("preferences/").body == client.get("preferences/").body


# --- Secrets ---


def test_secrets_are_seen_once(alice: User, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = True  # logs every query
    for name in (None, "django", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    sign_in = {"username": "alice", "password": "correct horse"}
    pair, token = Rest().post("token/", sign_in).data, Rest().post("session-tokens/", sign_in).data["token"]
    client = Rest(token)
    key = client.post("keys/", {"name": "laptop"}).data["secret"]
    Rest().post("token/refresh/", {"refresh": pair["refresh"]})
    Rest(f"{key}x").get("keys/")
    Rest(key).post("keys/", {"name": "x", pair["refresh"]: key})
    Rest(key).post("keys/", {"name": "x", "scopes": [key]})
    client.put("preferences/theme/", {"value": 1, key: 2})
    pages = "".join(
        client.get(path).body.decode()
        for path in ("keys/", "session-tokens/", "sessions/", "preferences/", "usage/", "schema/", "docs/")
    )
    for secret in (key, token, pair["access"], pair["refresh"], key_for(alice), "correct horse"):
        assert secret[-40:-8] not in pages
        assert secret[-40:-8] not in caplog.text
