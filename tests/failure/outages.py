"""A PostgreSQL and a Redis that go away in every way, under everybody who may use a server, and come back.

Nobody waits, nobody is let in who may not, what was acknowledged is there, and who listens misses nothing.
"""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sessions_app import tokens

from .blows import Blow, Parts, own_parts
from .client import Wrong
from .revocation import Revoker
from .rooms import READ_WITHIN, Company, check
from .rounds import expect
from .servers import Server, Site
from .watchers import OTHER_ADDRESS, THIRD_ADDRESS, Calling, Watcher
from .writers import Said, write

QUIET = 2.0
"""Seconds before and after each blow."""
AWAY = 5.0
ANSWERED_WITHIN = 2.0
SLACK = 0.5
"""Seconds, and three times what 99 of 100 answers take in quiet: this machine does all the rest, too."""
CACHED_FOR = 1.0
"""Seconds that somebody may be known after the database was last asked."""
BACK_WITHIN = 5.0
TOLD_WITHIN = 5.0
"""Seconds from an acknowledgement to who listens, while Redis is away."""
HARDLY_WAITED = 0.25
"""Seconds that a call waits for a Redis that is away."""
MOST_LINES = 60
"""Of the log, for one blow."""
COUNTED = "concierge:limit:calls:*"
UNKNOWN_KEY = tokens.mint(tokens.API_KEY).value


@dataclass
class Toll:
    name: str
    requests: int = 0
    refused: int = 0
    slowest: float = 0.0
    """Seconds, of all answers from the blow on."""
    slowest_of: str = ""
    """And when: whose answer that was, and how long after the blow it was asked for."""
    back_after: float = 0.0
    """Seconds from the return until everybody was answered as in quiet, for good."""
    told_after: float = 0.0
    """Seconds, the longest from an acknowledgement until a listener had read it."""
    messages: int = 0
    lines: int = 0


@dataclass
class Watch:
    """Everybody who asks while one part goes away."""

    blow: Blow
    watchers: list[Watcher]
    stranger: Watcher
    revoked: Watcher
    revoked_at: float = float("inf")
    gone_at: float = 0.0
    """When it began to go, which may take its time, as a shutdown does."""
    away_at: float = 0.0
    returning_at: float = 0.0
    """When it began to come back."""
    returned_at: float = 0.0
    acknowledged: list[tuple[float, int]] = field(default_factory=list)
    """When how many messages were, for the delay with which they are read."""
    told_after: float = 0.0

    @classmethod
    def of(cls, blow: Blow, url: str, key: str, revoked: str, cookie: str) -> "Watch":
        bearer = {"authorization": f"Bearer {key}"}
        watchers = [
            Calling("echo", url, key=key, arguments={"text": "still here"}),
            Calling("profile", url, key=key, tool="get-user-profile"),
            Watcher("REST", f"{url}/api/rooms/", headers=bearer),
            Watcher("page", f"{url}/me/", headers={"cookie": cookie}),
            Watcher("livez", f"{url}/livez", needs_database=False),
            Watcher("readyz", f"{url}/readyz"),
        ]
        stranger = Calling("stranger", url, (401, 429), key=UNKNOWN_KEY, address=OTHER_ADDRESS)
        once = Calling("revoked", url, key=revoked, arguments={"text": "still here"}, address=THIRD_ADDRESS)
        return cls(blow, watchers, stranger, once)

    @property
    def everybody(self) -> list[Watcher]:
        return [*self.watchers, self.stranger, self.revoked]

    async def all_are_well(self, company: Company) -> None:
        """Everybody was served, and everybody has read something."""
        async with asyncio.timeout(READ_WITHIN):
            while not self.is_well(company):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    def is_well(self, company: Company) -> bool:
        has_asked = all(any(each.is_success for each in watcher.seen) for watcher in self.everybody)
        return has_asked and all(reader.last for reader in company.readers)

    async def measure_delay(self, company: Company, said: Said) -> None:
        """For ever: how long ago what somebody has not read yet was acknowledged."""
        while True:
            now = time.monotonic()
            newest = max((sequence for sequence, _ in said.acknowledged.values()), default=0)
            self.acknowledged.append((now, newest))
            for reader in company.readers:
                unread = (at for at, sequence in self.acknowledged if sequence > reader.last)
                self.told_after = max(self.told_after, now - next(unread, now))
            await asyncio.sleep(0.1)

    def check(self) -> None:
        """Raises: AssertionError."""
        quiet = [watcher.p99(self.gone_at) for watcher in self.watchers]
        late = ANSWERED_WITHIN + SLACK + 3 * max(quiet)
        for watcher in self.everybody:
            said = f"{self.blow.name}: {watcher.name}"
            assert watcher.slowest <= late, f"{said} waited {watcher.slowest:.2f} s (at most {late:.2f})"
            allowed = {*watcher.expected, *([401, 429] if watcher is self.revoked else [])}
            if watcher.needs_database and self.blow.is_of_database:
                allowed.add(503)
            statuses = watcher.statuses(0)
            assert statuses <= allowed, f"{said} was answered {statuses - allowed}"
        self.check_doors()
        if self.blow.is_of_database:
            self.check_database()
        else:
            self.check_redis()

    def check_doors(self) -> None:
        """Who was revoked is out: at once, or where that cannot be told within a second."""
        known_for = 0.0 if self.blow.is_of_database else CACHED_FOR + SLACK
        assert 200 in self.revoked.statuses(0, self.revoked_at), f"{self.blow.name}: never let in"
        late = self.revoked.statuses(self.revoked_at + known_for)
        assert 200 not in late, f"{self.blow.name}: who was revoked came in"
        assert {401, 503} & late, f"{self.blow.name}: nobody tried"

    def check_database(self) -> None:
        noticed_at = self.away_at + ANSWERED_WITHIN + SLACK
        for watcher in self.watchers:
            statuses = watcher.statuses(noticed_at, self.returning_at)
            if not watcher.needs_database:
                continue
            if self.blow.takes_all or (self.blow.is_noticed and watcher.name == "readyz"):
                assert statuses <= {503}, f"{self.blow.name}: {watcher.name} was answered {statuses}"
                assert 503 in watcher.statuses(self.gone_at), f"{self.blow.name}: {watcher.name} noticed nothing"

    def check_redis(self) -> None:
        hardly = HARDLY_WAITED + SLACK + 3 * max(watcher.p99(self.gone_at) for watcher in self.watchers)
        for watcher in self.watchers:
            assert watcher.slowest <= hardly, f"{self.blow.name}: {watcher.name} waited {watcher.slowest:.2f} s"
        assert self.told_after <= TOLD_WITHIN + SLACK, f"{self.blow.name}: told after {self.told_after:.1f} s"

    def back_after(self) -> float:
        return max(watcher.is_well_since(self.returned_at) for watcher in self.watchers) - self.returned_at

    def toll(self) -> Toll:
        seen = [(each, watcher) for watcher in self.everybody for each in watcher.seen]
        refused = sum(each.status == 503 for each, _ in seen)
        slowest, of = max(
            ((each, watcher) for each, watcher in seen if each.began + each.seconds >= self.gone_at),
            key=lambda both: both[0].seconds,
        )
        said = f"{of.name} {slowest.status}, {slowest.began - self.gone_at:+.1f} s"
        return Toll(self.blow.name, len(seen), refused, slowest.seconds, said, self.back_after(), self.told_after)


async def suffer(watch: Watch, company: Company, parts: Parts, revoker: Revoker, revoked: str) -> Said:
    """Raises: Wrong."""
    done, said = asyncio.Event(), Said()
    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(reader.read()) for reader in company.readers]
        measuring = tasks.create_task(watch.measure_delay(company, said))
        numbers = until(done)
        working = [tasks.create_task(write(writer, numbers, said)) for writer in company.writers]
        working += [tasks.create_task(watcher.watch(done)) for watcher in watch.everybody]
        await asyncio.sleep(QUIET)
        await watch.all_are_well(company)
        if watch.blow.is_of_database:  # while it can still be written
            watch.revoked_at = await asyncio.to_thread(revoker.revoke, revoked)
        watch.gone_at = time.monotonic()
        await asyncio.to_thread(watch.blow.go_away)
        watch.away_at = time.monotonic()
        await asyncio.sleep(AWAY / 2)
        if not watch.blow.is_of_database:
            watch.revoked_at = await asyncio.to_thread(revoker.revoke, revoked)
        await asyncio.sleep(AWAY / 2)
        watch.returning_at = time.monotonic()
        await asyncio.to_thread(watch.blow.come_back)
        watch.returned_at = time.monotonic()
        await asyncio.to_thread(until_counted, parts)
        await asyncio.sleep(max(QUIET, watch.returned_at + BACK_WITHIN - time.monotonic()))
        done.set()
        await asyncio.wait(working)
        newest, stopped = len(said.acknowledged), time.monotonic()
        with contextlib.suppress(TimeoutError):  # what is missing then is said by `check`
            async with asyncio.timeout(READ_WITHIN):
                while any(reader.last < newest for reader in company.readers):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        caught_up = time.monotonic() - stopped
        for task in (*reading, measuring):
            task.cancel()
    expect(caught_up <= TOLD_WITHIN + SLACK, f"{watch.blow.name}: caught up {caught_up:.1f} s after the last")
    return said


def until(done: asyncio.Event) -> Iterator[int]:
    return itertools.takewhile(lambda _: not done.is_set(), itertools.count())


def until_counted(parts: Parts) -> None:
    """Calls are counted in Redis again, and by no worker alone. Raises: Wrong."""
    deadline = time.monotonic() + BACK_WITHIN + SLACK
    with parts.ask_redis() as client:
        client.delete(*client.keys(COUNTED), "nothing")
        while not client.keys(COUNTED):
            if time.monotonic() > deadline:
                raise Wrong("calls are not counted in Redis again")
            time.sleep(0.02)


def run(
    site: Site,
    server: Server,
    parts: Parts,
    blows: list[Blow],
    tell: Callable[[Toll], None] = lambda toll: None,
) -> list[Toll]:
    """Raises: Wrong, AssertionError."""
    revoker, tolls = Revoker(site), []
    try:
        for blow in blows:
            room = re.sub(r"\W+", "-", blow.name)
            tolls.append(strike(site, server, parts, blow, revoker, room))
            tell(tolls[-1])
    finally:
        revoker.end()
    return tolls


def strike(site: Site, server: Server, parts: Parts, blow: Blow, revoker: Revoker, room: str) -> Toll:
    key, revoked = site.keys(f"watcher-{room}", f"revoked-{room}")
    (cookie,) = site.cookies(f"watcher-{room}")
    company = Company.gather(site, server.url, room)
    watch = Watch.of(blow, server.url, key, revoked, cookie)
    logged = server.log.stat().st_size
    said = asyncio.run(suffer(watch, company, parts, revoker, revoked))
    toll = watch.toll()
    toll.messages = len(said.acknowledged)
    check(site, room, said, company.readers, toll.messages)
    watch.check()
    assert toll.back_after <= BACK_WITHIN + SLACK, f"{blow.name}: back after {toll.back_after:.1f} s"
    everything = server.log.read_bytes()[logged:].decode().splitlines()
    lines = [line for line in everything if " concierge.refusals" not in line]  # bad keys are worth a line each
    assert not any("Traceback" in line for line in lines), f"{blow.name}: {lines}"
    assert len(lines) <= MOST_LINES, f"{blow.name}: {len(lines)} lines in the log, such as {lines[-1]}"
    toll.lines = len(lines)
    return toll


def told(toll: Toll) -> str:
    return (
        f"{toll.name}: {toll.requests} requests, {toll.refused} refused, the slowest {toll.slowest:.1f} s"
        f" ({toll.slowest_of}),"
        f" back after {toll.back_after:.1f} s, {toll.messages} messages, told within {toll.told_after:.1f} s,"
        f" {toll.lines} lines"
    )


def full(here: Site) -> str:
    """PostgreSQL and Redis away in every way"""
    with own_parts() as (site, parts):
        blows = [*parts.of_database(), *parts.of_redis(), *parts.of_both()]
        tolls = run(site, site.start(WORKERS="2"), parts, blows, tell=lambda toll: print(told(toll), flush=True))
    slowest, back = (max(getattr(toll, name) for toll in tolls) for name in ("slowest", "back_after"))
    return f"{len(tolls)} ways; the slowest answer took {slowest:.1f} s; back after {back:.1f} s at most"
