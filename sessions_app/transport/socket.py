"""One client's socket: messages in, in their order; each request a task of its own; replies as they come."""

import asyncio
from functools import partial
from itertools import count

from django.db import Error as DatabaseFailure

from sessions_app.admission import Admitted, admit
from sessions_app.callers import Presented
from sessions_app.exceptions import Refused
from sessions_app.models import Session
from sessions_app.request_ids import request_id
from sessions_app.state import state

from . import handshake, presence
from .closing import BROKEN, HEEDLESS, STOPPING, Close, Closing, closing_for
from .durable import ALL_200, commit_reply
from .ends import ends
from .envelope import read_client
from .era import Era, exchange_for, ready
from .exchange import STOPPED, Exchange
from .guard import SUBPROTOCOL
from .inbox import Ended, Inbox
from .jsonrpc import Message, Reply, parse
from .kernel import HostedServer, reply
from .places import stopping
from .refusal import body_of, note, unavailable
from .request import Request
from .response import Headers, Receive, Scope, Send
from .rules import Rules, Uncounted, operation_of
from .socket_carrier import SocketCarrier
from .sockets import sockets
from .spans import of_socket
from .standing import Standing
from .work import Work

MOST_REFUSED = 500
"""Messages in a row that were refused. Who goes on all the same does not listen."""
PAUSE, LONGEST_PAUSE = 0.002, 0.02
"""Seconds for each of them before the next is read, and at most: refusing costs others' time, too."""


class Socket:
    """A WebSocket whose caller was let in. `serve` returns when it is closed, whoever did that."""

    def __init__(
        self, server: HostedServer, caller: Presented, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> None:
        self._server = server
        self._caller = caller
        self._scope = scope
        self._headers = headers
        self._inbox = Inbox(receive)
        self._carrier = SocketCarrier(send)
        self._era = Era()
        self._session: Session | None = None
        self._standing = Standing(self._carrier, lambda refusal: self._end(closing_for(refusal) or BROKEN))
        self._work = Work(lambda: self._end(BROKEN))
        self._closing = Closing(self._carrier)
        self._is_leaving = False
        self._refused = 0
        self._id = request_id.get()
        """That of the handshake; each message's begins with it."""
        self._numbers = count(1)

    async def serve(self) -> None:
        try:
            await self._carrier.accept(SUBPROTOCOL)
            with sockets.holding(self):
                await self._read()
        except Ended as ended:
            if ended.close is None:
                self._carrier.lose()
            else:
                self._end(ended.close)
        except Exception:
            self._end(BROKEN)
            raise
        finally:
            await self._put_away()

    def leave(self) -> None:
        self._is_leaving = True
        if not self._work.is_answering:
            self._end(STOPPING)

    # --- Reading ---

    async def _read(self) -> None:
        while not self._closing.has_begun:
            body = await self._inbox.message()
            naming = request_id.set(f"{self._id}.{next(self._numbers)}")
            try:
                await self._take(body)
            finally:
                request_id.reset(naming)
            await self._work.room()
            if self._refused:
                await asyncio.sleep(min(self._refused * PAUSE, LONGEST_PAUSE))

    async def _take(self, body: bytes) -> None:
        message = None
        try:
            message = parse(body)
            await self._take_message(message)
        except Refused as refusal:
            await self._refuse(refusal, message)
        except DatabaseFailure as failure:
            await self._refuse(unavailable(failure, "The database did not open a session"), message)

    async def _take_message(self, message: Message | Reply) -> None:
        if isinstance(message, Message) and message.id is not None:
            await self._take_request(message)
            return
        if self._session is None:
            raise Refused("There is no session yet that this could be about.")
        self._work.begin(self._take_other(self._session, message))

    async def _take_request(self, message: Message) -> None:
        if self._is_leaving:
            raise stopping()
        if self._work.is_answering_to(message.request_id):
            raise Refused("A request of that id is still running.")
        self._era.check(message)
        if message.method == "initialize":
            with of_socket(message, self._headers):
                await self._shake_hands(message)
            return
        session = self._session or await self._open(message)
        if not self._closing.has_begun:  # while its session was opened
            self._work.begin(self._serve(session, message))

    # --- Its session ---

    async def _shake_hands(self, message: Message) -> None:
        if self._session is not None:
            raise Refused("This connection has shaken hands before.")
        admitted = await admit(self._caller, Rules(self._server, message), operation_of(message, ""))
        try:
            request = self._request(admitted, message)
            body, session = await handshake.negotiate(self._server, request, message)
            if session is not None:
                self._begin(request, session)
            await self._carrier.tell(body)
        finally:
            state.finish(admitted.ticket)

    async def _open(self, message: Message) -> Session:
        if not self._era.is_stateless:
            raise Refused("Send `initialize` first; or the envelope of 2026-07-28 in params._meta.")
        client = read_client(message, None)
        request = self._request(await admit(self._caller, Uncounted(), None), message)
        return self._begin(request, await presence.opened(request, client))

    def _begin(self, request: Request[SocketCarrier], session: Session) -> Session:
        self._session = session
        self._inbox.may_be_silent = True
        self._standing.begin(self._server, request, session)
        return session

    # --- One request ---

    async def _serve(self, session: Session, message: Message) -> None:
        exchange = exchange_for(session, self._carrier, message)
        with of_socket(message, self._headers), self._work.exchange(exchange):
            work = self._answer(session, exchange, message)
            await exchange.serve(work, partial(body_of, message=message))
        if self._is_leaving:
            self.leave()

    async def _answer(self, session: Session, exchange: Exchange, message: Message) -> None:
        try:
            operation = operation_of(message, session.public_id)
            admitted = await admit(self._caller, Rules(self._server, message), operation)
            try:
                self._refused = 0
                request = self._request(admitted, message)
                now = await presence.session_by_id(session.public_id, request)
                call, connect = ready(request, now, exchange, message)
                with ends.call(call):
                    await reply(self._server, call, message, connect, ALL_200)
            finally:
                state.finish(admitted.ticket)
        except Refused as refusal:
            await self._refuse(refusal, message, exchange)
        except DatabaseFailure as failure:
            await self._refuse(unavailable(failure, "The database did not say who calls"), message, exchange)

    # --- What is no request ---

    async def _take_other(self, session: Session, message: Message | Reply) -> None:
        """Counted and refused as a request is, but never answered."""
        try:
            cancelled = self._work.cancelled_by(message)  # as it is now: its id may soon be another request's
            request = self._request(await admit(self._caller, Rules(self._server, message), None), message)
            now = await presence.session_by_id(session.public_id, request)
            if isinstance(message, Reply):
                await commit_reply(now, message)
            elif cancelled is not None:
                cancelled.cut()
        except Refused as refusal:
            await self._refuse(refusal, message)
        except DatabaseFailure as failure:
            unavailable(failure, "The database did not say who sent this")

    async def _refuse(
        self, refusal: Refused, message: Message | Reply | None, exchange: Exchange | None = None
    ) -> None:
        """Only who asked is answered; and nobody by a refusal of the whole socket, which says so by closing."""
        note(refusal, self._scope)
        self._refused += 1
        if (close := closing_for(refusal)) is not None:
            self._end(close)
        elif self._refused > MOST_REFUSED:
            self._end(HEEDLESS)
        elif exchange is not None:
            await exchange.reply(body_of(refusal, message), refusal.status, refusal.headers)
        elif message is None or (isinstance(message, Message) and message.id is not None):
            await self._carrier.tell(body_of(refusal, message))

    # --- Its end ---

    def _end(self, close: Close) -> None:
        """What runs is cut: nobody may have its reply, or nobody is there to read it."""
        self._closing.begin(close)
        self._work.cut()

    async def _put_away(self) -> None:
        """The client has left, or was told to, or the server would not wait for it any longer."""
        try:
            self._work.cut(STOPPED)
            await self._work.done()
            self._closing.begin(STOPPING)
            await self._closing.done()
        finally:
            self._standing.close()
            if self._session is not None:
                sockets.end_session(self._session, self._closing.why)

    def _request(self, admitted: Admitted, message: Message | Reply) -> Request[SocketCarrier]:
        return Request(self._scope, self._carrier, self._headers, admitted, message)
