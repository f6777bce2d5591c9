"""The state of several processes, in Redis. While that is away, each process goes on by itself.

Then nobody's authority widens: what was read within the last second counts, as in a process alone. Limits are
counted in each process, but for those that say otherwise.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from sessions_app.limits import Bucket, Limit
from sessions_app.metrics import REDIS_LOSSES
from sessions_app.outage import Log
from sessions_app.request_ids import of_nobody

from .base import LEASE, Admission, Operation, Ticket, Usage
from .line import PATIENCE, Line
from .memory import MemoryState, new_epoch
from .script import Script
from .spelling import EVERYBODY, bucket_key, epoch_key, member, operation_of, running_key

logger = logging.getLogger(__name__)
log = Log()

EPOCHS_ARE_KEPT = 86_400
"""Seconds. One that is gone is made anew, and everybody it is about is read again."""
LOOK_AGAIN_EVERY = 0.5
"""Seconds, while Redis is away."""
LEASE_MS = int(LEASE * 1000)
MOST_OWED = 10_000
PROBE = Bucket(Limit("probe", 1_000_000, 1), "nobody")


ADMIT, USAGE, RUNNING = Script("admit.lua"), Script("usage.lua"), Script("running.lua")


class RedisState:
    def __init__(self, url: str) -> None:
        self._line = Line(url)
        self._client = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, decode_responses=True
        )
        self._local = MemoryState()
        self.is_away = False
        self._owed: dict[tuple[str, str], None] = {}
        """Operations that ended while it was away, which it may still take for running."""
        self._looking: asyncio.Task[None] | None = None
        self._threads_wait_until = 0.0

    async def admit(self, ticket: Ticket) -> Admission:
        if not self.is_away:
            try:
                return admission(ticket, await self._run(ADMIT, *self._asked(ticket)))
            except RedisError as error:
                self._went_away(error)
        self._look_for_it()
        return self._admit_locally(ticket)

    def take(self, buckets: Sequence[Bucket]) -> Admission:
        ticket = Ticket("", buckets)
        if time.monotonic() >= self._threads_wait_until:
            keys, values = self._asked(ticket)
            try:
                return admission(ticket, self._client.eval(ADMIT.text, len(keys), *keys, *values))
            except RedisError as error:
                self._threads_wait_until = time.monotonic() + LOOK_AGAIN_EVERY
                log.seldom(logger, "Limits are counted in each process: Redis fails", error)
        return self._admit_locally(ticket)

    def try_out(self) -> None:
        """Let in nobody, as calls are let in. Raises: RedisError, where `take` would count by itself."""
        keys, values = self._asked(Ticket("nobody", [PROBE]))
        self._client.eval(ADMIT.text, len(keys), *keys, *values)

    def give_back(self, buckets: Sequence[Bucket]) -> None:
        self._local.give_back(buckets)
        if time.monotonic() < self._threads_wait_until:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for bucket in buckets:
                    pipeline.lpop(bucket_key(bucket))
                pipeline.execute()
        except RedisError:
            logger.warning("What was given back counts all the same: Redis fails")

    def _asked(self, ticket: Ticket) -> tuple[list[str], list[str | int]]:
        keys = [EVERYBODY, epoch_key(ticket.owner), running_key(ticket.owner)]
        operation = "" if ticket.operation is None else member(ticket.operation)
        values: list[str | int] = [new_epoch(), operation, ticket.most_at_once, LEASE_MS]
        for bucket in ticket.buckets:
            keys.append(bucket_key(bucket))
            values += [bucket.limit.most, bucket.limit.seconds * 1_000_000]
        return keys, values

    def _admit_locally(self, ticket: Ticket) -> Admission:
        for bucket in ticket.buckets:
            if bucket.limit.is_closed_without_redis:
                return Admission(None, bucket, retry_after=1.0)
        return self._local.admit_now(ticket)._replace(epoch=None)

    def finish(self, ticket: Ticket) -> None:
        if ticket.operation is None:
            return
        self._local.finish(ticket)
        ended = (running_key(ticket.owner), member(ticket.operation))
        if not self.is_away:
            forget(self._line.send("ZREM", *ended))
        elif len(self._owed) < MOST_OWED:
            self._owed[ended] = None

    def renew(self, tickets: Sequence[Ticket]) -> None:
        self._local.renew(tickets)
        if self.is_away:
            return
        for ticket in tickets:
            if ticket.operation is not None:
                values = (LEASE_MS, member(ticket.operation))
                forget(self._line.send("EVAL", RUNNING.text, 1, running_key(ticket.owner), *values))

    async def operations(self, owner: str) -> list[Operation]:
        if not self.is_away:
            try:
                members = await self._run(RUNNING, [running_key(owner)], [LEASE_MS])
                return [operation_of(text) for text in members]
            except RedisError as error:
                self._went_away(error)
        return await self._local.operations(owner)

    def operations_now(self, owners: Sequence[str]) -> dict[str, list[Operation]]:
        if owners and time.monotonic() >= self._threads_wait_until:
            try:
                with self._client.pipeline(transaction=False) as pipeline:
                    for owner in owners:
                        pipeline.eval(RUNNING.text, 1, running_key(owner), LEASE_MS)
                    found = [[operation_of(text) for text in members] for members in pipeline.execute()]
                return dict(zip(owners, found, strict=True))
            except RedisError:
                self._threads_wait_until = time.monotonic() + LOOK_AGAIN_EVERY
        return self._local.operations_now(owners)

    async def usage(self, buckets: Sequence[Bucket]) -> list[Usage]:
        if not self.is_away and buckets:
            windows: list[str | int] = [bucket.limit.seconds * 1_000_000 for bucket in buckets]
            try:
                return usages(buckets, await self._run(USAGE, [bucket_key(bucket) for bucket in buckets], windows))
            except RedisError as error:
                self._went_away(error)
        return self._local.usage_now(buckets)

    def usage_now(self, buckets: Sequence[Bucket]) -> list[Usage]:
        """As `usage`, for code that cannot await."""
        keys = [bucket_key(bucket) for bucket in buckets]
        windows = [bucket.limit.seconds * 1_000_000 for bucket in buckets]
        if buckets and time.monotonic() >= self._threads_wait_until:
            try:
                return usages(buckets, self._client.eval(USAGE.text, len(keys), *keys, *windows))
            except RedisError:
                self._threads_wait_until = time.monotonic() + LOOK_AGAIN_EVERY
        return self._local.usage_now(buckets)

    def change(self, *owners: str) -> None:
        """From any thread; it is done when this returns, so that the next call anywhere is judged anew."""
        if time.monotonic() < self._threads_wait_until:
            return  # it was away a moment ago; what was read within the last second counts
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for key in [epoch_key(owner) for owner in owners] or [EVERYBODY]:
                    pipeline.set(key, secrets.token_hex(8), ex=EPOCHS_ARE_KEPT)
                pipeline.execute()
        except RedisError as error:
            self._threads_wait_until = time.monotonic() + LOOK_AGAIN_EVERY
            log.seldom(logger, "Changes of authority count a second late: Redis fails", error)

    # --- While it is away ---

    async def _run(self, script: Script, keys: Sequence[str], values: Sequence[str | int]) -> Any:
        try:
            return await self._line.send("EVALSHA", script.digest, len(keys), *keys, *values)
        except NoScriptError:
            return await self._line.send("EVAL", script.text, len(keys), *keys, *values)

    def _went_away(self, error: Exception) -> None:
        if not self.is_away:
            self.is_away = True
            REDIS_LOSSES.inc()
            logger.warning(
                "Limits are counted in each process, changes count a second late: Redis fails: %s", error
            )

    def _look_for_it(self) -> None:
        loop = asyncio.get_running_loop()
        if self.is_away and (
            self._looking is None or self._looking.done() or self._looking.get_loop() is not loop
        ):
            self._looking = loop.create_task(self._look(), context=of_nobody())

    async def _look(self) -> None:
        """In the background, so that no call waits for it. It must be able to do what calls ask of it."""
        while self.is_away:
            await asyncio.sleep(LOOK_AGAIN_EVERY)
            try:
                await self._run(ADMIT, *self._asked(Ticket("nobody", [PROBE])))  # one that writes
                # What it was sent before it hung it has done by now: such as letting in what has long ended.
                while self._owed:
                    await self._line.send("ZREM", *next(iter(self._owed)))
                    del self._owed[next(iter(self._owed))]
            except RedisError:
                continue
            self.is_away = False
            logger.info("Redis is back")


def admission(ticket: Ticket, reply: Any) -> Admission:
    everybody, own, refused, microseconds = reply
    epoch, wait = (everybody, own), int(microseconds) / 1e6
    if not refused:
        return Admission(epoch)
    if refused < 0:
        return Admission(epoch, is_crowded=True, retry_after=wait)
    return Admission(epoch, ticket.buckets[refused - 1], retry_after=wait)


def usages(buckets: Sequence[Bucket], reply: Any) -> list[Usage]:
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return [
        Usage(bucket, max(0, bucket.limit.most - count), int(microseconds) / 1e6)
        for bucket, (count, microseconds) in zip(buckets, pairs, strict=True)
    ]


def forget(reply: "asyncio.Future[Any]") -> None:
    """Nobody waits for it; should it fail, whoever sends the next command finds out."""
    reply.add_done_callback(lambda done: done.cancelled() or done.exception())
