"""An HTTP connection on which requests come before those ahead of them are answered (RFC 9112, section 9.3.2).

uvicorn reads ahead, and keeps in mind only the last request that it read. Whoever leaves meanwhile would be
written to all the same, which is an error in the log; and what is none, behind a request, would be answered first.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answer import AnswerTransport


class PipelinedConnection(HttpToolsProtocol):
    """Knows which of the requests is being answered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answering: Any = None
        """Its cycle; it stays after the answer, until the next request's."""

    @property
    def owes_an_answer(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        cycle.transport = AnswerTransport(self.transport, self.loop)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self._answering.transport.let_go()  # an answer without a body; from here on others may write
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pipeline.clear()
        self.nobody_reads()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP. Between a request and its answer, or in the middle of one, nothing can be said."""
        if self.owes_an_answer and not self.is_still_read:
            self.transport.abort()
        else:
            self.nobody_reads()
            super().send_400_response(msg)

    @property
    def is_still_read(self) -> bool:
        """Whether the request that is to be answered is not whole yet, and nothing was said to it."""
        cycle = self._answering
        return cycle is self.cycle and cycle.more_body and not cycle.response_started

    def nobody_reads(self) -> None:
        """Whatever is answered from now on; and the application learns of it."""
        if self.owes_an_answer:
            self._answering.transport.forget()
            self._answering.disconnected = True
            self._answering.message_event.set()
