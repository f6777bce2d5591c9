"""What an answer is written to: its head leaves together with what follows it.

uvicorn writes them apart, which is two system calls and two packets, and wakes a client for a head that it can do
nothing with.
"""

import asyncio


class AnswerTransport:
    """As much of a transport as is used for the answer to one request. It holds what comes first, the head, until
    the first of the body is written, but not past the event loop's next turn: a stream's head goes out though
    nothing follows.
    """

    __slots__ = ("_has_begun", "_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._has_begun = False

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif self._has_begun:
            self._transport.write(data)
        else:
            self._has_begun = True
            self._held = data
            self._loop.call_soon(self.let_go)

    def let_go(self) -> None:
        """Write what is held."""
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)

    def forget(self) -> None:
        """What is held: nobody will read it."""
        self._held = b""

    def close(self) -> None:
        self.let_go()
        self._transport.close()

    def abort(self) -> None:
        self.forget()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
