"""What open streams are told of: that a list changed, or a resource."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from django.db import Error as DatabaseFailure
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from sessions_app.models import Subscription
from sessions_app.outage import log
from sessions_app.pool import sweep_pool

from .bus import bus
from .events import Missed, OwnListChanged, OwnResourceUpdated, SessionListChanged
from .listener import Listener
from .tasks import Tasks

logger = logging.getLogger(__name__)

TRIES_AGAIN_AFTER = 1.0
"""Seconds."""


class Notices:
    """Passes on what the bus says to the listeners that asked for it."""

    def __init__(self, listeners: dict[Listener, None]) -> None:
        self._listeners = listeners
        self._updated: set[ResourceUpdated | OwnResourceUpdated] = set()
        self._tasks = Tasks()
        self._telling_all: asyncio.Task[None] | None = None
        bus.on(ResourceUpdated, self._resource_updated)
        bus.on(OwnResourceUpdated, self._resource_updated)
        bus.on(SessionListChanged, self._session_list_changed)
        bus.on(OwnListChanged, self._own_list_changed)
        bus.on(Missed, self._missed)
        for kind in (ToolsListChanged, PromptsListChanged, ResourcesListChanged):
            bus.on(kind, self._list_changed)

    def _list_changed(self, event: ServerEvent) -> None:
        for listener in self._listeners:
            if event in listener.lists:
                listener.tell(event)

    def _session_list_changed(self, event: SessionListChanged) -> None:
        for listener in self._listeners:
            if listener.call.session.pk == event.session_id:
                listener.tell(event.change)

    def _own_list_changed(self, event: OwnListChanged) -> None:
        for listener in self._listeners:
            if listener.call.principal.account == event.user_id and event.change in listener.lists:
                listener.tell(event.change)

    def _resource_updated(self, event: ResourceUpdated | OwnResourceUpdated) -> None:
        is_first = not self._updated
        self._updated.add(event)
        for listener in self._listeners:
            if event.uri in listener.uris and concerns(event, listener):
                listener.tell(ResourceUpdated(event.uri))
        if is_first:
            self._tasks.spawn(self._tell_subscribed())

    def _missed(self, event: Missed) -> None:
        """All that anybody listens for may have changed. At lists the sweep looks, but for one's own."""
        for listener in self._listeners:
            for uri in listener.uris:
                listener.tell(ResourceUpdated(uri))
            if (own := ResourcesListChanged()) in listener.lists:
                listener.tell(own)
        if self._telling_all is None or self._telling_all.done():  # else that one tells of this, too
            self._telling_all = self._tasks.spawn(self._tell_all_subscribed())

    async def _tell_all_subscribed(self) -> None:
        if holders := self._holders:
            stored = Subscription.objects.filter(session_id__in=holders)
            subscribed: defaultdict[int, list[str]] = defaultdict(list)
            for pk, uri in await self._read(lambda: list(stored.values_list("session_id", "uri"))):
                subscribed[pk].append(uri)
            for listener in self._listeners:
                for uri in subscribed.get(listener.call.session.pk, ()) if listener.is_of_session else ():
                    listener.tell(ResourceUpdated(uri))

    @property
    def _holders(self) -> set[int]:
        return {listener.call.session.pk for listener in self._listeners if listener.is_of_session}

    async def _read(self, query: Callable[[], list[tuple[int, str]]]) -> list[tuple[int, str]]:
        """However long the database is away: what was told once is not told again."""
        while True:
            try:
                return await sweep_pool.run(query)
            except DatabaseFailure as failure:
                log.tell(logger, "Who subscribed is not known", failure)
                await asyncio.sleep(TRIES_AGAIN_AFTER)

    async def _tell_subscribed(self) -> None:
        """Whose session subscribed is read each time: the row may have been made a moment ago, elsewhere."""
        events, self._updated = self._updated, set()
        if not (holders := self._holders):
            return
        stored = Subscription.objects.filter(uri__in={event.uri for event in events}, session_id__in=holders)
        subscribed = set(await self._read(lambda: list(stored.values_list("session_id", "uri"))))
        for listener in self._listeners:
            for event in events if listener.is_of_session else ():
                if (listener.call.session.pk, event.uri) in subscribed and concerns(event, listener):
                    listener.tell(ResourceUpdated(event.uri))


def concerns(event: ResourceUpdated | OwnResourceUpdated, listener: Listener) -> bool:
    return isinstance(event, ResourceUpdated) or event.user_id == listener.call.principal.account
