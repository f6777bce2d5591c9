"""An application that asks Redis one thing for each request, and has nothing else to do."""

import os
from typing import Any

from redis.asyncio import Redis

BODY = b"{}"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]

redis = Redis.from_url(os.environ["REDIS_URL"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await receive()
        await redis.get("nothing")
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
