"""The channel layer, over which processes wake each other: from one channel to another, and to a group."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from redis.exceptions import RedisError

from .examination import PATIENCE, Case, examination
from .finding import Away, Finding, ok, problem, reason, skipped

TOLD = {"type": "doctor.told"}


class Lost(Exception):
    """What was sent did not arrive."""


@examination("channel layer", after=("Redis",))
def channel_layer(case: Case) -> Iterator[Finding]:
    if settings.REDIS_URL and not case.has("Redis"):
        raise Away(skipped("round trip", "Not looked at: it needs the Redis."))
    where = "through Redis" if settings.REDIS_URL else "in the memory of one process"
    try:
        asyncio.run(asyncio.wait_for(round_trips(), PATIENCE))
    except (RedisError, Lost, OSError) as error:  # a TimeoutError is an OSError
        says = f"What is sent {where} does not arrive: {reason(error)}."
        mend = "See Redis above; its user needs BZPOPMIN, ZADD and EVAL on concierge* (ACL SETUSER)"
        raise Away(problem("round trip", says, mend)) from None
    yield ok("round trip", f"What one channel sends {where} arrives at another, and at a group.")


async def round_trips() -> None:
    layer: Any = get_channel_layer()
    channel, group = await layer.new_channel("doctor"), f"doctor-{secrets.token_hex(8)}"
    try:
        await layer.send(channel, {**TOLD, "by": "channel"})
        await arrives(layer, channel, "channel")
        await layer.group_add(group, channel)
        await layer.group_send(group, {**TOLD, "by": "group"})
        await arrives(layer, channel, "group")
        await layer.group_discard(group, channel)
    finally:
        if hasattr(layer, "close_pools"):
            await layer.close_pools()


async def arrives(layer: Any, channel: str, by: str) -> None:
    message = await layer.receive(channel)
    if message.get("by") != by:
        raise Lost(f"not what was sent by {by}")
