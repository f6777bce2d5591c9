"""What is open in this process: calls in flight and streams. One sweep twice a second looks after all.

What ends them (a session ended, a credential revoked, a newer stream) may have happened in any process.
A wake-up tells at once; the sweep finds what no wake-up told.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import Error as DatabaseFailure
from django.utils import timezone

from sessions_app import credentials
from sessions_app.call import Call
from sessions_app.deadline import watch
from sessions_app.exceptions import SessionNotFound
from sessions_app.models import Session
from sessions_app.models.session import ACTIVITY_IS_NOTED_EVERY
from sessions_app.pool import background_pool, identity_pool, sweep_pool
from sessions_app.principal import Principal
from sessions_app.state import state
from sessions_app.state.base import LEASE

from . import presence
from .bus import bus
from .events import (
    AuthorityChanged,
    RequestCancelled,
    SessionChanged,
)
from .exchange import Exchange
from .jsonrpc import request_digest
from .listener import Listener
from .notices import Notices
from .places import check_place_for, stopping
from .tasks import Tasks

SWEEP_EVERY = 0.5
"""Seconds."""


class Ends:
    def __init__(self) -> None:
        self._calls: dict[int, dict[Exchange, Call]] = {}
        """In flight, by session."""
        self._listeners: dict[Listener, None] = {}
        """In their order: a socket's own came before the streams on it, which end with it and say nothing."""
        self._notices = Notices(self._listeners)
        self._next_sweep = self._next_renewal = 0.0
        self._sweeping: asyncio.Task[None] | None = None
        self._is_due = False
        self._tasks = Tasks()
        self.is_closing = False
        bus.on(SessionChanged, self._session_changed)
        bus.on(AuthorityChanged, self._authority_changed)
        bus.on(RequestCancelled, self._request_cancelled)

    @property
    def calls(self) -> int:
        """How many are in flight. What holds a stream or a socket open is none."""
        held = {listener.call.exchange for listener in self._listeners}
        return sum(exchange not in held for calls in self._calls.values() for exchange in calls)

    @property
    def streams(self) -> int:
        """How many are open over HTTP."""
        return sum(listener.takes_a_place for listener in self._listeners)

    # --- Opening and closing ---

    @contextmanager
    def call(self, call: Call) -> Iterator[None]:
        """`call` is in flight inside this block, and can be ended from elsewhere."""
        pk, exchange = call.session.pk, call.exchange
        if not self._calls:
            watch.add(self)
        of_session = self._calls.setdefault(pk, {})
        of_session[exchange] = call
        try:
            yield
        finally:
            del of_session[exchange]
            if not of_session and self._calls.get(pk) is of_session:
                del self._calls[pk]
                if not self._calls:
                    watch.remove(self)

    @contextmanager
    def listener(self, listener: Listener) -> Iterator[Listener]:
        """`listener` is told what changes inside this block. Raises: Refused when there are too many."""
        self.admit(listener.call.principal)
        with self.told(listener):
            yield listener

    @contextmanager
    def told(self, listener: Listener) -> Iterator[Listener]:
        """The same for who was admitted by somebody else."""
        self._listeners[listener] = None
        try:
            yield listener
        finally:
            self._listeners.pop(listener, None)

    def admit(self, principal: Principal) -> None:
        """Raises: Refused (503, 429)."""
        if self.is_closing:
            raise stopping()
        streams = [listener.call.principal for listener in self._listeners if listener.takes_a_place]
        check_place_for(principal, streams)

    def close(self) -> None:
        """As a shutdown begins: every stream ends with what it still has to say, and none is opened."""
        self.is_closing = True
        for listener in self._listeners:
            listener.end()

    def reopen(self) -> None:
        self.is_closing = False

    # --- What the bus says ---

    def _session_changed(self, event: SessionChanged) -> None:
        presence.session_changed(event.session_id)
        if event.session_id in self._calls:
            self._tasks.spawn(self._check_sessions([event.session_id]))

    def _authority_changed(self, event: AuthorityChanged) -> None:
        self._is_due = True
        self._sweep_soon()

    def _request_cancelled(self, event: RequestCancelled) -> None:
        for exchange in tuple(self._calls.get(event.session_id, ())):
            if request_digest(exchange.request_id) == event.request:
                exchange.cut()

    # --- The sweep ---

    def look(self, now: float) -> None:
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        """One at a time: the next when this one is done, and not before somebody wants one."""
        sweeping, loop = self._sweeping, asyncio.get_running_loop()
        if sweeping is None or sweeping.done() or sweeping.get_loop() is not loop:
            self._sweeping = self._tasks.spawn(self._sweep())

    async def _sweep(self) -> None:
        self._is_due = True
        while self._is_due:
            self._is_due = False
            lasting = [call for calls in self._calls.values() for call in calls.values() if call.exchange.lasts]
            if lasting:
                self._renew(lasting)
                await self._check_sessions(list({call.session.pk for call in lasting} - {None}))
            await self._check_authority(lasting)

    def _renew(self, lasting: list[Call]) -> None:
        if (now := time.monotonic()) >= self._next_renewal:
            self._next_renewal = now + LEASE / 3
            state.renew([call.ticket for call in lasting])

    async def _check_sessions(self, pks: list[int]) -> None:
        live = Session.objects.held().filter(pk__in=pks)
        # Those of now: who opens a stream meanwhile is newer than what will be read.
        holders = [listener for listener in self._listeners if listener.stream]
        rows = await sweep_pool.run(lambda: list(live.values_list("pk", "stream", "last_activity_at")))
        streams = {pk: stream for pk, stream, _ in rows}
        for listener in holders:
            if streams.get(listener.call.session.pk, listener.stream) != listener.stream:
                listener.end()
        if over := [pk for pk in pks if pk not in streams]:
            await self._cut_calls_of(over)
        self._note_activity([(pk, seen) for pk, _, seen in rows])

    async def _cut_calls_of(self, over: list[int]) -> None:
        """Whoever opened these sessions hears what an operator said of their end."""
        ended = Session.objects.filter(pk__in=over).exclude(ended_at=None)
        told = await sweep_pool.run(lambda: dict(ended.values_list("pk", "end_message")))
        for pk in over:
            for exchange in tuple(self._calls.get(pk, ())):
                exchange.cut(SessionNotFound(told.get(pk, "")))

    def _note_activity(self, seen: list[tuple[int, datetime]]) -> None:
        """Who holds a stream or waits for a call is there, though nothing is sent."""
        due = [pk for pk, at in seen if at < timezone.now() - ACTIVITY_IS_NOTED_EVERY]
        if due:
            active = Session.objects.filter(pk__in=due)
            background_pool.later(lambda: active.update(last_activity_at=timezone.now()))

    async def _check_authority(self, lasting: list[Call]) -> None:
        """Of streams and of calls that take long, in one reading."""
        listeners = tuple(self._listeners)
        streams = {listener.call.exchange for listener in listeners}
        calls = [call for call in lasting if call.exchange not in streams]
        proofs = {call.principal.proof for call in (*calls, *(listener.call for listener in listeners))}
        if not proofs:
            return
        now = time.monotonic()
        try:
            current = await sweep_pool.run(lambda: credentials.current(proofs))
            told: dict[str, str] = {}
            if gone := proofs - current.keys():
                told = await sweep_pool.run(lambda: credentials.last_words(gone))
            for server in {listener.server for listener in listeners}:
                await server.look()
            await self._show(listeners, current, told, now)
            for call in calls:
                call.check(current.get(call.principal.proof), told.get(call.principal.proof, ""))
        except DatabaseFailure:
            raise
        except Exception:
            for listener in listeners:  # a stream that nobody can check must not go on
                listener.call.exchange.lose_reader()
            raise

    async def _show(
        self,
        listeners: Sequence[Listener],
        current: Mapping[str, Principal],
        told: Mapping[str, str],
        now: float,
    ) -> None:
        """Raises: DatabaseFailure, and whatever else one of them met."""
        follows = []
        for listener in listeners:
            proof = listener.call.principal.proof
            seen = listener.see(current.get(proof), now, told.get(proof, ""))
            if listener.uris:
                follows.append(seen)
            else:
                await seen  # which waits for nothing, so it needs no task
        # Side by side: what they ask the database for is read at once.
        for failure in filter(None, await asyncio.gather(*follows, return_exceptions=True)):
            raise failure

    async def check(self, exchange: Exchange, session_id: int) -> None:
        """After a call waited for its client: whether its caller may still do what he might when it began."""
        if (call := self._calls.get(session_id, {}).get(exchange)) is not None:
            proof = call.principal.proof
            call.check((await identity_pool.run(lambda: credentials.current([proof]))).get(proof))
            await asyncio.sleep(0)  # where a cancellation arrives


ends = Ends()
