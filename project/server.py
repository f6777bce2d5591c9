"""One process that serves: uvicorn, which goes so that no call is lost."""

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType

import uvicorn
from django.conf import settings

from .config import Config
from .health import draining
from .heap import look_after_heap
from .wire.connection import GuardedConnection, allow_many_files
from .wire.sockets import CLOSE, GuardedSocket

SAME_STOP = 1.0
"""Seconds in which more signals are the same wish: systemd tells a whole group, `make` and parents pass it on."""
LAST_REQUESTS = 0.2
"""Seconds between closing the listener and closing idle connections: what was sent meanwhile is answered."""
LAST_STEPS = 1.0
"""Seconds that remain when the time for calls is over."""
IDLE = 75
"""Seconds that a quiet connection is kept. Longer than proxies keep theirs (60 is usual): whoever closes first
may close on a request that is on its way, so it should be the one who sends the requests."""
LARGEST_MESSAGE = 256 * 1024
"""Bytes of one on a WebSocket."""
SILENCE = 20
"""Seconds after which a WebSocket's peer is asked whether it is there, and that it then has to answer."""


class Server(uvicorn.Server):
    """Told to stop, it says so, ends streams, answers what was sent, and then ends.

    SIGTERM gives notice first: /readyz answers 503 while connections are still accepted. SIGINT does not, as
    nobody is to be told: a terminal's owner, or a worker whose siblings go on. A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, beat: Callable[[], None]) -> None:
        super().__init__(config)
        self._beat = beat
        self._told_at = 0.0
        self._gives_notice = False
        self._looked_at: tuple[object, ...] = ()
        """This second's connections."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.should_exit:
            self._told_at = now
            if sig == signal.SIGTERM:
                self._gives_notice = True
                draining.set()
            end_within(settings.STOP_GRACE + LAST_STEPS)
            super().handle_exit(sig, frame)
        elif now > self._told_at + SAME_STOP:
            self.force_exit = True
            end_within(LAST_STEPS)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second. True: stop accepting, and go."""
        is_told = await super().on_tick(counter)
        if counter % 10 == 0:
            self._beat()
        self.look_at_connections(counter)
        if not is_told:
            return False
        self.take_leave()
        notice = settings.CONFIG.stop_notice if self._gives_notice else 0
        return self.force_exit or time.monotonic() >= self._told_at + notice

    def look_at_connections(self, counter: int) -> None:
        """A tenth of them each time: thousands at once would keep calls waiting.

        Each once a second, however many come and go meanwhile.
        """
        now = asyncio.get_running_loop().time()
        if counter % 10 == 0:
            self._looked_at = tuple(self.server_state.connections)
        for connection in self._looked_at[counter % 10 :: 10]:
            if isinstance(connection, GuardedConnection):  # sockets look after themselves
                connection.look(now)

    def take_leave(self) -> None:
        """Send everybody elsewhere: who subscribed, and with each answer the client that gets it.

        Called every tick, because uvicorn sets its default headers anew every second.
        """
        from . import asgi

        asgi.end_streams()
        if CLOSE not in self.server_state.default_headers:
            self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        for connection in self.server_state.connections:
            if (cycle := getattr(connection, "cycle", None)) is not None:
                cycle.keep_alive = False  # its default headers are those of when it began

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.take_leave()
        await self.close_listeners(sockets or [])
        if not self.force_exit:
            await asyncio.sleep(LAST_REQUESTS)
            await self.read_what_arrived()
        remaining = self._told_at + settings.STOP_GRACE - time.monotonic()
        self.config.timeout_graceful_shutdown = max(0.0, remaining)  # type: ignore[assignment]  # fractions do too
        await super().shutdown(sockets)

    async def close_listeners(self, sockets: list[socket.socket]) -> None:
        """Accept nobody more, but serve who is connected: the kernel would reset those who wait in its queue."""
        queues = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        waiting = [connection for queue in queues for connection in waiting_in(queue)]
        for connection in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self.new_protocol, connection)

    async def read_what_arrived(self) -> None:
        """Idle connections are closed next, and a request that waits in the kernel then would be lost."""
        deadline = time.monotonic() + LAST_REQUESTS
        while has_unread(self.idle_connections()) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the event loop reads it; its answer then says that the connection closes

    def idle_connections(self) -> Iterator[asyncio.Transport]:
        for connection in self.server_state.connections:
            cycle = getattr(connection, "cycle", ...)  # a WebSocket has none
            if cycle is None or (cycle is not ... and cycle.response_complete):
                yield connection.transport

    def new_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def waiting_in(queue: socket.socket) -> Iterator[socket.socket]:
    """Connections that nobody has accepted. Closes `queue` the moment that there are none."""
    with queue, suppress(BlockingIOError):
        queue.setblocking(False)
        while True:
            yield queue.accept()[0]


def has_unread(connections: Iterable[asyncio.Transport]) -> bool:
    poll = select.poll()
    for connection in connections:
        if not connection.is_closing():
            poll.register(connection.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def end_within(seconds: float) -> None:
    """Whatever a thread or the event loop is stuck in later: SIGALRM is the kernel's to carry out.

    Only who has Python's lock gets as far as to ask for it, so a worker's parent keeps a clock of its own.
    """
    if os.getpid() == 1:  # in a container: the kernel spares the first process what it has no handler for
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def serve(listener: socket.socket, beat: Callable[[], None] = lambda: None) -> None:
    """Serve on `listener` until told to stop."""
    allow_many_files()
    look_after_heap()
    try:
        with suppress(KeyboardInterrupt):  # Ctrl-C is an ordinary end; uvicorn raises it again when it is done
            Server(uvicorn_config(settings.CONFIG), beat).run(sockets=[listener])
    finally:
        end_within(LAST_STEPS)  # the interpreter waits for every thread, and one may be stuck in a tool


def uvicorn_config(config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        "project.asgi:application",
        loop="uvloop",
        http=GuardedConnection,
        lifespan="on",
        # One line a request would be the slowest part of it; the record has every call.
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=IDLE,
        ws=GuardedSocket,
        ws_max_size=LARGEST_MESSAGE,
        # A few bytes would inflate to a whole message, and each socket would hold memory for it.
        ws_per_message_deflate=False,
        ws_ping_interval=SILENCE,
        ws_ping_timeout=SILENCE,
        # Only what trusted proxies say of a client's address counts. uvicorn trusts loopback unless told.
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in config.trusted_proxies],
    )
