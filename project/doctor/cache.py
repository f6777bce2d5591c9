"""Django's cache, in which tools keep what a session may need again."""

import secrets
from collections.abc import Iterator

from django.conf import settings
from django.core.cache import cache as django_cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, reason, skipped

AWAY = (RedisError, ConnectionInterrupted, OSError)


@examination("cache", after=("Redis",))
def cache(case: Case) -> Iterator[Finding]:
    if settings.REDIS_URL and not case.has("Redis"):
        raise Away(skipped("round trip", "Not looked at: it needs the Redis."))
    key, value = f"doctor-{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        django_cache.set(key, value, timeout=5)
        found = django_cache.get(key)
        django_cache.delete(key)
    except AWAY as error:
        says = f"What is put into the cache is not kept: {reason(error)}."
        raise Away(problem("round trip", says, "See Redis above, which keeps it")) from None
    if found != value:
        says = "What is put into the cache is not there a moment later."
        raise Away(problem("round trip", says, "See Redis above: its maxmemory, and whether it is a replica"))
    yield ok("round trip", "What is put into the cache is there, and goes when it is deleted.")
