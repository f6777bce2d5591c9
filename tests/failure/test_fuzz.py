"""The fuzz in little; whether it would see what it looks for; and that chance can be repeated."""

import asyncio

import pytest

from . import fuzz
from .answers import Malformed, Silent, read_answer, read_frame
from .chance import Chance
from .inputs.given import Given
from .inputs.headers import headers
from .inputs.messages import message
from .inputs.pages import pages
from .inputs.raw import raw
from .inputs.rest import rest
from .inputs.sockets import frames, opening
from .servers import site

GIVEN = Given(
    "127.0.0.1:8000",
    ["a"],
    "b",
    ["c", "d"],
    ["/me/", "/admin/"],
    ["hall"],
    sessions=[("a", "s")],
    tools=[{"name": "echo", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}],
    prompts=[{"name": "suggest"}],
    uris=["shop://menu"],
    api={"paths": {"/api/keys/{id}/": {"get": {"parameters": []}}}},
)


@pytest.mark.failure
@pytest.mark.postgres
@pytest.mark.redis
def test_nothing_that_is_sent_is_too_much() -> None:
    with site() as here:
        toll = fuzz.run(here, here.start(WORKERS="2"), 2000, seed="little", pages=20)
    assert toll.inputs == 2000
    assert toll.answers(2, 3) > 200  # or they would all be refused at the door
    assert toll.statuses["sockets pong"] > 20


@pytest.mark.parametrize("family", [message, headers, raw, rest, pages])
def test_chance_can_be_repeated(family: object) -> None:
    assert callable(family)
    made = [[family(Chance(f"1 {number}"), GIVEN) for number in range(50)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 5


def test_frames_can_be_repeated() -> None:
    made = [
        [frames(Chance(f"1 {number}"), GIVEN, number % 2 == 0) for number in range(50)]
        + [opening(Chance(f"1 {number}"), GIVEN, is_changed=True).data for number in range(50)]
        for _ in range(2)
    ]
    assert made[0] == made[1]


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_an_answer_is_read() -> None:
    reader = reader_of(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    answers = [await read_answer(reader) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"{}"), (404, b"abc")]
    with pytest.raises(Silent):
        await read_answer(reader)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\na",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/problem+json\r\ncontent-length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-le",
    ],
)
async def test_what_is_no_answer_is_seen(data: bytes) -> None:
    with pytest.raises(Malformed):
        await read_answer(reader_of(data))


async def test_a_frame_is_read_and_one_that_is_none_is_seen() -> None:
    assert await read_frame(reader_of(b"\x81\x02{}")) == (1, b"{}")
    for data in (b"\x81\x82aaaa{}", b"\xc1\x02{}", b"\x09\x00", b"\x89\x7e\x00\x7e" + b"a" * 126):
        with pytest.raises(Malformed):
            await read_frame(reader_of(data))
