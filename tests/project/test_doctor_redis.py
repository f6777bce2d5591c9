"""What the doctor says of a Redis that is not as it should be, and of what needs it."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from pytest_django import Settings

from project.doctor.cache import cache
from project.doctor.channel_layer import channel_layer
from project.doctor.clock import TOLERANCE, compared
from project.doctor.examination import PATIENCE, Case
from project.doctor.finding import Verdict
from project.doctor.redis import redis as look
from tests.redis_server import RedisServer, redis_server

from .patient import found

pytestmark = [pytest.mark.redis, pytest.mark.process]
PASSWORD = "canary-of-redis"


@pytest.fixture(scope="module")
def own() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(own: RedisServer, settings: Settings) -> Iterator[redis.Redis]:
    """One that is well, and the doctor's."""
    settings.REDIS_URL = own.url
    with redis.Redis.from_url(own.url) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


def test_it_has_nothing_to_say_of_a_good_one(server: redis.Redis) -> None:
    findings = found(look)
    assert {each.verdict for each in findings.values()} == {Verdict.OK}
    assert findings.keys() == {"connection", "latency", "version", "writes", "script", "memory", "clock"}


def test_it_tells_that_nobody_listens(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:canary-of-redis@127.0.0.1:1/0"
    connection = found(look)["connection"]
    assert connection.verdict is Verdict.PROBLEM
    assert connection.mend.startswith("Start Redis")
    assert PASSWORD not in str(connection)


def test_it_does_not_wait_for_one_that_says_nothing(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        settings.REDIS_URL = f"redis://127.0.0.1:{black_hole.getsockname()[1]}/0"
        began = time.monotonic()
        findings = found(look)
    assert findings.keys() == {"connection"}
    assert PATIENCE - 0.5 < time.monotonic() - began < 3 * PATIENCE


def test_what_needs_it_says_no_more(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for needs_it in (cache, channel_layer):
        assert [each.verdict for each in found(needs_it, Case(absent={"Redis"})).values()] == [Verdict.SKIPPED]


def test_it_tells_that_the_password_is_missing(own: RedisServer, server: redis.Redis) -> None:
    server.config_set("requirepass", PASSWORD)
    try:
        connection = found(look)["connection"]
    finally:
        server.config_set("requirepass", "")
    assert connection.verdict is Verdict.PROBLEM
    assert "password" in connection.mend


def test_it_warns_of_one_that_throws_away(server: redis.Redis) -> None:
    server.config_set("maxmemory", "100mb")
    assert found(look)["memory"].verdict is Verdict.OK
    server.config_set("maxmemory-policy", "allkeys-lru")
    memory = found(look)["memory"]
    assert memory.verdict is Verdict.WARNING
    assert memory.mend.startswith("redis-cli CONFIG SET maxmemory-policy noeviction")


def test_it_tells_that_it_is_full(server: redis.Redis) -> None:
    server.config_set("maxmemory", "1mb")
    findings = found(look)
    assert findings["writes"].verdict is Verdict.PROBLEM
    assert "maxmemory" in findings["writes"].mend
    assert findings["memory"].verdict is Verdict.WARNING


def test_it_tells_that_it_is_a_replica(server: redis.Redis) -> None:
    server.replicaof("127.0.0.1", "1")
    writes = found(look)["writes"]
    assert writes.verdict is Verdict.PROBLEM
    assert "redis://127.0.0.1:1/0" in writes.mend


def test_it_tells_that_scripts_may_not_run(own: RedisServer, server: redis.Redis, settings: Settings) -> None:
    server.acl_setuser(
        "meek", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all", "-@scripting"]
    )
    settings.REDIS_URL = own.url.replace("redis://", f"redis://meek:{PASSWORD}@")
    findings = found(look)
    assert findings["writes"].verdict is Verdict.OK
    assert findings["script"].verdict is Verdict.PROBLEM


def test_the_layer_and_the_cache_are_tried_for_real(
    own: RedisServer, server: redis.Redis, settings: Settings
) -> None:
    options = {"CONFIG": {"hosts": [own.url], "prefix": "concierge"}}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "project.channel_layer.RedisChannelLayer", **options}}
    settings.CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": own.url}}
    assert {found(each)["round trip"].verdict for each in (channel_layer, cache)} == {Verdict.OK}
    server.replicaof("127.0.0.1", "1")
    assert {found(each)["round trip"].verdict for each in (channel_layer, cache)} == {Verdict.PROBLEM}


def test_in_memory_they_are_tried_too() -> None:
    assert {found(each)["round trip"].verdict for each in (channel_layer, cache)} == {Verdict.OK}


@pytest.mark.parametrize(("ahead", "verdict"), [(4, "ok"), (-4, "ok"), (6, "problem"), (-6, "problem")])
def test_five_seconds_are_the_most_that_clocks_may_differ(ahead: float, verdict: str) -> None:
    assert TOLERANCE == 5
    told: Any = compared("Redis", 1000 + ahead, 1000)
    assert told.verdict == verdict
