"""A body is counted while it arrives, and is not waited for for ever."""

import asyncio
import json
import logging
from typing import Any

import pytest

from sessions_app.transport import guard
from tests.sessions_app.test_guard import STRANGER, Headers, list_tools, send
from tests.wire import Exchange, Wire

KIB = 1024


class Upload(Exchange):
    """A POST whose body arrives in parts; after the last it stalls, unless that one says it is the last."""

    def __init__(self, parts: list[bytes], headers: Headers, *, ends: bool = True) -> None:
        super().__init__(b"", headers)
        self._parts = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if ends:
            self._parts.append({"type": "http.request", "body": b"", "more_body": False})
        self._given = len(self._parts)

    @property
    def read(self) -> int:
        """How many parts were taken."""
        return self._given - len(self._parts)


def padded(wire: Wire, size: int) -> bytes:
    """A good tools/list of `size` bytes."""
    return json.dumps(wire.request("tools/list")).encode().ljust(size)


@pytest.mark.parametrize("part", [guard.LARGEST_BODY, 64 * KIB, 65_537])
async def test_a_body_of_a_mebibyte_is_read_whole(wire: Wire, part: int) -> None:
    body = padded(wire, guard.LARGEST_BODY)
    parts = [body[start : start + part] for start in range(0, len(body), part)]
    assert (await Upload(parts, list_tools(wire)).wait()).status == 200


async def test_a_body_may_arrive_byte_by_byte(wire: Wire) -> None:
    parts = [bytes([byte]) for byte in padded(wire, 0)]
    assert (await Upload(parts, list_tools(wire)).wait()).status == 200


@pytest.mark.parametrize(
    "declared", [b"1048577", b"1100000", b"9999999999", b"99999999999999999999", b"1" + b"0" * 5000]
)
async def test_a_body_that_is_announced_as_too_large_is_not_read(asked: list[Any], declared: bytes) -> None:
    upload = Upload([b"{}"], list_tools(STRANGER, (b"content-length", declared)))
    answer = await upload.wait()
    assert (answer.status, upload.read) == (413, 0)
    assert answer.headers["connection"] == "close"
    assert asked == []


@pytest.mark.parametrize("declared", [None, b"0", b"10", b"1048576"])
@pytest.mark.parametrize("part", [64 * KIB, 1000, guard.LARGEST_BODY])
async def test_a_body_that_grows_too_large_is_read_no_further(
    asked: list[Any], declared: bytes | None, part: int
) -> None:
    headers = list_tools(STRANGER, *([] if declared is None else [(b"content-length", declared)]))
    upload = Upload([b" " * part] * (20 * guard.LARGEST_BODY // part), headers)
    answer = await upload.wait()
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert upload.read == guard.LARGEST_BODY // part + 1
    assert asked == []


async def test_one_byte_more_is_too_large(asked: list[Any]) -> None:
    assert (await STRANGER.post(padded(STRANGER, guard.LARGEST_BODY + 1))).status == 413
    assert asked == []


@pytest.mark.parametrize("declared", [b"", b"x", b"-1", b"+1", b"1.0", b"1e3", b"0x10", b"1 2", b"1,1", b"\xb2"])
async def test_a_length_is_a_number(asked: list[Any], declared: bytes) -> None:
    answer = await send(STRANGER, list_tools(STRANGER, (b"content-length", declared)))
    assert answer.status == 400
    assert asked == []


async def test_a_body_that_stalls_is_given_up(asked: list[Any], settings: Any) -> None:
    settings.SLOWEST_REQUEST = 0.05
    for parts in ([], [b'{"jsonrpc"']):
        answer = await Upload(parts, list_tools(STRANGER), ends=False).wait()
        assert answer.status == 408
        assert answer.headers["connection"] == "close"
    assert asked == []


async def test_a_client_that_leaves_before_its_body_is_whole_is_not_answered(
    asked: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="sessions_app")
    for parts in ([], [b'{"jsonrpc"'], [b"{}", b""]):
        upload = Upload(parts, list_tools(STRANGER), ends=False)
        upload.leave()
        answer = await upload.wait()
        assert (answer.status, answer.headers, answer.body) == (0, {}, b"")
    assert asked == []
    assert not caplog.records


async def test_a_client_that_leaves_mid_body_is_noticed_while_others_are_served(wire: Wire) -> None:
    waiting = [Upload([b"{"], list_tools(wire), ends=False) for _ in range(20)]
    await asyncio.sleep(0)
    assert (await wire.ask("tools/list")).status == 200
    for upload in waiting:
        upload.leave()
    assert {(await upload.wait()).status for upload in waiting} == {0}
