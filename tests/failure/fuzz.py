"""Inputs that no client sends, by the hundred thousand: nothing fails of itself, nobody dies, nothing grows.

Which inputs they are is decided by a seed, the site's names and ids aside. One that the server fails at is written
to a file, as the bytes that were sent.
"""

import asyncio
import json
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.wire import Wire

from .answers import Answer
from .attacker import CRASHES, Attacker
from .caller import Caller
from .client import Client
from .inputs.given import Given
from .inputs.pages import Seen
from .rounds import expect
from .servers import Server, Site
from .soak import TRACES
from .vitals import Vitals, vitals_of

CLIENTS = 16
MOST_GROWTH = 50
"""MiB."""
FEW = 20
"""Descriptors, of all processes together."""
SETTLES_WITHIN = 20.0
WARM = 0.1
"""Of the inputs, before memory is looked at."""
MOST_FOUND = 20
BYSTANDER = "127.9.9.9"
CALLS_EVERY = 2.0


@dataclass
class Toll:
    inputs: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """How inputs were answered, by family and status: `messages 200`; 0 for not at all."""
    found: list[str] = field(default_factory=list)
    """What is wrong, and where the input is."""
    slowest_call: float = 0.0
    """Seconds, of a bystander."""
    calls: int = 0
    grown: float = 0.0
    """MiB."""
    seconds: float = 0.0

    def answers(self, *hundreds: int) -> int:
        """How many had a status of HTTP of these hundreds."""
        statuses = ((key.split(), count) for key, count in self.statuses.items())
        return sum(n for (_, status), n in statuses if len(status) == 3 and int(status[0]) in hundreds)


class Fuzz:
    def __init__(self, site: Site, server: Server, seed: str) -> None:
        self.site, self.server, self.seed = site, server, seed
        self.port = server.port
        self.given = Given(f"127.0.0.1:{server.port}", [], "", [], [], [])
        self.toll = Toll()
        self.recent: deque[tuple[str, bytes]] = deque(maxlen=4 * CLIENTS)
        """What was sent last, for what only the log tells."""
        self.folder = Path(tempfile.mkdtemp(prefix="concierge-fuzz-"))
        self._lost_sessions = 0
        self._log_read = 0
        self._workers: tuple[int, ...] = ()

    # --- What is known of the site ---

    async def learn(self, pages: int) -> None:
        """And so many of its pages."""
        await self.meet()
        caller, given = Caller(self.server.url, self.given.operator), self.given
        given.tools = (await caller.ask("tools/list", {}))["tools"]
        given.prompts = (await caller.ask("prompts/list", {}))["prompts"]
        given.uris = [each["uri"] for each in (await caller.ask("resources/list", {}))["resources"]]
        await caller.close()
        async with httpx2.AsyncClient(base_url=self.server.url, timeout=30) as http:
            given.api = (await http.get("/api/schema/")).json()
            paths = given.paths[:: max(1, len(given.paths) // pages)]
            for path in paths:
                cookie = given.cookies[-1 if path.startswith("/admin") else 0]
                answer = await http.get(path, headers={"cookie": f"sessionid={cookie}; csrftoken={'a' * 32}"})
                if answer.status_code == 200 and "text/html" in answer.headers.get("content-type", ""):
                    seen = Seen(path.partition("?")[0], answer.text)
                    given.forms += seen.forms
                    given.queries += seen.queries
        given.forms = [form for form in given.forms if "out/" not in form.path]  # who signs out is out

    async def meet(self) -> None:
        """People and their belongings, anew where they were lost."""
        lines = await asyncio.to_thread(self.site.run, "-m", "tests.failure.fuzzed")
        for name, value in json.loads(lines[-1]).items():
            setattr(self.given, name, value)
        await self.open_sessions()

    async def open_sessions(self) -> None:
        client, sessions = Client([self.server.url], ""), []
        for key in self.given.members:
            client.become(key)
            await client.open()
            sessions.append((key, client.session_id))
        await client.close()
        self.given.sessions, self._lost_sessions = sessions, 0

    async def knows_us(self) -> bool:
        """Whether keys and cookies are still good."""
        async with httpx2.AsyncClient(base_url=self.server.url, timeout=30) as http:
            for key in (*self.given.members, self.given.operator):
                answer = await http.get("/api/preferences/", headers={"authorization": f"Bearer {key}"})
                if answer.status_code not in (200, 429):
                    return False
            for cookie in self.given.cookies:
                answer = await http.get("/me/account/", headers={"cookie": f"sessionid={cookie}"})
                if answer.status_code not in (200, 429):
                    return False
        return True

    # --- What comes of it ---

    def note(self, family: str, data: bytes, answer: Answer | None) -> None:
        self.toll.statuses[f"{family} {answer.status if answer else 0}"] += 1
        if answer is None:
            return
        if answer.status >= 500:
            self.report(family, data, f"{answer.status}: {answer.body[:300]!r}")
        if answer.status == 404 and b"Mcp-Session-Id" in data:
            self._lost_sessions += 1
        if any(crash in answer.body for crash in CRASHES):
            self.report(family, data, f"{answer.body[:300]!r}")

    def report(self, family: str, data: bytes, what: str) -> None:
        path = self.folder / f"{len(self.toll.found)}-{family}.bin"
        path.write_bytes(data)
        self.toll.found.append(f"{family}: {what} ({path})")

    def look_at_log(self) -> None:
        with self.server.log.open("rb") as log:
            log.seek(self._log_read)
            said = log.read().decode(errors="replace")
            self._log_read = log.tell()
        if any(trace in said for trace in TRACES):
            path = self.folder / f"{len(self.toll.found)}-log"
            path.mkdir()
            (path / "log").write_text(said)
            for number, (family, data) in enumerate(self.recent):
                (path / f"{number}-{family}.bin").write_bytes(data)
            first = next(line for line in said.splitlines() if any(trace in line for trace in TRACES))
            self.toll.found.append(f"the log: {first[:300]} ({path})")

    async def watch(self) -> None:
        """For ever: the log, the workers, and that there are still sessions and people to play with."""
        for number in range(10**9):
            await asyncio.sleep(1)
            self.look_at_log()
            if tuple(self.server.workers()) != self._workers:
                self.toll.found.append(f"the workers were {self._workers}, and are {self.server.workers()}")
                self._workers = tuple(self.server.workers())
            with suppress(httpx2.HTTPError):
                if self._lost_sessions > len(self.given.sessions):
                    await self.open_sessions()
                if number % 10 == 9 and not await self.knows_us():
                    await self.meet()

    async def call(self) -> None:
        """For ever, as a guest, from whom nothing can be taken."""
        wire = Wire(None)
        content = wire.request("server/discover")
        sent = wire.headers(content) | {"host": self.given.host}
        async with httpx2.AsyncClient(
            timeout=30, transport=httpx2.AsyncHTTPTransport(local_address=BYSTANDER)
        ) as http:
            while True:
                began = time.monotonic()
                try:
                    answer = await http.post(f"{self.server.url}/mcp/guest", json=content, headers=sent)
                    if answer.status_code != 200:
                        self.toll.found.append(f"a bystander: {answer.status_code} {answer.text[:300]}")
                except httpx2.HTTPError as error:
                    self.toll.found.append(f"a bystander: {error!r}")
                self.toll.calls += 1
                self.toll.slowest_call = max(self.toll.slowest_call, time.monotonic() - began)
                await asyncio.sleep(CALLS_EVERY)

    async def send(self, numbers: Iterator[int]) -> None:
        """All of them, and close everything."""
        self._workers = tuple(self.server.workers())
        beside = [asyncio.create_task(each) for each in (self.watch(), self.call())]
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(CLIENTS):
                    tasks.create_task(self.attack(numbers))
        finally:
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one
        self.look_at_log()

    async def attack(self, numbers: Iterator[int]) -> None:
        attacker = Attacker(self)
        for number in numbers:
            if len(self.toll.found) >= MOST_FOUND:
                break
            await attacker.send(number)
            self.toll.inputs += 1
        attacker.close()

    async def settled(self, before: Vitals | None) -> Vitals:
        """Once what was closed is away."""
        deadline = time.monotonic() + SETTLES_WITHIN
        last = vitals_of(self.server)
        while True:
            await asyncio.sleep(1)
            now = vitals_of(self.server)
            is_quiet = now.descriptors >= last.descriptors if before is None else False
            if is_quiet or (before and now.descriptors <= before.descriptors + FEW) or time.monotonic() > deadline:
                return now
            last = now

    async def run(self, inputs: int, pages: int) -> Toll:
        await self.learn(pages)
        began, warm = time.monotonic(), int(inputs * WARM)
        await self.send(iter(range(warm)))
        before = await self.settled(None)
        await self.send(iter(range(warm, inputs)))
        self.toll.seconds = time.monotonic() - began
        after = await self.settled(before)
        self.toll.grown = after.memory - before.memory
        if after.descriptors > before.descriptors + FEW:
            self.toll.found.append(f"descriptors: {before.descriptors}, then {after.descriptors}")
        if self.toll.grown > MOST_GROWTH:
            self.toll.found.append(f"{self.toll.grown:.0f} MiB more")
        return self.toll


def seed() -> str:
    return os.environ.get("CONCIERGE_FUZZ_SEED") or str(time.time_ns() // 1_000_000)


def run(site: Site, server: Server, inputs: int, seed: str, pages: int = 1000) -> Toll:
    """Raises: Wrong."""
    print(f"seed {seed}", flush=True)
    fuzz = Fuzz(site, server, seed)
    toll = asyncio.run(fuzz.run(inputs, pages))
    if os.environ.get("CONCIERGE_FUZZ_STATUSES"):
        print(dict(sorted(toll.statuses.items())), flush=True)
    expect(not toll.found, f"seed {seed}: " + "\n".join(toll.found))
    fuzz.folder.rmdir()
    return toll
