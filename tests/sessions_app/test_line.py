"""The connection to Redis that calls share."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator

import pytest
import uvloop
from redis import Redis
from redis.exceptions import AuthenticationError, NoScriptError, RedisError
from redis.exceptions import ConnectionError as Disconnected

from sessions_app.deadline import watch
from sessions_app.state.line import Line, Replies
from tests.services import own_redis
from tests.wire import until

LARGE = "x" * 2**20
"""More than is read at once."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with own_redis() as url:
        yield url


@pytest.fixture
async def line(url: str) -> AsyncIterator[Line]:
    line = Line(url)
    yield line
    line.drop()
    await asyncio.sleep(0)


@pytest.mark.redis
async def test_each_gets_its_own_reply_whenever_it_was_sent(line: Line) -> None:
    before_it_is_connected = [line.send("ECHO", number) for number in range(100)]
    assert await asyncio.gather(*before_it_is_connected) == [str(number) for number in range(100)]
    replies = [line.send("ECHO", LARGE), line.send("EVALSHA", "0" * 40, 0), line.send("ECHO", "ü")]
    large, error, small = await asyncio.gather(*replies, return_exceptions=True)
    assert (large, small) == (LARGE, "ü")
    assert isinstance(error, NoScriptError)


@pytest.mark.redis
async def test_who_does_not_wait_any_more_leaves_the_others_theirs(line: Line) -> None:
    await line.send("PING")
    first, second = line.send("ECHO", "first"), line.send("ECHO", "second")
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "second"


@pytest.mark.redis
async def test_what_redis_says_unasked_is_nobodys_reply(line: Line, url: str) -> None:
    await line.send("HELLO", 3)
    await line.send("CLIENT", "TRACKING", "ON", "BCAST")
    with Redis.from_url(url) as other:
        for number in range(20):
            other.set("told", number)
            assert await line.send("GET", "told") == str(number)


@pytest.mark.redis
async def test_it_wakes_the_process_only_while_something_is_waited_for(line: Line, url: str) -> None:
    await line.send("PING")
    reply = line.send("BLPOP", "letters", 0)
    await asyncio.sleep(0)
    assert line in watch._watched
    with Redis.from_url(url) as other:
        other.rpush("letters", "one")
    assert await reply == ["letters", "one"]
    await until(lambda: line not in watch._watched)
    assert await line.send("PING") == "PONG"


@pytest.mark.redis
async def test_it_connects_anew_after_redis_hung_up(line: Line, url: str) -> None:
    await line.send("CLIENT", "SETNAME", "line")
    with Redis.from_url(url) as other:
        (own,) = [client for client in other.client_list() if client["name"] == "line"]
        waited_for = line.send("BLPOP", "nothing", 0)
        await asyncio.sleep(0.05)
        other.client_kill_filter(_id=own["id"])
    with pytest.raises(Disconnected, match="hung up"):
        await waited_for
    assert await line.send("PING") == "PONG"


@pytest.mark.redis
def test_what_is_sent_as_redis_hangs_up_is_refused_on_the_loop_that_serves(url: str) -> None:
    """Which, unlike asyncio's, does not let anybody write to a connection that has ended."""

    async def talk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        line = Line(url)
        await line.send("PING")
        assert line._transport is not None
        line._transport.abort()
        with pytest.raises(Disconnected):
            await line.send("PING")
        assert await line.send("PING") == "PONG"
        line.drop()
        await asyncio.sleep(0.01)

    complaints: list[object] = []
    uvloop.run(talk())
    assert complaints == []


@pytest.mark.redis
async def test_what_cannot_be_sent_is_told_to_who_sends_it(line: Line) -> None:
    before = line.send("ECHO", "before")
    with pytest.raises(ValueError, match="surrogates"):
        line.send("ECHO", "\ud800")
    assert await line.send("ECHO", "after") == "after"
    assert await before == "before"


async def test_a_redis_that_does_not_know_us_any_more_is_left() -> None:
    waited_for: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    replies = Replies(deque([(0.0, waited_for)]))
    replies.data_received(b"-NOAUTH Authentication required.\r\n")
    for told in (waited_for, replies.end):
        with pytest.raises(AuthenticationError):
            await told


@pytest.mark.parametrize("said", [b"no reply\r\n", b"+one too many\r\n", b"\x00\x00", b"+\xff\r\n"])
async def test_what_is_no_reply_ends_the_connection(said: bytes) -> None:
    replies = Replies(deque())
    replies.data_received(said)
    with pytest.raises(RedisError, match="no reply"):
        await asyncio.wait_for(replies.end, 1)


async def test_a_reply_may_come_in_pieces() -> None:
    waited_for: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    replies = Replies(deque([(0.0, waited_for)]))
    for byte in b"$5\r\nwhole\r\n":
        assert not waited_for.done()
        replies.data_received(bytes([byte]))
    assert await waited_for == "whole"
