"""The server's side of an HTTP connection: uvicorn's, made safe against peers that stall and that do not read.

uvicorn itself waits for ever, be it for the first byte, for the rest of the headers, or for its answer to be
read. Here all connections are looked at once a second (project/server.py): a timer for each would be set and
cancelled with every request.
"""

import asyncio
import resource
from functools import cache
from http import HTTPStatus
from typing import Any

from django.conf import settings

from .pipeline import PipelinedConnection
from .reading import LINGERS

LARGEST_HEAD = 48 * 1024
"""Bytes of a request's line and headers that are taken before they are whole. What is whole the guard measures,
which takes 32 KiB of headers."""
SLOWEST_READER = 30.0
"""Seconds in which a client takes nothing of what it was sent; over MCP it has ten (`transport/carrier.py`)."""
MOST_CONNECTIONS = 12_000
"""Of one process: its 5 000 streams and 5 000 sockets, and those that only call."""
OTHER_FILES = 256
"""Of those that the system lets a process open: the database's, Redis's, and everything else that is no client."""
LATE = "The request did not arrive in time.\n"
TOO_LARGE = "The headers are too large.\n"
FULL = "The server has too many open connections.\n"


class GuardedConnection(PipelinedConnection):
    """Whose client has `settings.SLOWEST_REQUEST` seconds for the headers, from the first byte on; of the first
    request, from the connection on. A body is the application's to wait for, until it has answered.
    """

    cycle: Any
    """The last request whose headers are whole, and its answer. None before the first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_request = self._is_in_head = self._is_refused = False
        self._head = 0
        """Bytes of a head that is not whole yet."""
        self._late_at = 0.0
        """When what the client owes is late; 0 before anybody has noticed that it owes something."""
        self._untaken = 0
        self._took_at = 0.0
        self._has_taken = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._took_at = self.loop.time()
        self._late_at = self._took_at + settings.SLOWEST_REQUEST
        if len(self.connections) > most_connections():
            self.refuse(503, FULL)
            self.transport.close()  # there is no room to linger

    # --- What arrives ---

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        super().data_received(data)
        if self._is_in_head:
            self._head += len(data)
            if self._head > LARGEST_HEAD and not self.transport.is_closing():
                self.refuse(431, TOO_LARGE)

    def on_message_begin(self) -> None:
        self._is_in_request = self._is_in_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._late_at = 0.0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_request = False
        self._late_at = 0.0
        super().on_message_complete()

    # --- What is late ---

    def look(self, now: float) -> None:
        """About once a second, with the event loop's time."""
        if self.is_unread(now) or (self._is_refused and now >= self._late_at):
            self.transport.abort()
        elif self.is_owed and not self.transport.is_closing():
            if not self._late_at:
                self._late_at = now + settings.SLOWEST_REQUEST
            elif now >= self._late_at:
                self.give_up()

    @property
    def is_owed(self) -> bool:
        """Whether the client has yet to send something, and nobody but us waits for it."""
        if self.cycle is None:
            return True
        if not self.cycle.response_complete:
            return False
        # The rest of a request that was answered before it was whole; or line breaks between two requests, which
        # belong to neither and keep uvicorn from closing a quiet connection.
        return self._is_in_request or self.timeout_keep_alive_task is None

    def give_up(self) -> None:
        if self._is_in_head:
            self.refuse(408, LATE)
        else:
            self.transport.close()

    def refuse(self, status: int, sentence: str) -> None:
        """Answer, and throw away what still comes: to close at once might reset the connection, and the answer."""
        note(status, sentence)
        if self.owes_an_answer:
            self.transport.abort()  # another request's answer is still to come
            return
        self.transport.write(response(status, sentence))
        self.transport.write_eof()
        self._is_refused = True
        self._late_at = self.loop.time() + LINGERS

    # --- What is not read ---

    def resume_writing(self) -> None:
        self._has_taken = True
        super().resume_writing()

    def is_unread(self, now: float) -> bool:
        untaken = self.transport.get_write_buffer_size()
        if not untaken or untaken < self._untaken or self._has_taken:
            self._took_at = now
        self._untaken, self._has_taken = untaken, False
        return now >= self._took_at + SLOWEST_READER


def note(status: int, sentence: str) -> None:
    # Both read settings, and a module of settings may want to know what is here.
    from sessions_app.exceptions import Refused
    from sessions_app.refusals import refusals

    refusals.note(Refused(sentence, status=status))


def response(status: int, sentence: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(sentence)}",
        "cache-control: no-store",
        *(["retry-after: 1"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        "connection: close",
        "",
        sentence,
    ]
    return "\r\n".join(lines).encode("ascii")


@cache
def most_connections() -> int:
    """As many as this process may open files, at most."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, files - OTHER_FILES))


def allow_many_files() -> None:
    """As many as we have use for, if the system lets us. Many a system starts a process with only 1 024."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 2 * OTHER_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
