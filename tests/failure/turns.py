"""Two servers on one database: every request of a session goes to the one that did not take the last."""

import asyncio
import time

from .client import Client
from .rounds import Stream, hear, work
from .servers import Server, Site


async def turns(urls: list[str], key: str, rounds: int) -> float:
    """Rounds that all succeed at the first attempt; seconds a round. Raises: Wrong."""
    client = Client(urls, key)
    await client.open()
    stream = Stream(client)
    await stream.opens()
    started = time.perf_counter()
    for number in range(rounds):
        await work(client, number)
        await hear(client, stream, number)
    seconds = time.perf_counter() - started
    await stream.close()
    await client.close()
    if client.repeated:
        raise AssertionError(f"{client.repeated} requests had to be repeated")
    return seconds / rounds


def run(site: Site, pair: list[Server], rounds: int) -> float:
    return asyncio.run(turns([server.url for server in pair], site.keys("alice")[0], rounds))
