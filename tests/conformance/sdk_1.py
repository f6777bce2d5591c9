"""A client of the SDK's first version, over its own WebSocket: `python sdk_1.py URL KEY`."""

import asyncio
import json
import sys
import warnings
from functools import partial

import mcp.client.websocket as transport
from mcp import ClientSession


async def look(url: str) -> dict[str, object]:
    async with transport.websocket_client(url) as streams, ClientSession(*streams) as session:
        about = await session.initialize()
        tools = (await session.list_tools()).tools
        profile = (await session.call_tool("get-user-profile", {})).structuredContent or {}
        names = [tool.name for tool in tools]
        return {"revision": about.protocolVersion, "tools": names, "username": profile["username"]}


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    url, key = sys.argv[1:]
    # It takes no headers, so they are given to what it connects with.
    transport.ws_connect = partial(transport.ws_connect, additional_headers={"Authorization": f"Bearer {key}"})
    print(json.dumps(asyncio.run(look(url))))
