"""What letting a call in costs, and that authority which is gone lets nobody in: not even the very next call."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils import timezone

from sessions_app import authority, credentials
from sessions_app.addresses import network_of
from sessions_app.callers import callers
from sessions_app.models import ApiKey, OutsideIdentity, RevokedToken, Session, User
from sessions_app.permissions import MEMBERS
from sessions_app.pool import background_pool, identity_pool
from sessions_app.recent import LIFETIME
from sessions_app.state import state
from sessions_app.transport import presence
from tests.clients import Client
from tests.conftest import key_for, wire_for
from tests.wire import Answer, Durable, Wire
from tools_app.models import ToolPolicy
from tools_app.policies import policies


async def knock(client: Client) -> Answer:
    return await client.call("get-user-profile")


# --- What it costs --------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is read on the threads that read who calls."""
    seen: list[Any] = []
    run = identity_pool.run

    async def noted(job: Callable[[], Any]) -> Any:
        seen.append(job)
        return await run(job)

    monkeypatch.setattr(identity_pool, "run", noted)
    return seen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, which stand still unless a test moves them."""
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for remembered in (callers, presence, policies):
        remembered.forget()  # what was read by another clock
    return now


async def test_an_unchanged_caller_costs_no_read_within_a_second(
    client: Client, clock: list[float], reads: list[Any]
) -> None:
    for _ in range(3):
        await client.call("echo", {"text": "x"})
    reads.clear()
    for _ in range(50):
        clock[0] += 0.001
        assert (await client.call("echo", {"text": "x"})).text == "x"
    assert reads == []


async def test_and_one_of_each_thing_after_a_second(client: Client, clock: list[float], reads: list[Any]) -> None:
    """Who he is with what he may do, his session, and what operators decided about tools: each is one read."""
    for _ in range(3):
        await client.call("echo", {"text": "x"})
    for _ in range(3):
        clock[0] += LIFETIME + 0.001
        reads.clear()
        for _ in range(20):
            await client.call("echo", {"text": "x"})
        assert len(reads) == 3


# --- Authority that is gone -----------------------------------------------------------------------


def revoke_key(user: User) -> None:
    ApiKey.objects.filter(user=user).revoke()


def delete_key(user: User) -> None:
    ApiKey.objects.get(user=user).delete()


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def delete(user: User) -> None:
    User.objects.get(pk=user.pk).delete()


CREW = "Crew"


@pytest.fixture
def crew(alice: User) -> Group:
    """alice's only group, with which a test may do as it likes."""
    crew = Group.objects.create(name=CREW)
    crew.permissions.set(Permission.objects.filter(codename__in=["call_get-user-profile", "call_echo"]))
    alice.groups.set([crew])
    return crew


def leave_the_group(user: User) -> None:
    user.groups.clear()


def expel_from_the_other_side(user: User) -> None:
    Group.objects.get(name=CREW).user_set.remove(user)


def strip_the_group(user: User) -> None:
    Group.objects.get(name=CREW).permissions.clear()


def delete_the_group(user: User) -> None:
    Group.objects.get(name=CREW).delete()


def narrow_the_key(user: User) -> None:
    key = ApiKey.objects.get(user=user)
    key.scopes = []
    key.save()


@pytest.mark.parametrize(
    "withdraw",
    [
        revoke_key,
        delete_key,
        deactivate,
        delete,
        leave_the_group,
        expel_from_the_other_side,
        strip_the_group,
        delete_the_group,
        narrow_the_key,
    ],
)
async def test_the_next_call_is_refused(
    crew: Group, client: Client, alice: User, withdraw: Callable[[User], None]
) -> None:
    assert (await knock(client)).result["isError"] is False
    await identity_pool.run(lambda: withdraw(alice))
    assert "error" in (await knock(client)).messages[-1]


async def test_a_session_that_was_ended_is_over_at_once(wire: Wire, alice: User) -> None:
    durable = await Durable.open(wire.key)
    for client in (durable, wire):
        assert (await knock(client)).status == 200
    before = await Session.objects.acount()
    await identity_pool.run(lambda: Session.objects.filter(user=alice).end("by admin"))
    assert (await knock(durable)).status == 404
    assert (await knock(wire)).status == 200  # the client may begin anew
    assert await Session.objects.acount() == before + 1


async def test_what_was_granted_counts_at_once(client: Client, alice: User) -> None:
    await identity_pool.run(lambda: leave_the_group(alice))
    assert "error" in (await knock(client)).messages[-1]
    await identity_pool.run(lambda: alice.groups.add(Group.objects.get(name=MEMBERS)))
    assert (await knock(client)).result["isError"] is False


async def test_what_is_rolled_back_changes_no_epoch(wire: Wire, alice: User) -> None:
    def revoke_and_think_better_of_it() -> None:
        with suppress(RuntimeError), transaction.atomic():
            revoke_key(alice)
            raise RuntimeError

    before = state.take([]).epoch
    await identity_pool.run(revoke_and_think_better_of_it)
    assert state.take([]).epoch == before
    assert (await knock(wire)).status == 200


async def test_another_s_change_is_none_of_his(client: Client, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is read again because of somebody else."""
    await knock(client)
    identified: list[str] = []
    identify = credentials.identify

    def counted(secret: str, address: str | None) -> Any:
        identified.append(secret)
        return identify(secret, address)

    monkeypatch.setattr(credentials, "identify", counted)
    monkeypatch.setattr(callers, "forget", lambda: None)
    await identity_pool.run(lambda: authority.changed(bob.pk))
    await knock(client)
    assert identified == []
    await identity_pool.run(authority.changed)
    await knock(client)
    assert len(identified) == 1


async def test_old_authority_is_never_kept_under_a_new_epoch(
    wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is being read while his group is taken away: what was read is of the epoch before."""
    read, changed = threading.Event(), threading.Event()
    identify = credentials.identify

    def slowly(secret: str, address: str | None) -> Any:
        principal = identify(secret, address)
        read.set()
        changed.wait(5)
        return principal

    await knock(wire)
    await identity_pool.run(lambda: authority.changed(alice.pk))
    monkeypatch.setattr(credentials, "identify", slowly)
    first = asyncio.ensure_future(knock(wire))
    await asyncio.to_thread(read.wait, 5)
    monkeypatch.setattr(credentials, "identify", identify)
    await background_pool.run(lambda: leave_the_group(alice))
    second = asyncio.ensure_future(knock(wire))
    changed.set()
    assert "error" in (await second).messages[-1]
    await first  # it began before
    assert "error" in (await knock(wire)).messages[-1]


# --- Bad credentials ------------------------------------------------------------------------------


async def test_who_keeps_guessing_is_not_looked_up(wire: Wire, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    newcomer = await wire_for(bob)
    assert (await knock(wire)).status == 200
    guesser = Wire("cgk_000000000000_" + "A" * 49)
    answers = [await knock(guesser) for _ in range(65)]
    assert [answer.status for answer in answers] == [401] * 61 + [429] * 4
    identify, looked_up = credentials.identify, list[str]()
    monkeypatch.setattr(credentials, "identify", looked_up.append)
    refused = await knock(guesser)
    assert (refused.error["data"]["limit"], looked_up) == ("bad-credential", [])
    assert int(refused.headers["retry-after"]) > 0
    assert (await knock(newcomer)).status == 429  # nobody knows him yet, and he comes from the same place
    assert (await wire.call("echo", {"text": "x"})).text == "x"  # whom we know works on
    monkeypatch.setattr(credentials, "identify", identify)
    assert (await guesser.call("echo", client=("192.0.2.7", 5))).status == 401


def test_an_address_of_ipv6_is_its_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1/32"
    assert network_of(None) == "unknown"


async def test_a_neighbour_s_guesses_and_somebody_s_change_lock_nobody_out(
    wire: Wire, bob: User, attached: None
) -> None:
    assert (await knock(wire)).status == 200
    guesser = Wire("cgk_000000000000_" + "A" * 49)
    for _ in range(62):
        await knock(guesser)
    assert (await knock(guesser)).status == 429
    await identity_pool.run(lambda: key_for(bob))  # which tells every process that authority changed
    assert (await knock(wire)).status == 200


async def test_somebody_s_coming_and_going_has_nobody_else_read_again(
    wire: Wire, bob: User, attached: None, clock: list[float], reads: list[Any]
) -> None:
    bobs = await wire_for(bob)
    for _ in range(3):
        await wire.call("echo", {"text": "x"})
    for _ in range(5):
        await (await Durable.open(bobs.key)).delete()
    reads.clear()
    await wire.call("echo", {"text": "x"})
    assert reads == []


async def test_a_rate_that_is_none_does_not_keep_others_from_being_read(
    wire: Wire, alice: User, bob: User, quick: None
) -> None:
    """Forms refuse it; SQL does not."""
    bobs = await wire_for(bob)
    listen = bobs.open(bobs.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await listen.wait_for("acknowledged")
    await ApiKey.objects.filter(user=alice).aupdate(rate="100/hour")
    await ToolPolicy.objects.acreate(tool="echo", rate="often")
    assert (await wire.call("echo", {"text": "x"})).text == "x"
    await asyncio.sleep(0.1)  # some sweeps
    assert not listen.task.done()
    listen.leave()
    await listen.wait()


def rename_nothing_else(user: User) -> None:
    Group.objects.get(name=CREW).save()


def revoke_somebody_s_jwt(user: User) -> None:
    RevokedToken.objects.create(issuer="x", jti="y", expires_at=timezone.now())


def unlink_in_bulk(user: User) -> None:
    OutsideIdentity.objects.create(user=user, issuer="x", subject="y")
    state.change()
    OutsideIdentity.objects.all().delete()


@pytest.mark.parametrize("change", [rename_nothing_else, revoke_somebody_s_jwt, unlink_in_bulk])
async def test_whatever_may_change_what_somebody_may_sets_a_new_epoch(
    crew: Group, alice: User, change: Callable[[User], None]
) -> None:
    before = state.take([]).epoch
    await identity_pool.run(lambda: change(alice))
    assert state.take([]).epoch != before


async def test_a_permission_that_is_deleted_is_nobody_s(alice: User) -> None:
    """Its grants go with it, of which Django tells nobody."""
    about = await ContentType.objects.aget(app_label="sessions_app", model="user")
    made = await Permission.objects.acreate(codename="lent", name="Lent", content_type=about)
    before = state.take([]).epoch
    await identity_pool.run(made.delete)
    assert state.take([]).epoch != before
