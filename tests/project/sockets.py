"""A server of WebSockets as ours is configured, and an application whose every path does one thing."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.conf import settings
from uvicorn.protocols.utils import ClientDisconnected

from project.server import Server, uvicorn_config
from project.wire.sockets import GuardedSocket
from sessions_app.transport.response import hang_up, send_last
from tests.frames import RawSocket
from tests.process import until

BIG = "a" * 2**20
"""What `pour` sends again and again: more than the kernel keeps for a client that does not read."""


class Application:
    """ASGI. A path is the method's name."""

    def __init__(self) -> None:
        self.is_called, self.may_go_on, self.is_stopping = (threading.Event() for _ in range(3))
        self.ends: list[Any] = []
        """Of each call the message, or the error, that was its last."""
        self.then: Callable[[], None] = lambda: None
        """What happens as soon as `reply` has answered, and before `begin` does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            assert (await receive())["type"] == "websocket.connect"
        self.is_called.set()
        try:
            self.ends.append(await getattr(self, scope["path"].strip("/"))(receive, send))
        except ClientDisconnected as error:
            self.ends.append(error)
            raise

    async def echo(self, receive: Any, send: Any) -> Any:
        await send({"type": "websocket.accept", "subprotocol": None})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        return message

    async def hesitate(self, receive: Any, send: Any) -> Any:
        await until_set(self.may_go_on)
        return await self.echo(receive, send)

    async def work(self, receive: Any, send: Any) -> Any:
        """Accept, and read nothing for a time."""
        await send({"type": "websocket.accept"})
        await until_set(self.may_go_on)
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        return message

    async def pour(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": BIG})

    async def close(self, receive: Any, send: Any) -> Any:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4403, "reason": "ended"})
        return await receive()

    async def fail(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise LookupError("not for the peer")

    async def leave(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def refuse(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"key")]})
        await send({"type": "websocket.http.response.body", "body": b"{}"})

    async def stop(self, receive: Any, send: Any) -> None:
        """Told to stop, answer the call in flight, and then close: as the real application does."""
        await send({"type": "websocket.accept"})
        call = await receive()
        await until_set(self.is_stopping)
        await until_set(self.may_go_on)
        await send({"type": "websocket.send", "text": call["text"]})
        await send({"type": "websocket.close", "code": 1012})

    async def http(self, receive: Any, send: Any) -> Any:
        """A stream that ends when its client is gone."""
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    async def answer(self, receive: Any, send: Any) -> str:
        await until_set(self.may_go_on)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"done"})
        return "answered"

    async def begin(self, receive: Any, send: Any) -> None:
        """The head at once, and the body later."""
        self.then()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await until_set(self.may_go_on)
        await send({"type": "http.response.body", "body": b"done"})

    async def last(self, receive: Any, send: Any) -> None:
        """A stream that ends with something large."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.01)
        self.is_called.set()
        await send_last(send, BIG.encode() * 8)

    async def drop(self, receive: Any, send: Any) -> Any:
        """A client that is sent more than it reads."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BIG.encode() * 8, "more_body": True})
        hang_up(send)
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    async def reply(self, receive: Any, send: Any) -> None:
        """Over HTTP, whatever else the client may have to say."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        self.then()

    async def page(self, receive: Any, send: Any) -> None:
        """A large one, over HTTP, that is written at once."""
        body = BIG.encode() * 8
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
        )
        await send({"type": "http.response.body", "body": body})


async def until_set(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 (it is set in another thread)
        await asyncio.sleep(0.005)


class Errors(logging.Handler):
    """What is logged as an error, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class SocketServer:
    """In a thread of this process."""

    def __init__(self, **changes: Any) -> None:
        self.application, self.errors = Application(), Errors()
        config = uvicorn_config(settings.CONFIG)
        own = {"app": self.application, "lifespan": "off", "host": "127.0.0.1", "port": 0}
        for name, value in (own | changes).items():
            setattr(config, name, value)
        self.server = Server(config, beat=lambda: None)
        self.thread = threading.Thread(target=self.server.run)

    @property
    def port(self) -> int:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> list[GuardedSocket]:
        return [socket for socket in self.server.server_state.connections if isinstance(socket, GuardedSocket)]

    def open(self, path: str = "/echo", **kwargs: Any) -> RawSocket:
        return RawSocket(self.port, path, **kwargs)

    def wait_until_nobody_is_connected(self) -> None:
        until(lambda: not self.server.server_state.connections, seconds=5)

    def last_end(self) -> Any:
        """How the application's last call ended."""
        until(lambda: bool(self.application.ends), seconds=5)
        return self.application.ends[-1]

    def begin_anew(self) -> list[str]:
        """For the next test. What was logged as an error in the last one."""
        self.application.may_go_on.set()
        self.wait_until_nobody_is_connected()
        self.application.may_go_on.clear()
        self.application.is_called.clear()
        self.application.ends.clear()
        self.application.then = lambda: None
        lines, self.errors.lines = self.errors.lines, []
        return lines

    def tell_to_stop(self) -> None:
        self.server._told_at = time.monotonic()
        self.server.should_exit = True


@contextmanager
def serving(**changes: Any) -> Iterator[SocketServer]:
    """`changes` of uvicorn's configuration."""
    sockets = SocketServer(**changes)
    root = logging.getLogger()
    root.addHandler(sockets.errors)
    with patch("project.asgi.end_streams", sockets.application.is_stopping.set):
        sockets.thread.start()
        try:
            until(lambda: sockets.server.started)
            yield sockets
        finally:
            sockets.application.may_go_on.set()
            sockets.tell_to_stop()
            sockets.thread.join()
            root.removeHandler(sockets.errors)
