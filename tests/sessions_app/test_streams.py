"""The GET stream of a durable session: what its client is told, for how long, and which one is heard."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from mcp.shared.subscriptions import PromptsListChanged, ResourceUpdated, ServerEvent, ToolsListChanged

from project.asgi import end_streams
from sessions_app.models import ApiKey, Session, Subscription, User
from sessions_app.pool import background_pool, identity_pool
from sessions_app.transport import ends as ends_module
from sessions_app.transport import exchange, places
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from tests.sessions_app.conftest import durable_for, row_of
from tests.wire import Durable, Exchange, Wire, until

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

MARK = PromptsListChanged()
"""Everybody hears it: what was to come before is there when this is."""


async def heard(*streams: Exchange) -> list[list[str]]:
    """What each was told until now: the URI that a notification is about, or else its method's last words."""
    bus.publish(MARK)
    told = []
    for stream in streams:
        await stream.wait_for("prompts/list_changed")
        notes = [message.get("params", {}).get("uri") or message["method"] for message in stream.answer.messages]
        told.append([note.removeprefix("notifications/") for note in notes])
        assert told[-1].pop() == "prompts/list_changed"
        stream.answer.body = b""
    return told


async def leave(*streams: Exchange) -> None:
    for stream in streams:
        stream.leave()
        await stream.wait()


async def publish(*uris: str) -> None:
    """That these changed; and until those who subscribed have been looked up."""
    for uri in uris:
        bus.publish(ResourceUpdated(uri))
    await until(lambda: not ends_module.ends._notices._tasks)


# --- Opening and closing --------------------------------------------------------------------------


async def test_a_stream_begins_by_saying_when_to_come_back(durable: Durable) -> None:
    stream = await durable.get(headers={"last-event-id": "no such event"})
    assert (stream.answer.status, stream.answer.is_stream) == (200, True)
    assert stream.answer.headers["cache-control"].startswith("no-store")
    assert stream.answer.body == b"retry: 1000\r\n\r\n"
    await leave(stream)


async def test_a_stream_is_a_stream_or_nothing(durable: Durable) -> None:
    answer = await durable.open_get(headers={"accept": "application/json"}).wait()
    assert answer.status == 406


@pytest.mark.parametrize("is_told", [True, False])
async def test_the_newest_stream_wins(
    durable: Durable, attached: None, quick: None, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    other = await Durable.open(durable.key)
    others, old = await other.get(), await durable.get()
    with monkeypatch.context() as patch:
        if is_told:
            patch.setattr(ends_module.ends, "look", lambda now: None)
        else:
            patch.setattr(bus, "publish", lambda event: None)
        new = await durable.get()
        answer = await old.wait()
    assert answer.messages == []
    bus.publish(ToolsListChanged())
    assert await heard(new, others) == [["tools/list_changed"]] * 2
    await leave(new, others)


async def test_a_stream_that_is_just_opening_is_not_taken_for_an_old_one(
    durable: Durable, attached: None, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is looked after many times while the new one is being written down."""
    old = await durable.get()
    hold_stream, may_go_on = Session.hold_stream, threading.Event()

    def slowly(session: Session, stream: str) -> bool:
        may_go_on.wait(5)
        return hold_stream(session, stream)

    monkeypatch.setattr(Session, "hold_stream", slowly)
    new = durable.open_get()
    await asyncio.sleep(0.1)  # some sweeps
    assert not old.task.done()
    may_go_on.set()
    await old.wait()
    await new.wait_for("retry:")
    assert await heard(new) == [[]]
    await leave(new)


async def test_a_quiet_stream_is_kept_alive(
    durable: Durable, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "KEEP_ALIVE_EVERY", 0.02)
    stream = await durable.get()
    await stream.wait_for(": still here\r\n\r\n: still here\r\n\r\n")
    assert stream.answer.messages == []
    await leave(stream)


async def test_streams_end_when_the_server_does_and_none_is_opened(durable: Durable) -> None:
    stream = await durable.get()
    bus.publish(ToolsListChanged())
    end_streams()
    (last,) = (await stream.wait()).messages  # what was to be told still is
    assert last["method"] == "notifications/tools/list_changed"
    answer = await durable.open_get().wait()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (await durable.ask("ping")).status == 200


async def test_streams_are_bounded(durable: Durable, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_OF_ONE", 1)
    monkeypatch.setattr(places, "MOST", 2)
    stream, bobs = await durable.get(), await (await durable_for(bob)).get()
    full = await (await durable_for(bob)).open_get().wait()
    assert (full.status, full.headers["retry-after"]) == (503, "60")
    monkeypatch.setattr(places, "MOST", 9)
    mine = await (await Durable.open(durable.key)).open_get().wait()
    assert (mine.status, mine.headers["retry-after"]) == (429, "60")
    await leave(stream, bobs)


def revoke_key(user: User) -> None:
    ApiKey.objects.filter(user=user).revoke()


def end_session(user: User) -> None:
    Session.objects.filter(user=user).end("by admin")


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


@pytest.mark.parametrize("act", [revoke_key, end_session, deactivate])
async def test_a_stream_ends_with_what_it_rests_on(
    durable: Durable, quick: None, attached: None, alice: User, act: Callable[[User], None]
) -> None:
    stream = await durable.get()
    await identity_pool.run(lambda: act(alice))
    assert (await stream.wait()).messages == []


async def test_a_stream_lasts_no_longer_than_its_session_may(durable: Durable, quick: None) -> None:
    stream, call = await durable.get(), durable.begin("wait", {"seconds": 5})
    (of_session,) = ends_module.ends._calls.values()
    await until(lambda: len(of_session) == 2)
    await Session.objects.aupdate(expires_at=timezone.now())
    assert (await stream.wait()).messages == []
    assert (await call.wait()).status == 404


# --- What is told ---------------------------------------------------------------------------------


async def test_only_those_hear_of_lists_whose_lists_changed(
    durable: Durable, attached: None, alice: User, bob: User
) -> None:
    bobs_client = await durable_for(bob)
    stream, bobs = await durable.get(), await bobs_client.get()

    async def changed(change: Callable[[], Any]) -> set[str]:
        await identity_pool.run(change)
        await stream.wait_for("list_changed")
        alices_news, bobs_news = await heard(stream, bobs)
        assert bobs_news == []
        return set(alices_news)

    restock = await Permission.objects.aget(codename="call_restock")
    ledger = await Permission.objects.aget(codename="read_ledger")
    assert await changed(lambda: alice.user_permissions.add(restock)) == {"tools/list_changed"}
    assert "restock" in str((await durable.ask("tools/list")).result)
    assert await changed(lambda: alice.user_permissions.clear()) == {"tools/list_changed"}
    assert await changed(lambda: alice.user_permissions.add(ledger)) == {"resources/list_changed"}
    await leave(stream, bobs)


async def test_only_those_hear_of_a_resource_who_subscribed(durable: Durable, bob: User) -> None:
    bobs_client = await durable_for(bob)
    mine, bobs = await durable.get(), await bobs_client.get()
    for uri in ("shop://menu", "shop://menu", "shop://items/tea"):
        assert (await durable.ask("resources/subscribe", {"uri": uri})).result == {}
    await publish("shop://menu", "shop://items/tea", "shop://items/coffee", "shop://ledger", "shop://menu")
    alices_news, bobs_news = await heard(mine, bobs)
    assert (sorted(alices_news), bobs_news) == (["shop://items/tea", "shop://menu"], [])
    for uri in ("shop://menu", "shop://menu", "shop://never"):
        assert (await durable.ask("resources/unsubscribe", {"uri": uri})).result == {}
    await publish("shop://menu", "shop://items/tea")
    assert await heard(mine, bobs) == [["shop://items/tea"], []]
    await leave(mine, bobs)


async def test_a_tool_may_say_what_changed_and_everybody_concerned_hears(durable: Durable, bob: User) -> None:
    bobs_client = await durable_for(bob)
    await bobs_client.ask("resources/subscribe", {"uri": "shop://menu"})
    mine, bobs = await durable.get(), await bobs_client.get()
    answer = await durable.call("announce", {"uri": "shop://menu"})
    assert len(answer.messages) == 1  # it goes to the streams, not with the result
    await publish()
    assert await heard(mine, bobs) == [[], ["shop://menu"]]
    await leave(mine, bobs)


async def test_a_tool_s_word_that_its_client_s_list_changed_is_for_that_client_alone(
    durable: Durable, bob: User
) -> None:
    bobs_client = await durable_for(bob)
    mine, bobs = await durable.get(), await bobs_client.get()
    await durable.call("announce-list")
    assert await heard(mine, bobs) == [["tools/list_changed"], []]
    await leave(mine, bobs)


async def test_a_subscription_that_another_process_took_counts(durable: Durable) -> None:
    stream = await durable.get()
    row = await Subscription.objects.acreate(session=await row_of(durable), uri="shop://menu")
    await publish("shop://menu")
    assert await heard(stream) == [["shop://menu"]]
    await row.adelete()
    await publish("shop://menu")
    assert await heard(stream) == [[]]
    await leave(stream)


async def test_what_may_no_longer_be_read_is_no_longer_told(admin: User, attached: None, recorded: Any) -> None:
    client = await durable_for(admin)
    for uri in ("shop://ledger", "shop://menu"):
        assert (await client.ask("resources/subscribe", {"uri": uri})).result == {}
    stream = await client.get()
    await publish("shop://ledger")
    assert await heard(stream) == [["shop://ledger"]]
    menu = await Permission.objects.aget(codename="read_menu")

    def keep_the_menu_only() -> None:
        admin.user_permissions.add(menu)
        admin.groups.clear()

    await identity_pool.run(keep_the_menu_only)
    await stream.wait_for("resources/list_changed")
    stream.answer.body = b""
    await publish("shop://ledger", "shop://menu")
    (told,) = await heard(stream)
    assert [note for note in told if "://" in note] == ["shop://menu"]
    await leave(stream)


async def test_what_is_hidden_cannot_be_subscribed_to(durable: Durable) -> None:
    def uris(answer: Any, uri: str) -> str:
        return str(answer.error).replace(uri, "URI")

    hidden = await durable.ask("resources/subscribe", {"uri": "shop://ledger"})
    unknown = await durable.ask("resources/subscribe", {"uri": "shop://nothing"})
    assert uris(hidden, "shop://ledger") == uris(unknown, "shop://nothing")
    assert (hidden.status, hidden.error["code"]) == (200, -32002)
    assert not await Subscription.objects.aexists()


async def test_subscriptions_are_bounded(durable: Durable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.models.session.MOST_SUBSCRIPTIONS", 2)
    answers = [await durable.ask("resources/subscribe", {"uri": f"shop://items/{name}"}) for name in "aabc"]
    assert ["error" in answer.messages[0] for answer in answers] == [False, False, False, True]
    assert (answers[3].status, answers[3].error["code"]) == (200, -32602)
    long = await durable.ask("resources/subscribe", {"uri": "shop://items/" + "%C3%A9" * 500})
    assert long.error["code"] == -32602
    assert await Subscription.objects.acount() == 2


def subscribe_to(session: Session, uris: list[str]) -> None:
    Subscription.objects.bulk_create(Subscription(session=session, uri=uri) for uri in uris)


async def test_a_burst_of_changes_is_heard_whole(durable: Durable, wire: Wire, attached: None) -> None:
    uris = [f"shop://items/{number}" for number in range(1000)]
    session = await row_of(durable)
    await background_pool.run(lambda: subscribe_to(session, uris))
    streams = [
        durable.open_get(),
        wire.open(wire.request("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})),
    ]
    await streams[0].wait_for("retry:")
    await streams[1].wait_for("acknowledged")
    await publish(*uris, *uris)
    for stream in streams:
        await stream.wait_for(f'"{uris[-1]}"')
        heard = [message["params"].get("uri") for message in stream.answer.messages]
        assert sorted(filter(None, heard)) == sorted(uris), "each once"
        stream.leave()
        await stream.wait()


async def test_nothing_is_told_once_the_credential_is_gone(durable: Durable, alice: User, attached: None) -> None:
    """Also when the event and the end of its authority are noticed in one breath."""
    session = await row_of(durable)
    await background_pool.run(lambda: subscribe_to(session, ["shop://menu"]))
    stream = durable.open_get()
    await stream.wait_for("retry:")
    (listener,) = ends._listeners
    listener.tell(ResourceUpdated("shop://menu"))
    await listener.see(None, time.monotonic())
    assert b"updated" not in (await stream.wait()).body


async def test_a_stream_says_nothing_while_the_database_is_away(durable: Durable, attached: None) -> None:
    session = await row_of(durable)
    await background_pool.run(lambda: subscribe_to(session, ["shop://menu"]))
    stream = durable.open_get()
    await stream.wait_for("retry:")
    (listener,) = ends._listeners
    listener._checked_at -= 60
    listener.tell(ResourceUpdated("shop://menu"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert b"updated" not in stream.answer.body
    await listener.see(listener.call.principal, time.monotonic())
    await stream.wait_for("updated")
    stream.leave()
    await stream.wait()


# --- Log messages ---------------------------------------------------------------------------------


async def test_a_client_is_told_what_it_wants_logged(durable: Durable, attached: None) -> None:
    other = await Durable.open(durable.key)

    async def logged(client: Durable) -> list[str]:
        return [note["params"]["level"] for note in (await client.call("chatter")).messages[:-1]]

    levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
    assert await logged(durable) == levels[1:]
    for level in ("emergency", "debug", "warning"):
        assert (await durable.ask("logging/setLevel", {"level": level})).result == {}
        assert await logged(durable) == levels[levels.index(level) :]
    for wrong in ({"level": "loud"}, {"level": None}, {}):
        assert (await durable.ask("logging/setLevel", wrong)).error["code"] == -32602
    assert (await row_of(durable)).log_level == "warning"
    assert await logged(other) == levels[1:]


# --- What an open stream means to its session -----------------------------------------------------


async def test_who_holds_a_stream_is_there_though_nothing_is_sent(durable: Durable, quick: None) -> None:
    stream, call = await durable.get(), (await Durable.open(durable.key)).begin("wait", {"seconds": 5}, id=1)
    await until(lambda: len(ends_module.ends._calls) == 2)
    quiet_since = timezone.now() - timedelta(hours=23)
    await Session.objects.aupdate(last_activity_at=quiet_since)

    async with asyncio.timeout(5):
        while await Session.objects.filter(last_activity_at=quiet_since).aexists():
            pass
    call.task.cancel()
    await leave(stream)


MADE_UP: list[ServerEvent] = [ToolsListChanged(), MARK, ResourceUpdated("shop://menu")]


async def test_nothing_is_told_to_who_left(durable: Durable, quick: None) -> None:
    await durable.ask("resources/subscribe", {"uri": "shop://menu"})
    stream = await durable.get()
    await leave(stream)
    assert not ends_module.ends._listeners
    for event in MADE_UP:
        bus.publish(event)
    assert stream.answer.messages == []
