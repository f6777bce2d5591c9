"""How a socket reads: no more at once than others can wait for, and nothing more from who breaks a rule."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from .handshake import Discreet

SLICE = 4096
"""Bytes that are parsed at once: some 700 of the smallest frames, 3 ms."""
MOST_FRAGMENTS = 256
"""Of one message. Clients that split one send 4 KiB or more at a time, so the largest has some 65 of theirs."""
MOST_CONTROLS = 30
CONTROLS_A_SECOND = 10
"""Pings and pongs: so many at once, and then so many a second."""
MOST_UNREAD_PONGS = 16 * 1024
"""Bytes of answers to a peer that pings on while it does not read."""
LINGERS = 2.0
"""Seconds for a peer to read why it is not listened to. To close while it still sends would reset the connection,
and the reason might be lost with it."""
INVALID_DATA, POLICY_VIOLATION = 1007, 1008


class ReadingSocket(WebSocketsSansIOProtocol):
    """uvicorn's socket with caps on what arrives, counted while it does.

    While the application is busy (`read_paused`) nothing is read, and what was read already is not parsed.
    """

    conn: Discreet

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = Discreet(self.config.ws_max_size)
        self.heard_at = self.loop.time()
        self._unparsed = bytearray()
        self._controls_left = float(MOST_CONTROLS)
        self._controls_at = self.heard_at
        self._unread_pongs = 0

    # --- What arrives ---

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        if not self.handshake_initiated:
            self.read_handshake(data)
        elif len(data) <= SLICE and not self._unparsed:
            self.parse(data)
        elif not self.disconnected:
            self._unparsed += data
            self.transport.pause_reading()
            self.parse_slice()

    def read_handshake(self, data: bytes) -> None:
        """All of it: uvicorn has read it before, and hands it on in one piece."""
        self.conn.receive_data(data)
        self.handle_events()
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.answer(b"".join(self.conn.data_to_send()) or self.conn.reject(400, "").serialize())

    def answer(self, response: bytes) -> None:
        """HTTP instead of a socket."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.transport.write(response)
        self.handshake_complete = self.close_sent = self.disconnected = True
        self.transport.close()
        self.drop_within(self.close_timeout)

    def parse_slice(self) -> None:
        """Up to a frame's end. What is left gets a turn of its own, or waits for `receive`."""
        is_enough = False
        while self._unparsed and not is_enough:
            piece = bytes(self._unparsed[:SLICE])
            del self._unparsed[:SLICE]
            is_enough = self.transport.is_closing() or self.parse(piece)
        if not self.read_paused:
            self.read_on()

    def parse(self, data: bytes) -> bool:
        """Whether a frame ended in it."""
        self.conn.receive_data(data)
        has_events = bool(self.conn.events)
        self.handle_events()
        if self.conn.parser_exc is not None and not self.disconnected:
            self.handle_parser_exception()
        return has_events

    def read_on(self) -> None:
        self.read_paused = False
        if self._unparsed:
            self.loop.call_soon(self.parse_slice)
        else:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty() and self.handshake_complete:
            self.read_on()
        return message

    # --- Frames ---

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) >= MOST_FRAGMENTS:  # of a message that has not ended yet
            self.leave(POLICY_VIOLATION, f"a message has at most {MOST_FRAGMENTS} fragments")

    def send_receive_event_to_app(self) -> None:
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        try:
            self.queue.put_nowait(self.message_of(data))
        except UnicodeDecodeError:
            self.leave(INVALID_DATA, "a text message is UTF-8")
        else:
            self.read_paused = True
            self.transport.pause_reading()

    def message_of(self, data: bytes) -> Any:
        if self.curr_msg_data_type == "bytes":
            return {"type": "websocket.receive", "bytes": data}
        return {"type": "websocket.receive", "text": data.decode()}

    def handle_ping(self) -> None:
        self.count_control()
        if self.disconnected:
            return
        pongs = b"".join(self.conn.data_to_send())
        self.transport.write(pongs)
        if not self.writable.is_set():
            self._unread_pongs += len(pongs)
            if self._unread_pongs > MOST_UNREAD_PONGS:
                self.transport.abort()

    def handle_pong(self, event: Frame) -> None:
        self.count_control()

    def count_control(self) -> None:
        earned = (self.heard_at - self._controls_at) * CONTROLS_A_SECOND
        self._controls_left = min(self._controls_left + earned, MOST_CONTROLS) - 1
        self._controls_at = self.heard_at
        if self._controls_left < 0:
            self.leave(POLICY_VIOLATION, "too many pings and pongs")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_pongs = 0

    # --- The end of listening ---

    def leave(self, code: int, reason: str = "") -> None:
        """Close without waiting for the peer's answer."""
        if not self.disconnected:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """`conn` has failed the connection: say so, and throw away what still comes."""
        close = self.conn.close_sent
        assert close is not None  # noqa: S101 (no frame is parsed before the handshake is over)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = self.disconnected = True
        self.writable.set()  # who waits to send more learns that nobody is there
        self._unparsed.clear()
        self.read_on()
        self.drop_within(LINGERS)

    def drop_within(self, seconds: float) -> None:
        """Whatever the peer does; `transport.close()` alone would wait until it has read all that it was sent."""
        at = self.loop.time() + seconds
        if self.close_timer is not None:
            self.close_timer.cancel()
            at = min(at, self.close_timer.when())
        if self in self.connections:
            self.close_timer = self.loop.call_at(at, self.transport.abort)
