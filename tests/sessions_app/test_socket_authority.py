"""An open socket proves nothing: whether its caller may be here, and what he may do, is asked again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from django.contrib.auth.models import Group, Permission

from sessions_app.models import ApiKey, Session, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.shop import tools as shop
from tests.socket import SocketWire
from tests.wire import Wire

OPEN = {"2026-07-28": SocketWire.open, "2025-11-25": SocketWire.shake_hands}


@pytest.fixture(params=OPEN)
async def client(wire: Wire, quick: None, request: pytest.FixtureRequest) -> AsyncIterator[SocketWire]:
    """alice's, of each era in turn, with its session open."""
    assert wire.key
    opened = await OPEN[request.param](wire.key)
    await opened.ask("tools/list")
    yield opened
    await opened.leave()


async def in_thread(work: Callable[[], object]) -> None:
    await identity_pool.run(work)


def revoke_keys(user: User) -> None:
    ApiKey.objects.filter(user=user).revoke()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)  # behind our back


def delete(user: User) -> None:
    User.objects.filter(pk=user.pk).delete()


def end_sessions(user: User) -> None:
    Session.objects.filter(user=user).end("by an operator")


def end_behind_our_back(user: User) -> None:
    Session.objects.filter(user=user).update(end_reason="x", ended_at="2026-01-01T00:00:00Z")


OVER: list[tuple[Callable[[User], None], int]] = [
    (revoke_keys, 4401),
    (deactivate, 4401),
    (delete, 4401),
    (end_sessions, 4403),
    (end_behind_our_back, 4403),
]


@pytest.mark.parametrize(("withdraw", "code"), OVER[2:])  # the others: test_socket_credentials.py
async def test_an_idle_socket_ends_with_what_it_rests_on(
    client: SocketWire, alice: User, withdraw: Callable[[User], None], code: int
) -> None:
    await in_thread(lambda: withdraw(alice))
    async with asyncio.timeout(1.5):
        assert (await client.line.over())[0] in {code, 4403 if withdraw is delete else code}


@pytest.mark.parametrize(("withdraw", "code"), OVER)
async def test_so_does_what_runs_on_it(
    client: SocketWire, alice: User, withdraw: Callable[[User], None], code: int
) -> None:
    shop.finished.clear()
    running = client.calling("wait", {"seconds": 3})
    await in_thread(lambda: withdraw(alice))
    await client.line.over()
    assert shop.finished == []
    replies = [message for message in client.line.messages if message.get("id") == running]
    assert not any("result" in reply for reply in replies)


async def test_its_end_is_said_by_closing_it_and_by_nothing_else(wire: Wire, alice: User, quick: None) -> None:
    assert wire.key
    client = await SocketWire.open(wire.key)
    for _ in range(20):
        await listen(client, toolsListChanged=True)
    await in_thread(lambda: revoke_keys(alice))
    assert (await client.line.over())[0] == 4401
    assert not [message for message in client.line.messages if "id" in message]


async def listen(client: SocketWire, **notifications: object) -> int:
    """The subscription's id, once it is open."""
    listening = client.begin("subscriptions/listen", {"notifications": notifications})
    meta = {"io.modelcontextprotocol/subscriptionId": listening}
    await client.line.message(lambda message: message.get("params", {}).get("_meta") == meta)
    return listening


async def test_the_very_next_call_is_judged_anew(client: SocketWire, alice: User) -> None:
    assert (await client.call("echo", {"text": "x"})).text == "x"
    await in_thread(alice.groups.clear)
    assert (await client.call("echo", {"text": "x"})).error["code"] == -32602
    assert client.line.close is None  # who may do less is still who he is


async def test_a_handshake_client_is_told_that_its_lists_changed(wire: Wire, alice: User, quick: None) -> None:
    assert wire.key
    client = await SocketWire.shake_hands(wire.key)
    await in_thread(lambda: alice.groups.add(Group.objects.get(name=ADMINISTRATORS)))
    await client.line.told("notifications/tools/list_changed")
    assert "restock" in {tool["name"] for tool in (await client.ask("tools/list")).result["tools"]}
    await client.leave()


async def test_a_later_client_is_told_if_it_listens(wire: Wire, alice: User, quick: None) -> None:
    assert wire.key
    client = await SocketWire.open(wire.key)
    listening = await listen(client, toolsListChanged=True)
    await in_thread(lambda: alice.groups.add(Group.objects.get(name=ADMINISTRATORS)))
    told = await client.line.told("notifications/tools/list_changed")
    assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == listening
    await client.leave()


async def test_whoever_may_read_less_is_told_which_subscription_is_over(
    wire: Wire, alice: User, quick: None
) -> None:
    assert wire.key
    client = await SocketWire.open(wire.key)
    kept = await listen(client, toolsListChanged=True)
    lost = await listen(client, resourceSubscriptions=["shop://menu"])
    await in_thread(alice.groups.clear)
    assert (await client.line.told("notifications/cancelled"))["params"] == {"requestId": lost}
    client.cancel(kept)
    await client.ask("server/discover")
    assert not [message for message in client.line.messages if message.get("id") in {kept, lost}]
    assert len([m for m in client.line.messages if m.get("method") == "notifications/cancelled"]) == 1
    await client.leave()


@pytest.mark.parametrize("tool", ["ask", "ask-and-write"])
async def test_an_answer_does_not_bring_back_what_was_withdrawn_meanwhile(
    wire: Wire, alice: User, tool: str
) -> None:
    assert wire.key
    client = await SocketWire.shake_hands(wire.key)
    called = client.calling(tool, {"text": "Tea"})
    question = await client.line.told("elicitation/create")
    await in_thread(alice.groups.clear)
    client.reply(question["id"], {"action": "accept", "content": {"sure": True}})
    assert "has changed meanwhile" in (await client.answer_to(called)).error["message"]
    assert not await alice.preferences.aexists()
    await client.leave()


async def test_another_s_socket_goes_on(client: SocketWire, bob: User) -> None:
    his = await SocketWire.open(await identity_pool.run(lambda: key_for(bob)))
    await his.ask("tools/list")
    menu = await Permission.objects.aget(codename="read_menu")
    await in_thread(lambda: bob.user_permissions.add(menu))
    await in_thread(lambda: revoke_keys(bob))
    assert (await his.line.over())[0] == 4401
    assert (await client.call("echo", {"text": "x"})).text == "x"
