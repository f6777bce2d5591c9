"""A resource that each user has his own of: who listens to it hears of his own changes, and of no other's."""

from functools import partial
from typing import Any

import pytest

from sessions_app.models import Preference, User
from sessions_app.pool import identity_pool
from tests.conftest import key_for, wire_for
from tests.wire import Durable, Exchange, Wire

URI = "concierge://me/preferences"
pytestmark = pytest.mark.usefixtures("attached")


async def listen(wire: Wire, *uris: str) -> Exchange:
    stream = wire.open(wire.request("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}}))
    await stream.wait_for("acknowledged")
    return stream


async def prefer(user: User, key: str, value: Any) -> None:
    await identity_pool.run(lambda: Preference.objects.put(user.pk, key, value))


def updates(stream: Exchange) -> list[str]:
    told = [
        message for message in stream.answer.messages if message.get("method") == "notifications/resources/updated"
    ]
    return [message["params"]["uri"] for message in told]


async def test_a_listener_hears_of_his_own(wire: Wire, alice: User, bob: User, recorded: Any) -> None:
    mine, his = await listen(wire, URI, f"{URI}/tea"), await listen(await wire_for(bob), URI)
    await prefer(alice, "tea", 1)
    await mine.wait_for(f'"{URI}/tea"')
    await prefer(bob, "coffee", 1)
    await his.wait_for("resources/updated")
    assert sorted(updates(mine)) == [URI, f"{URI}/tea"]
    assert updates(his) == [URI]
    for stream in (mine, his):
        stream.leave()
        await stream.wait()


async def test_a_subscribed_session_hears_of_his_own(alice: User, bob: User, recorded: Any) -> None:
    streams = []
    for user in (alice, bob):
        client = await Durable.open(await identity_pool.run(partial(key_for, user)))
        await client.ask("resources/subscribe", {"uri": URI})
        streams.append(await client.get())
    await prefer(bob, "coffee", 1)
    await streams[1].wait_for("resources/updated")
    await prefer(alice, "tea", 1)
    await streams[0].wait_for("resources/updated")
    assert [updates(stream) for stream in streams] == [[URI], [URI]]
    for stream in streams:
        stream.leave()
        await stream.wait()


async def test_a_deleted_one_is_a_change_too(wire: Wire, alice: User, recorded: Any) -> None:
    await prefer(alice, "time zone", "UTC")
    stream = await listen(wire, f"{URI}/time%20zone")
    await wire.call("manage-preferences", {"action": "delete", "key": "time zone"})
    await stream.wait_for(f'"{URI}/time%20zone"')
    stream.leave()
    await stream.wait()
