"""What Channels alone costs: a consumer that accepts and says everything back."""

from typing import Any

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

settings.configure()
django.setup()


class Bare(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept("mcp")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data)


consumer: Any = Bare.as_asgi()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await consumer(scope, receive, send)
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
