"""An open stream of either era on which a client is told what changed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Hashable, Mapping
from typing import TYPE_CHECKING

from django.db import Error as DatabaseFailure
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent

from sessions_app.call import Call
from sessions_app.exceptions import Unauthenticated
from sessions_app.outage import log
from sessions_app.principal import Principal

if TYPE_CHECKING:
    from .kernel import HostedServer

logger = logging.getLogger(__name__)

KNOWN_FOR = 2.0
"""Seconds that a look at the database counts. What a stream has to say waits for the next."""

Lists = Mapping[ServerEvent, Hashable]
"""By the event that says that a list changed: what is on it."""


class Listener:
    """Hears of lists and resources, and only of what its caller may see: asked again at each delivery.

    Told many times before it is heard, a change is heard once; so what is pending is as many as are listened for.
    """

    def __init__(self, server: "HostedServer", call: Call, lists: frozenset[ServerEvent], uris: frozenset[str]):
        self.call = call
        self.stream = ""
        """Of a GET stream: its name, which is the session's newest, or the stream ends."""
        self.takes_a_place = True
        """Whether it counts among the streams that there may be. A socket has a place of its own."""
        self.is_of_session = False
        """Whether it hears of what its session has subscribed to."""
        self.lists = lists
        self.uris = uris
        self.server = server
        self._principal = call.principal
        self._offer = server.offer
        self._listed = self._lists_for(call.principal)
        self._pending: dict[ServerEvent, None] = {}
        self._news = asyncio.Event()
        self._is_over = False
        self._is_cut = False
        self._checked_at = time.monotonic()

    def tell(self, event: ServerEvent) -> None:
        self._pending[event] = None
        self._news.set()

    def end(self) -> None:
        """Deliver what is pending, and no more."""
        self._is_over = True
        self._news.set()

    async def events(self) -> AsyncIterator[ServerEvent]:
        while True:
            while self._pending:
                event = next(iter(self._pending))
                del self._pending[event]
                if await self._may_hear(event):
                    yield event
            if self._is_over:
                return
            self._news.clear()
            await self._news.wait()

    async def _may_hear(self, event: ServerEvent) -> bool:
        while True:
            while time.monotonic() > self._checked_at + KNOWN_FOR and not self._is_over:
                self._news.clear()
                await self._news.wait()  # the database is away, and so are the resources; `see` wakes it
            if self._is_cut:
                return False
            try:
                return not isinstance(event, ResourceUpdated) or await self._may_follow(event.uri)
            except DatabaseFailure as failure:
                log.tell(logger, "Who may follow a resource is not known", failure)
                if self._is_over:
                    return False
                self._checked_at = -KNOWN_FOR  # until the next look

    async def _may_follow(self, uri: str) -> bool:
        return await self.server.may_follow(self._principal, uri)

    async def see(self, principal: Principal | None, now: float, told: str = "") -> None:
        """What its caller may do, as of `now`. A stream is authority that lasts: it ends with its credential, and
        says what its holder is to be `told` of that.
        """
        self._checked_at = now
        self._news.set()
        if principal is None or not principal.may_come_from(self.call.ip):
            logger.info("Ended a stream of %s: the credential is not valid any more", self._principal.username)
            self._cut()
            self.call.exchange.cut(Unauthenticated("no longer valid", told=told))
            return
        before = self._principal.permissions, self._offer
        self._principal, self._offer = principal, self.server.offer
        for uri in self.uris:
            if not await self._may_follow(uri):
                self._cut()
                self.call.exchange.withdraw()  # acknowledged as it was; the client may listen anew to what is left
                return
        if before != (principal.permissions, self._offer):
            self._compare()

    def _compare(self) -> None:
        before, self._listed = self._listed, self._lists_for(self._principal)
        for event, listed in self._listed.items():
            if listed != before[event]:
                self.tell(event)

    def _cut(self) -> None:
        self._is_cut = True
        self._pending.clear()
        self.end()

    def _lists_for(self, principal: Principal) -> Lists:
        listed = self.server.listed(principal)
        return {event: listed[event] for event in self.lists}
