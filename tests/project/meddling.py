"""A proxy that does what proxies should, until a test has it do something else."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FROM = "127.0.0.2"
"""Where its requests come from, which is not where those of clients come from."""


def unchanged(head: bytes) -> bytes:
    return head


class Proxy:
    """One request a connection, so that it sees each. `head` and `answer` change the first lines of both."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.head: Callable[[bytes], bytes] = unchanged
        self.answer: Callable[[bytes], bytes] = unchanged
        self.says: dict[bytes, bytes] = {}
        """What it answers by itself to requests that have this in their first lines."""
        self.keeps_back = False
        self.adds_address = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await self.pass_on(reader, writer)
        writer.close()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        for mark, response in self.says.items():
            if mark in head:
                writer.write(response)
                await writer.drain()
                return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.target, local_addr=(FROM, 0))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            return
        upstream[1].write(self.head(self.own(head, writer)))
        is_stream = head.startswith(b"GET /mcp")
        sending = asyncio.create_task(pump(reader, upstream[1]))
        try:
            writer.write(self.answer(await upstream[0].readuntil(b"\r\n\r\n")))
            await pump(upstream[0], writer, is_kept_back=self.keeps_back and is_stream)
        finally:
            sending.cancel()
            upstream[1].close()

    def own(self, head: bytes, writer: asyncio.StreamWriter) -> bytes:
        """What any good one does."""
        if b"upgrade: websocket" not in head.lower():
            head = re.sub(rb"(?i)connection: [^\r]+", b"Connection: close", head)
        if self.adds_address:
            client = writer.get_extra_info("peername")[0].encode()
            said = re.search(rb"(?i)x-forwarded-for: ([^\r]+)\r\n", head)
            line = b"X-Forwarded-For: " + (said[1] + b", " if said else b"") + client
            head = re.sub(rb"(?i)x-forwarded-for: [^\r]+\r\n", b"", head)
            head = with_line(head, line)
        return head


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_kept_back: bool = False) -> None:
    while data := await (reader.read() if is_kept_back else reader.read(65536)):
        writer.write(data)
        await writer.drain()


def with_line(head: bytes, line: bytes) -> bytes:
    return head[:-2] + line + b"\r\n\r\n"


def without(name: bytes) -> Callable[[bytes], bytes]:
    return lambda head: re.sub(rb"(?i)\r\n" + name + rb": [^\r]*", b"", head)


def saying(name: bytes, value: bytes) -> Callable[[bytes], bytes]:
    return lambda head: re.sub(rb"(?i)\r\n" + name + rb": [^\r]*", b"\r\n" + name + b": " + value, head)


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """On a thread of its own."""
    proxy = Proxy(port)
    with on_a_thread(proxy.serve) as proxy.port:
        yield proxy


@contextmanager
def on_a_thread(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], **options: object
) -> Iterator[int]:
    """The port of an asyncio server."""
    loop = asyncio.new_event_loop()
    begin = asyncio.start_server(serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    server = loop.run_until_complete(begin)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(ended(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def ended(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
