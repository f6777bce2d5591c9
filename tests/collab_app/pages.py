"""A browser's page of a room, as the server hears it: one signed-in socket."""

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

from django.test import Client

from collab_app.models import Room
from sessions_app.models import User
from sessions_app.pool import identity_pool, tool_pool
from tests.socket import Line

ORIGIN = "http://127.0.0.1:8000"
HEADERS = {"host": "127.0.0.1:8000", "origin": ORIGIN, "connection": "Upgrade", "upgrade": "websocket"}


def cookie_of(user: User) -> str:
    """Of a browser in which `user` signed in."""
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def line_to(public_id: str, headers: Mapping[str, str | None]) -> Line:
    sent = {**HEADERS, **headers}
    raw = [(name.encode(), value.encode()) for name, value in sent.items() if value is not None]
    return Line(raw, subprotocols=(), path=f"/ws/rooms/{public_id}")


async def begin(user: User, public_id: str, **headers: str | None) -> Line:
    """The connection, however it is answered."""
    cookie = await identity_pool.run(lambda: cookie_of(user))
    return await line_to(public_id, {"cookie": cookie, **headers}).opened()


class PageOf:
    """`user`'s page of a room. What it shows is what it was told, in that order."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._ids = count(100)

    @classmethod
    async def open(cls, user: User, room: Room | str, after: int | None = None) -> "PageOf":
        line = await begin(user, room if isinstance(room, str) else room.public_id)
        assert line.answer.status == 101, line.answer
        line.send({"do": "follow", "after": after})
        page = cls(line)
        await page.until(lambda: "members" in page.told)
        return page

    @property
    def told(self) -> dict[str, Any]:
        """The last of each kind."""
        return {name: value for message in self.line.messages for name, value in message.items()}

    @property
    def sequences(self) -> list[int]:
        """Of all messages, as they came."""
        told = (message.get("messages", ()) for message in self.line.messages)
        return [message["sequence"] for messages in told for message in messages]

    @property
    def texts(self) -> list[str]:
        told = (message.get("messages", ()) for message in self.line.messages)
        return [message["text"] for messages in told for message in messages]

    @property
    def state(self) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for message in self.line.messages:
            shown |= {state["key"]: state["value"] for state in message.get("state", ())}
            shown = {key: value for key, value in shown.items() if key in message.get("keys", shown)}
        return shown

    async def until(self, condition: Any) -> None:
        await self.line._until(lambda: condition() or self.line.close)
        assert condition(), self.line.close

    def ask(self, do: str, **what: Any) -> int:
        number = next(self._ids)
        self.line.send({"id": number, "do": do, **what})
        return number

    async def do(self, do: str, **what: Any) -> dict[str, Any]:
        """What came of it: `done`, or `error`."""
        return await self.line.reply_to(self.ask(do, **what))

    async def leave(self) -> None:
        await self.line.leave()


async def in_thread(work: Any, *args: Any, **kwargs: Any) -> Any:
    """What another process might do."""
    return await tool_pool.run(partial(work, *args, **kwargs))
