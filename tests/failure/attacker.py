"""One of the clients of the fuzz: what it sends, and what it makes of the answer."""

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.frames import PING, frame, masked

from .answers import CLOSE_CODES, Malformed, Silent, read_answer, read_frame
from .chance import Chance
from .inputs.headers import headers
from .inputs.messages import message
from .inputs.pages import pages
from .inputs.raw import raw
from .inputs.rest import rest
from .inputs.sockets import Opening, frames, opening

if TYPE_CHECKING:
    from .fuzz import Fuzz

WEIGHTS = {"messages": 34, "headers": 20, "bytes": 15, "sockets": 16, "rest": 10, "pages": 5}
"""Of a hundred inputs."""
FRAMED = {"messages": message, "headers": headers, "rest": rest, "pages": pages}
"""What begins and ends where HTTP says, so that one connection serves many."""
ANSWERS_WITHIN = 30.0
"""Seconds. No tool that is called may take as long."""
SAYS_MORE_WITHIN = 0.4
"""Seconds in which whoever did not get a whole request has said what he has to say, if anything."""
INPUTS_OF_ONE_SOCKET = 20
CRASHES = (b"failed unexpectedly", b"Internal server error")
"""What is said of a failure of the server's own, which has no status over MCP."""


class Connection:
    """To whichever worker, from an address of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.is_new = True

    @classmethod
    async def to(cls, port: int, chance: Chance) -> "Connection":
        address = f"127.{chance.randrange(1, 9)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), limit=2**20))

    async def send(self, data: bytes) -> None:
        with suppress(ConnectionError):  # who is refused early may still be told why
            self.writer.write(data)
            await self.writer.drain()

    def close(self) -> None:
        self.writer.transport.abort()


class Attacker:
    """One of the clients, and what it has open."""

    def __init__(self, fuzz: "Fuzz") -> None:
        self._fuzz = fuzz
        self._http: Connection | None = None
        self._socket: Connection | None = None
        self._opening: Opening | None = None
        self._inputs_of_socket = 0

    async def send(self, number: int) -> None:
        chance = Chance(f"{self._fuzz.seed} {number}")
        (family,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if family == "sockets":
            await self._over_socket(chance)
        elif family == "bytes":
            data = raw(chance, self._fuzz.given)
            await self._checked(family, data, self._send_raw(family, data, chance))
        else:
            data = FRAMED[family](chance, self._fuzz.given)
            await self._checked(family, data, self._send_framed(family, data, chance))

    async def _checked(self, family: str, data: bytes, sending: Any) -> None:
        self._fuzz.recent.append((family, data))
        try:
            await sending
        except Malformed as wrong:
            self._fuzz.report(family, data, str(wrong))
            self.close()
        except TimeoutError:
            self._fuzz.report(family, data, f"no answer within {ANSWERS_WITHIN:.0f} s")
            self.close()

    async def _send_framed(self, family: str, data: bytes, chance: Chance) -> None:
        if self._http is None:
            self._http = await Connection.to(self._fuzz.port, chance)
        connection = self._http
        await connection.send(data)
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                answer = await read_answer(connection.reader, has_body=not data.startswith(b"HEAD "))
        except Silent:
            self._http = None
            connection.close()
            if not connection.is_new:  # closed by the server before it read this
                await self._send_framed(family, data, chance)
            else:
                self._fuzz.note(family, data, None)
            return
        connection.is_new = False
        self._fuzz.note(family, data, answer)
        if answer.is_last:
            connection.close()
            self._http = None

    async def _send_raw(self, family: str, data: bytes, chance: Chance) -> None:
        connection = await Connection.to(self._fuzz.port, chance)
        await connection.send(data)
        has_answer = False
        try:
            while True:
                async with asyncio.timeout(SAYS_MORE_WITHIN):
                    answer = await read_answer(connection.reader, has_body=b"HEAD " not in data)
                has_answer = True
                self._fuzz.note(family, data, answer)
                if answer.is_last or b"HEAD " in data:
                    break
        except (Silent, TimeoutError):
            if not has_answer:
                self._fuzz.note(family, data, None)
        finally:
            connection.close()

    async def _over_socket(self, chance: Chance) -> None:
        if self._socket is not None and self._inputs_of_socket >= INPUTS_OF_ONE_SOCKET:
            self._close_socket()
        if self._socket is None or self._opening is None:
            self._opening = opening(chance, self._fuzz.given, is_changed=chance.one_in(4))
            data = self._opening.data
            await self._checked("sockets", data, self._open_socket(data, chance))
        else:
            data = frames(chance, self._fuzz.given, self._opening.is_room)
            await self._checked("sockets", data, self._send_frames(self._socket, data))

    async def _open_socket(self, data: bytes, chance: Chance) -> None:
        connection = await Connection.to(self._fuzz.port, chance)
        await connection.send(data)
        patience = SAYS_MORE_WITHIN if self._opening is None or self._opening.is_changed else ANSWERS_WITHIN
        answer = None
        try:
            async with asyncio.timeout(patience):
                answer = await read_answer(connection.reader)
        except (Silent, TimeoutError):
            if patience == ANSWERS_WITHIN:
                raise TimeoutError from None
        self._fuzz.note("sockets", data, answer)
        if answer is None or answer.status != 101:
            connection.close()
            return
        self._socket, self._inputs_of_socket = connection, 0
        if self._opening is not None and self._opening.is_room:
            await connection.send(frame(1, b'{"do": "follow"}'))

    async def _send_frames(self, socket: Connection, data: bytes) -> None:
        """Until a ping behind it is answered, or the server closes, or waits for the rest of a frame."""
        self._inputs_of_socket += 1
        mark = str(self._inputs_of_socket).encode()
        await socket.send(data + frame(PING, mark))
        try:
            async with asyncio.timeout(SAYS_MORE_WITHIN):
                while True:
                    opcode, payload = await read_frame(socket.reader)
                    if opcode == 10 and payload == mark:
                        self._fuzz.toll.statuses["sockets pong"] += 1
                        return
                    if opcode == 8:
                        self._closed(data, payload)
                        break
                    if opcode == 1:
                        self._told(data, payload)
        except (Silent, TimeoutError):
            self._fuzz.toll.statuses["sockets 0"] += 1
        self._close_socket()

    def _closed(self, data: bytes, payload: bytes) -> None:
        code = int.from_bytes(payload[:2]) if payload else 1000
        self._fuzz.toll.statuses[f"sockets {code}"] += 1
        if code not in CLOSE_CODES and masked(payload[:2]) not in data:  # his own code is given back
            self._fuzz.report("sockets", data, f"closed with {code}")

    def _told(self, data: bytes, payload: bytes) -> None:
        try:
            told = json.loads(payload)
        except ValueError:
            raise Malformed(f"a message that is no JSON: {payload[:200]!r}") from None
        error = told.get("error") or {}
        if error.get("status", 0) >= 500 or any(crash in payload for crash in CRASHES):
            self._fuzz.report("sockets", data, payload[:300].decode())

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def close(self) -> None:
        self._close_socket()
        if self._http is not None:
            self._http.close()
        self._http = None
