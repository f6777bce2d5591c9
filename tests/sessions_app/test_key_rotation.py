"""A key's next secret, while the one before is good for a while yet."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from sessions_app import credentials, tokens
from sessions_app.callers import callers
from sessions_app.credentials import identify
from sessions_app.exceptions import RotationRefused
from sessions_app.models import ApiKey, SessionToken, User
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.control_room import ControlRoom, list_of, make_superuser
from tests.rest import Rest
from tests.sessions_app.eras import ERAS, Knock
from tests.sessions_app.test_api_keys import NEW_KEY, in_thread, settled
from tests.socket import SocketWire
from tests.wire import Durable, Wire

HOUR = timedelta(hours=1)


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


async def rotate(overlap: timedelta = HOUR) -> str:
    return await in_thread(lambda: ApiKey.objects.get().rotate(overlap).value)


def end_the_overlap() -> None:
    """By the clock alone: nobody is told."""
    ApiKey.objects.update(previous_until=timezone.now())


# --- The secrets ---


def test_it_stays_the_same_key(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    second = key.rotate(HOUR)
    now = ApiKey.objects.get()
    assert (now.pk, now.public_id, now.name) == (key.pk, first.public_id, "job")
    assert second.value != first.value
    assert second.public_id == first.public_id
    assert now.last_four == second.last_four == key.last_four
    assert tokens.parse(second.value) == second
    assert (now.expires_at, now.created_at) == (key.expires_at, key.created_at)


async def test_both_secrets_open_it_until_the_overlap_is_over(knock: Knock, secret: str, key: ApiKey) -> None:
    second = await rotate()
    for shown in (secret, second):
        assert (await knock(shown)).status == 200
    await in_thread(end_the_overlap)
    callers.forget()  # as a second later
    assert (await knock(secret)).status == 401
    assert (await knock(second)).status == 200


async def test_without_an_overlap_the_old_one_is_over_with_the_next_request(knock: Knock, secret: str) -> None:
    assert (await knock(secret)).status == 200
    second = await rotate(timedelta(0))
    assert (await knock(secret)).status == 401
    assert (await knock(second)).status == 200


async def test_revoking_ends_both(knock: Knock, secret: str) -> None:
    second = await rotate()
    await in_thread(lambda: ApiKey.objects.all().revoke())
    for shown in (secret, second):
        assert (await knock(shown)).status == 401


async def test_a_session_goes_on_with_the_next_secret(secret: str) -> None:
    client = await Durable.open(secret)
    second = await rotate()
    assert (await client.with_key(second).ask("tools/list")).status == 200
    assert (await client.ask("tools/list")).status == 200


def test_while_two_are_good_there_is_no_third(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    second = key.rotate(HOUR)
    with pytest.raises(RotationRefused, match=r"two secrets are good until .* UTC"):
        key.rotate(HOUR)
    assert [identify(token.value).username for token in (first, second)] == ["alice", "alice"]
    third = key.rotate(timedelta(0))
    assert [ApiKey.shown_by(token) is not None for token in (first, second, third)] == [False, False, True]


def test_after_the_overlap_it_is_rotated_again(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    second = key.rotate(HOUR)
    end_the_overlap()
    third = key.rotate(HOUR)
    assert [ApiKey.shown_by(token) is not None for token in (first, second, third)] == [False, True, True]


@pytest.mark.parametrize("overlap", [timedelta(days=7, seconds=1), timedelta(seconds=-1)])
def test_an_overlap_has_bounds(alice: User, overlap: timedelta) -> None:
    with pytest.raises(RotationRefused, match=r"at most 7 days"):
        ApiKey.mint(alice, "job")[0].rotate(overlap)


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_key_that_is_over_is_not_rotated(alice: User, change: dict[str, Any]) -> None:
    key, _ = ApiKey.mint(alice, "job")
    ApiKey.objects.update(**change)
    with pytest.raises(RotationRefused, match=r"Only a valid key"):
        key.rotate()
    assert ApiKey.objects.get().rotations == 0


def test_of_two_rotations_at_the_same_moment_one_is_refused(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    barrier = Barrier(2)

    def attempt(_: int) -> tokens.Token | None:
        try:
            barrier.wait(5)
            return ApiKey.objects.get(pk=key.pk).rotate(HOUR)
        except RotationRefused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        made = [token for token in both.map(attempt, range(2)) if token is not None]
    assert len(made) == 1
    assert all(ApiKey.shown_by(token) is not None for token in (first, made[0]))


def test_a_use_that_is_noted_late_brings_no_old_secret_back(alice: User) -> None:
    """It was read before the rotation, and is written after it."""
    key, first = ApiKey.mint(alice, "job")
    seen = ApiKey.shown_by(first)
    assert seen is not None
    second = key.rotate(timedelta(0))
    seen.note_use(first)
    assert ApiKey.shown_by(first) is None
    assert ApiKey.shown_by(second) is not None


async def test_both_survive_a_rotated_secret_key(secret: str, settings: Any) -> None:
    second = await rotate()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [settings.SECRET_KEY]
    for shown in (secret, second):
        assert (await Wire(shown).ask("tools/list")).status == 200
        await settled()
    settings.SECRET_KEY_FALLBACKS = []
    for shown in (secret, second):
        assert (await Wire(shown).ask("tools/list")).status == 200
    await settled()


# --- What is open ---


@pytest.mark.parametrize("opening", [SocketWire.open, SocketWire.shake_hands])
async def test_an_idle_socket_ends_with_the_secret_that_opened_it(secret: str, opening: Any, quick: None) -> None:
    client = await opening(secret)
    assert (await client.ask("tools/list")).status == 200
    other = await SocketWire.open(await rotate())
    assert (await client.ask("tools/list")).status == 200
    await in_thread(end_the_overlap)
    assert (await client.line.over())[0] == 4401
    assert (await other.ask("tools/list")).status == 200
    await other.leave()


async def test_a_stream_ends_with_the_secret_that_opened_it(secret: str, quick: None) -> None:
    old = await (await Durable.open(secret)).get()
    second = await rotate()
    new = await (await Durable.open(second)).get()
    await in_thread(end_the_overlap)
    assert (await old.wait()).messages == []
    assert not new.task.done()
    new.leave()
    await new.wait()


def test_a_proof_is_of_one_secret(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    assert identify(first.value).proof == key.credential
    second = key.rotate(HOUR)
    proofs = [identify(token.value).proof for token in (first, second)]
    assert proofs == [key.credential, f"{key.credential}.1"]
    assert {identify(token.value).credential for token in (first, second)} == {key.credential}
    assert set(credentials.current([*proofs, f"{key.credential}.2"])) == set(proofs)
    end_the_overlap()
    assert set(credentials.current(proofs)) == {proofs[1]}


# --- Over REST ---


@pytest.fixture
def client(alice: User) -> Rest:
    return Rest(SessionToken.mint(alice)[1].value)


def test_rest_rotates_it_and_shows_the_secret_once(client: Rest, alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    answer = client.post(f"keys/{key.pk}/rotate/", {})
    assert (answer.status, answer.data["id"], answer.data["prefix"]) == (200, key.pk, key.prefix)
    secret = answer.data["secret"]
    assert answer.data["last_four"] == secret[-4:]
    for shown in (first.value, secret):
        assert Rest(shown).get("keys/").status == 200
    key.refresh_from_db()
    assert key.previous_until is not None
    assert key.previous_until - timezone.now() == pytest.approx(timedelta(hours=24), abs=timedelta(seconds=5))
    listed = client.get("keys/").body.decode()
    assert not any(text in listed for text in (secret[-12:], key.digest, key.previous_digest))
    again = client.post(f"keys/{key.pk}/rotate/", {})
    assert (again.status, again.problem["detail"][:23]) == (409, "It was rotated lately: ")
    assert client.post(f"keys/{key.pk}/rotate/", {"overlap_hours": 0}).status == 200
    assert Rest(secret).get("keys/").status == 401


@pytest.mark.parametrize(
    "wrong", [{"overlap_hours": 169}, {"overlap_hours": -1}, {"overlap_hours": None}, {"overlap": 1}, [], "x"]
)
def test_an_overlap_that_is_none_is_refused(client: Rest, alice: User, wrong: Any) -> None:
    key, _ = ApiKey.mint(alice, "job")
    assert client.post(f"keys/{key.pk}/rotate/", wrong).status == 400
    assert ApiKey.objects.get().rotations == 0


def test_a_key_rotates_itself_and_no_other(alice: User) -> None:
    """Another may last longer, or be taken from elsewhere."""
    key, first = ApiKey.mint(alice, "job", scopes=["tools_app.call_echo"])
    other, _ = ApiKey.mint(alice, "other")
    assert Rest(first.value).post(f"keys/{key.pk}/rotate/", {}).status == 200
    assert Rest(first.value).post(f"keys/{other.pk}/rotate/", {}).status == 404
    assert Rest(key_for(alice)).post(f"keys/{other.pk}/rotate/", {}).status == 403
    other.refresh_from_db()
    assert other.rotations == 0


# --- By an operator ---


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command("rotatekey", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_an_operator_rotates_it_by_its_prefix(alice: User) -> None:
    key, first = ApiKey.mint(alice, "job")
    printed = run(key.prefix, "--overlap", "2h")
    key.refresh_from_db()
    assert f"API key {key.prefix} of alice has a new secret; the one before is good until" in printed
    assert Rest(printed.split()[-1]).get("keys/").status == 200
    with pytest.raises(CommandError, match=r"two secrets are good until"):
        run(key.prefix)
    third = run(first.value, "--overlap", "0", "--quiet").strip()
    assert Rest(third).get("keys/").status == 200
    assert Rest(first.value).get("keys/").status == 401


@pytest.mark.parametrize("arguments", [("cgk_AAAAAAAAAAAA",), ("",), ("x", "--overlap", "1y")])
def test_an_operator_is_told_what_is_wrong(alice: User, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_nobody_guesses_at_its_digests(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "job")
    key.rotate(HOUR)
    room = ControlRoom(make_superuser())
    page = room.read(list_of(ApiKey))
    assert key.digest not in page
    assert key.previous_digest not in page
    for field in ("digest", "previous_digest"):
        response = room.client.get(f"{list_of(ApiKey)}?{field}__startswith={getattr(key, field)[:4]}")
        assert response.status_code in (302, 400)


async def test_it_stops_in_a_second_wherever_it_is_remembered(secret: str) -> None:
    assert (await Wire(secret).ask("tools/list")).status == 200
    await rotate()
    await Wire(secret).ask("tools/list")
    await identity_pool.run(end_the_overlap)
    callers._known.forget()  # which lasts a second; that he was met lasts a minute, and opens nothing
    assert (await Wire(secret).ask("tools/list")).status == 401
