"""Redis: there, writable, quick, and keeping what it was given."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from sessions_app.state.line import PATIENCE as LATEST
from sessions_app.state.redis import RedisState

from .clock import compared
from .examination import PATIENCE, Case, examination
from .finding import Away, Finding, ok, problem, reason, skipped, warning

OLDEST = (6, 2)
"""What it was tried with. Scripts that ask for the time and then write need 5."""
SLOW = 0.05
PINGS = 5
NEARLY_FULL = 0.9


@examination("Redis")
def redis(case: Case) -> Iterator[Finding]:
    if not settings.REDIS_URL:
        raise Away(
            skipped("connection", "REDIS_URL is not set: what it would keep is in the memory of one process.")
        )
    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "decode_responses": True}
    with Redis.from_url(settings.REDIS_URL, **options) as client:
        yield connects(client)
        yield latency(client)
        info: dict[str, Any] = client.info()
        yield version(info)
        yield from writes(client, info)
        yield keeps(info)
        yield clock(client)


def connects(client: Redis) -> Finding:
    """Raises: Away."""
    try:
        client.ping()
    except RedisError as error:
        raise Away(problem("connection", f"It cannot be used: {reason(error)}.", mend_of(error))) from None
    place = client.connection_pool.connection_kwargs
    return ok("connection", f"It lets us in, at {place.get('host', 'localhost')}:{place.get('port', 6379)}.")


def mend_of(error: RedisError) -> str:
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return "REDIS_URL=redis://[user]:password@host:6379/0, with the password of requirepass or the ACL"
    return "Start Redis, or mend host and port in REDIS_URL"


def latency(client: Redis) -> Finding:
    """Each call waits for it once."""
    seconds = median(pinged(client) for _ in range(PINGS))
    says = f"It answers within {seconds * 1000:.1f} ms"
    if seconds > SLOW:
        make = problem if seconds > LATEST else warning
        more = f"each call waits for it, and after {LATEST * 1000:.0f} ms it counts as away"
        return make(
            "latency", f"{says}: {more}.", "Run Redis near the workers; redis-cli --latency and SLOWLOG GET"
        )
    return ok("latency", f"{says}.")


def pinged(client: Redis) -> float:
    began = time.perf_counter()
    client.ping()
    return time.perf_counter() - began


def version(info: dict[str, Any]) -> Finding:
    text = str(info["redis_version"])
    known = tuple(int(part) for part in text.split(".")[:2])
    if known < OLDEST:
        says = f"Redis {text} is older than what Concierge is tried with ({'.'.join(map(str, OLDEST))})."
        return warning("version", says, "Upgrade Redis")
    return ok("version", f"It is Redis {text}.")


def writes(client: Redis, info: dict[str, Any]) -> Iterator[Finding]:
    """As calls do: with the script that lets them in."""
    if info["role"] == "slave" and info.get("slave_read_only"):
        says = f"It is a read-only replica of {info['master_host']}: nothing could be counted or delivered."
        yield problem(
            "writes", says, f"REDIS_URL=redis://{info['master_host']}:{info['master_port']}/0 (the primary)"
        )
        return
    try:
        client.set("concierge-doctor", "1", px=1000)
    except RedisError as error:
        yield problem("writes", f"It cannot be written: {reason(error)}.", mend_of_writing(str(error)))
        return
    yield ok("writes", "It takes writes.")
    try:
        RedisState(str(settings.REDIS_URL)).try_out()
    except RedisError as error:
        mend = "Let its user run EVAL and EVALSHA (ACL SETUSER … +@scripting), and see SLOWLOG GET"
        yield problem("script", f"The script that lets calls in does not run: {reason(error)}.", mend)
    else:
        yield ok("script", "It runs the script that lets calls in.")


def mend_of_writing(error: str) -> str:
    if "OOM" in error or "maxmemory" in error:
        return "redis-cli CONFIG SET maxmemory 256mb, or more than it has"
    if "MISCONF" in error:
        return "Make room on Redis' disk, where it cannot save; its log says more"
    return "Let its user write: ACL SETUSER … ~* &* +@all"


def keeps(info: dict[str, Any]) -> Finding:
    """What is evicted was counted for nothing: limits begin anew, and epochs, too."""
    most, policy = int(info["maxmemory"]), info["maxmemory_policy"]
    if not most:
        return ok("memory", "It has no maxmemory, so it throws nothing away.")
    if policy != "noeviction":
        says = (
            f"When it is full it throws away what it should keep (maxmemory-policy {policy}): limits begin anew."
        )
        return warning("memory", says, "redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf")
    used = int(info["used_memory"]) / most
    if used > NEARLY_FULL:
        says = f"{used:.0%} of its maxmemory are used; then it refuses writes, and each process counts for itself."
        return warning("memory", says, f"redis-cli CONFIG SET maxmemory {max(256, most * 2 // 1024**2)}mb")
    return ok("memory", f"{used:.0%} of its maxmemory are used, and it throws nothing away.")


def clock(client: Redis) -> Finding:
    before = time.time()
    seconds, microseconds = client.time()
    return compared("Redis", seconds + microseconds / 1e6, (before + time.time()) / 2)
