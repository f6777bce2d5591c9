"""Calls that last: who began them has to be allowed to until they end, however long people think in between."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission

from sessions_app.models import ApiKey, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from sessions_app.transport.ends import ends
from tests.shop import tools as shop
from tests.wire import Durable, Exchange, Wire, until


def leave_all_groups(user: User) -> None:
    user.groups.clear()


def revoke_keys(user: User) -> None:
    ApiKey.objects.filter(user=user).revoke()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)  # behind our back


WITHDRAWN: list[tuple[Callable[[User], None], int]] = [
    (leave_all_groups, 403),
    (revoke_keys, 401),
    (deactivate, 401),
]


def message_of(call: Exchange) -> str:
    text: str = call.answer.error["message"]
    return text


@pytest.mark.parametrize(("withdraw", "status"), WITHDRAWN)
@pytest.mark.parametrize("tool", ["ask", "ask-and-write"])
async def test_an_answer_does_not_bring_back_what_was_withdrawn_meanwhile(
    durable: Durable, alice: User, tool: str, withdraw: Callable[[User], None], status: int
) -> None:
    call = durable.begin(tool, {"text": "Tea"})
    question = await call.asked()
    await identity_pool.run(lambda: withdraw(alice))
    await durable.accept(question["id"], sure=True)
    await call.wait()
    assert ("has changed meanwhile" if status == 403 else "not valid") in message_of(call)
    assert not await alice.preferences.aexists()


async def test_what_was_granted_meanwhile_does_no_harm(durable: Durable, alice: User) -> None:
    call = durable.begin("ask", {"text": "Tea"})
    question = await call.asked()
    await identity_pool.run(lambda: alice.groups.add(Group.objects.get(name=ADMINISTRATORS)))
    await durable.accept(question["id"], sure=True)
    assert (await call.wait()).text == "Tea: yes"


@pytest.mark.parametrize(("withdraw", "status"), WITHDRAWN)
async def test_a_call_that_lasts_ends_with_what_it_rests_on(
    durable: Durable, wire: Wire, alice: User, quick: None, withdraw: Callable[[User], None], status: int
) -> None:
    shop.finished.clear()
    calls = [durable.begin("wait", {"seconds": 5}), wire.open(wire.request("tools/call", NAP))]
    await until(lambda: len(ends._calls) == 2)
    await identity_pool.run(lambda: withdraw(alice))
    for call in calls:
        assert (await call.wait()).status == status
    assert shop.finished == []


NAP = {"name": "wait", "arguments": {"seconds": 5}}


async def test_another_s_calls_go_on(durable: Durable, bob: User, quick: None) -> None:
    menu = await Permission.objects.aget(codename="read_menu")
    call = durable.begin("wait", {"seconds": 0.3})
    await identity_pool.run(lambda: bob.user_permissions.add(menu))
    await identity_pool.run(lambda: bob.groups.clear())
    assert (await call.wait()).text
