"""Reading what a server answers, as strictly as RFC 9112 (HTTP) and RFC 6455 (WebSocket) are written."""

import asyncio
import json
import re
from dataclasses import dataclass, field

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*")
SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
BODILESS = (204, 304)
SWITCHED = 101
STREAM = "text/event-stream"
CLOSE_CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1012, 1013, *range(3000, 5000)}
"""What a server may close with, and no failure of its own: 1011 is one."""
CONTROLS = (8, 9, 10)


class Malformed(Exception):
    """What came is no answer of HTTP, or no frame."""


class Silent(Exception):
    """The connection ended before an answer began."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_last(self) -> bool:
        return self.headers.get("connection", "").lower() == "close" or self.status == SWITCHED

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith(STREAM)

    def check(self) -> None:
        """JSON is JSON. Raises: Malformed."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        if self.body and (kind == "application/json" or kind.endswith("+json")):
            try:
                json.loads(self.body)
            except ValueError:
                raise Malformed(f"{kind} that is none: {self.body[:200]!r}") from None


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True, stream_for: float = 0.05) -> Answer:
    """The next one that is no interim answer; of an event stream what comes in so many seconds.

    Raises: Malformed, Silent.
    """
    while True:
        answer = await read_head(reader)
        if answer.status >= 200 or answer.status == SWITCHED:
            break
    if not has_body or answer.status in BODILESS or answer.status == SWITCHED:
        return answer
    if answer.is_stream:
        try:
            async with asyncio.timeout(stream_for):
                await read_body(reader, answer)
        except TimeoutError:
            answer.headers["connection"] = "close"  # nobody reads on
    else:
        await read_body(reader, answer)
    answer.check()
    return answer


async def read_head(reader: asyncio.StreamReader) -> Answer:
    line = await read_line(reader, is_first=True)
    if (matched := STATUS_LINE.fullmatch(line)) is None:
        raise Malformed(f"a status line: {line[:200]!r}")
    answer = Answer(int(matched[1]))
    while line := await read_line(reader):
        if (matched := FIELD.fullmatch(line)) is None:
            raise Malformed(f"a header: {line[:200]!r}")
        name, value = matched[1].decode().lower(), matched[2].decode("latin-1")
        if name in answer.headers and name in ("content-length", "transfer-encoding", "content-type"):
            raise Malformed(f"{name} twice")
        answer.headers[name] = value
    if "content-length" in answer.headers and "transfer-encoding" in answer.headers:
        raise Malformed("a length and an encoding")
    return answer


async def read_line(reader: asyncio.StreamReader, *, is_first: bool = False) -> bytes:
    try:
        line = await reader.readuntil(b"\r\n")
    except asyncio.IncompleteReadError as ended:
        if is_first and not ended.partial:
            raise Silent from None
        raise Malformed(f"ends in a line: {ended.partial[:200]!r}") from None
    except asyncio.LimitOverrunError:
        raise Malformed("a line without an end") from None
    except ConnectionError:
        if is_first:
            raise Silent from None
        raise Malformed("reset in a head") from None
    return line[:-2]


async def read_body(reader: asyncio.StreamReader, answer: Answer) -> None:
    try:
        if "content-length" in answer.headers:
            answer.body = await reader.readexactly(int(answer.headers["content-length"]))
        elif answer.headers.get("transfer-encoding") == "chunked":
            while size := await chunk_size(reader):
                answer.body += await reader.readexactly(size)
                if await reader.readexactly(2) != b"\r\n":
                    raise Malformed("a chunk is longer than it says")
            await read_line(reader)
        else:
            answer.body = await reader.read(-1)
            answer.headers["connection"] = "close"
    except asyncio.IncompleteReadError:
        raise Malformed("a body is shorter than it says") from None
    except ConnectionError:
        raise Malformed("reset in a body") from None


async def chunk_size(reader: asyncio.StreamReader) -> int:
    line = await read_line(reader)
    if SIZE.fullmatch(line) is None:
        raise Malformed(f"a chunk's size: {line[:200]!r}")
    return int(line, 16)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A server's: opcode and payload. Raises: Malformed, Silent."""
    try:
        first, second = await reader.readexactly(2)
        if second & 0x80 or first & 0x70:
            raise Malformed(f"a frame: {first:#x} {second:#x}")
        length = second
        if second >= 126:
            length = int.from_bytes(await reader.readexactly(2 if second == 126 else 8))
        opcode = first & 0x0F
        if opcode in CONTROLS and (length > 125 or not first & 0x80):
            raise Malformed(f"a control frame: {first:#x} {second:#x}")
        return opcode, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        raise Silent from None
