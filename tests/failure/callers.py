"""Many callers at once on few connections to the database; and many writers at once on SQLite."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx2
import psycopg

from . import narrow
from .caller import Caller, percentile
from .rounds import expect
from .servers import Server, Site

ROUNDS = 20
"""Of each caller, all at once."""
USERS = 15
"""Who share the callers: a user may have 64 calls at once, and 600 requests a minute at the REST API."""
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
Ask = Callable[[httpx2.AsyncClient, int], Awaitable[int]]
"""One request of that number; the status."""


@dataclass
class Toll:
    answers: int
    connections: int
    """To the database, at most."""
    slowest: float
    p99: float
    cleanups: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class Company:
    """Who calls over MCP, over REST, and from a browser's pages."""

    url: str
    keys: list[str]
    cookies: list[str]

    def asks(self, number: int) -> Ask:
        key, cookie = self.keys[number % len(self.keys)], self.cookies[number % len(self.cookies)]
        return (self.over_mcp(key), self.over_rest(key), self.in_a_browser(cookie))[number % 3]

    def over_mcp(self, key: str) -> Ask:
        caller = Caller(self.url, key)

        async def ask(http: httpx2.AsyncClient, number: int) -> int:
            if number % 2:
                call = {"name": "get-user-profile", "arguments": {}}
            else:
                arguments = {"action": "set", "key": f"count-{number % 7}", "value": number}
                call = {"name": "manage-preferences", "arguments": arguments}
            answer = await http.post(**caller.request("tools/call", call))
            expect(answer.status_code != 200 or not answer.json()["result"]["isError"], answer.text)
            return answer.status_code

        return ask

    def over_rest(self, key: str) -> Ask:
        headers = {"authorization": f"Bearer {key}"}

        async def ask(http: httpx2.AsyncClient, number: int) -> int:
            if number % 2:
                return (await http.get(f"{self.url}/api/keys/", headers=headers)).status_code
            url = f"{self.url}/api/preferences/rest-{number % 7}/"
            return (await http.put(url, json={"value": number}, headers=headers)).status_code

        return ask

    def in_a_browser(self, cookie: str) -> Ask:
        async def ask(http: httpx2.AsyncClient, number: int) -> int:
            page = ("me/", "me/usage/", "me/keys/", "rooms/")[number % 4]
            return (await http.get(f"{self.url}/{page}", headers={"cookie": cookie})).status_code

        return ask


async def call_at_once(company: Company, callers: int, rounds: int) -> tuple[Counter[int], list[float]]:
    """The answers by status, and what each took."""
    statuses, took = Counter[int](), list[float]()

    async def keep_calling(ask: Ask) -> None:
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(timeout=60, limits=limits) as http:
            for number in range(rounds):
                began = time.perf_counter()
                statuses[await ask(http, number)] += 1
                took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as tasks:
        for number in range(callers):
            tasks.create_task(keep_calling(company.asks(number)))
    return statuses, took


async def count_connections(url: str, most: list[int]) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        while True:
            row = await (await database.execute(OPEN)).fetchone()
            most.append(row[0] if row else 0)
            await asyncio.sleep(0.05)


async def crowd(site: Site, company: Company, callers: int, rounds: int) -> Toll:
    seen: list[int] = []
    counting = asyncio.create_task(count_connections(site.database, seen))
    statuses, took = await call_at_once(company, callers, rounds)
    counting.cancel()
    await asyncio.wait([counting])
    return Toll(len(took), max(seen), max(took), percentile(took, 0.99), statuses=statuses)


def run(site: Site, server: Server, callers: int, rounds: int = ROUNDS) -> Toll:
    """Raises: Wrong."""
    toll = asyncio.run(crowd(site, gather(site, server), callers, rounds))
    expect(toll.statuses.keys() == {200}, toll.statuses)
    expect(toll.connections <= narrow.CONNECTIONS, f"{toll.connections} connections")
    return toll


def gather(site: Site, server: Server) -> Company:
    names = [f"user{number}" for number in range(USERS)]
    return Company(server.url, site.keys(*names), site.cookies(*names))


async def write_at_once(site: Site, company: Company, clients: int, rounds: int) -> Toll:
    """On SQLite, beside a cleanup that runs again and again in another process."""
    done, cleanups = asyncio.Event(), itertools.count()

    async def keep_cleaning() -> None:
        while not done.is_set():
            await asyncio.to_thread(site.run, "manage.py", "cleanup")
            next(cleanups)

    cleaning = asyncio.create_task(keep_cleaning())
    statuses, took = await call_at_once(company, clients, rounds)
    done.set()
    await cleaning
    return Toll(len(took), 0, max(took), percentile(took, 0.99), cleanups=next(cleanups), statuses=statuses)


def run_embedded(site: Site, server: Server, clients: int, rounds: int) -> Toll:
    """Raises: Wrong."""
    toll = asyncio.run(write_at_once(site, gather(site, server), clients, rounds))
    expect(toll.statuses.keys() == {200}, toll.statuses)
    expect("database is locked" not in server.log.read_text(), "database is locked")
    return toll


def full(here: Site) -> str:
    """150 callers at once, on ten connections to PostgreSQL"""
    toll = run(here, here.start(DJANGO_SETTINGS_MODULE=narrow.__name__), 150)
    return (
        f"{toll.answers} answers, each 200, p99 {toll.p99 * 1000:.0f} ms,"
        f" the slowest {toll.slowest * 1000:.0f} ms, at most {toll.connections} connections"
    )


def full_embedded(here: Site) -> str:
    """24 clients at once on SQLite, a third each over MCP, REST and in pages, beside the cleanup"""
    toll = run_embedded(here, here.start(), 24, 100)
    return (
        f"{toll.answers} answers, each 200, p99 {toll.p99 * 1000:.0f} ms,"
        f" the slowest {toll.slowest * 1000:.0f} ms, {toll.cleanups} cleanups meanwhile"
    )
