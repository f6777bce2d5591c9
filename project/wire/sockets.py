"""The server's side of a WebSocket: uvicorn's, made safe against peers that flood, do not read, or are gone.

project/wire/handshake.py  what a client is told that does not open one properly
project/wire/reading.py    how it is read, and what is counted
project/wire/pulse.py      whether the peer is still there
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame
from websockets.http11 import Request

from .pulse import Pulse
from .reading import LINGERS, ReadingSocket

CLOSES_WITHIN = 10.0
"""Seconds for a peer to answer a close frame, and to take what was sent before it."""
CLOSE = (b"connection", b"close")
"""Among uvicorn's default headers once the server is told to stop (project/server.py)."""
STOPS = "The server is stopping.\n"
NORMAL, INTERNAL_ERROR, SERVICE_RESTART = 1000, 1011, 1012


class GuardedSocket(ReadingSocket):
    """From the handshake to the end, which the peer, the application or the server may want."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSES_WITHIN
        self._http: Any = None
        """uvicorn's side of the connection before the handshake, as long as it matters."""
        self._pulse = self.new_pulse()

    # --- The handshake ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._http = self.transport.get_protocol()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._http is not None:
            self._http.connection_lost(exc)  # it may still be answering, and nobody else would tell it

    def handle_connect(self, event: Request) -> None:
        cycle, version = self._http.cycle, self._http.scope["http_version"]
        if cycle is not None and not cycle.response_complete:
            self.transport.abort()  # HTTP's answer is still to come, and would come among frames
            return
        self._http = None
        if CLOSE in self.default_headers:
            self.refuse(503, STOPS)
        elif version != "1.1":
            self.refuse(400, "A WebSocket is opened over HTTP/1.1.\n")
        else:
            super().handle_connect(event)
            self.wait_for_application()

    def wait_for_application(self) -> None:
        """Frames are read when it has accepted: their answers must not come before that to the handshake."""
        self.read_paused = True
        self.transport.pause_reading()
        if self.close_sent:  # malformed, so nobody is asked
            self.drop_within(self.close_timeout)

    def refuse(self, status: int, sentence: str) -> None:
        response = self.conn.reject(status, sentence)
        if status == 503:
            response.headers["Retry-After"] = "1"
        self.answer(response.serialize())

    # --- Whether the peer is still there ---

    def start_keepalive(self) -> None:
        """The handshake is over."""
        self.read_on()
        self._pulse = self.new_pulse()
        self.look()

    def new_pulse(self) -> Pulse:
        interval, timeout = self.config.ws_ping_interval, self.config.ws_ping_timeout
        return Pulse(cast(float, interval), cast(float, timeout), self.loop.time())  # server.py sets both

    def look(self) -> None:
        if self.close_sent or self.transport.is_closing():
            self.drop_within(self.close_timeout)
            return
        now, pulse = self.loop.time(), self._pulse
        pulse.look(now, heard_at=now if self.read_paused else self.heard_at, untaken=self.untaken)
        if pulse.is_gone(now):
            self.leave(INTERNAL_ERROR, "no answer to a ping")
            return
        if pulse.is_due(now):
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.ping_timer = self.loop.call_at(pulse.next_at, self.look)

    @property
    def untaken(self) -> int:
        """Bytes that keep the application from sending more."""
        return 0 if self.writable.is_set() else self.transport.get_write_buffer_size()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._pulse.blocked(self.loop.time(), self.untaken)

    # --- The end ---

    async def run_asgi(self) -> None:
        code = NORMAL
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except asyncio.CancelledError:
            code = SERVICE_RESTART  # by uvicorn, when there is no time left
            raise
        except Exception:
            self.logger.exception("Exception in ASGI application\n")
            code = INTERNAL_ERROR
        finally:
            self.end(code)

    def end(self, code: int) -> None:
        """The application is done, whether it has closed the socket or not."""
        if not self.handshake_complete and not self.close_sent:
            if code == NORMAL:
                self.logger.error("The application ended without an answer to the handshake.")
            self.refuse(503 if code == SERVICE_RESTART else 500, "")
        elif not self.close_sent and not self.transport.is_closing():
            self.leave(code)
            if code == SERVICE_RESTART:  # the event loop is about to end, and nobody is to be left on it
                self.loop.call_soon(self.transport.abort)
        elif not self.disconnected:
            self.read_on()  # the peer's close frame may be behind messages that nobody will take
            self.drop_within(self.close_timeout)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self.drop_within(self.close_timeout)

    def eof_received(self) -> None:
        self.drop_within(self.close_timeout)

    def shutdown(self) -> None:
        """The server stops. uvicorn waits, and the application closes its sockets when they owe no answer."""
        self.close_timeout = LINGERS
        if not self.handshake_complete and self.initial_response is None:
            self.refuse(503, STOPS)
        elif self.close_sent:
            self.drop_within(LINGERS)
