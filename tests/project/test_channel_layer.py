"""The channel layer of production settings, between processes."""

import os
import secrets
import subprocess
import sys
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer as Stock
from redis.exceptions import ConnectionError as Disconnected

from project.channel_layer import RedisChannelLayer
from project.config import BASE_DIR
from tests.services import redis_url

pytestmark = [pytest.mark.process, pytest.mark.redis]

BEGINNING = """
import asyncio
from channels.layers import get_channel_layer
layer = get_channel_layer()
"""
LISTEN = """
async def main():
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    print("joined", layer.brpop_timeout, layer.hosts[0]["socket_timeout"], flush=True)
    print(await layer.receive(channel))
"""
SEND = """
async def main():
    await layer.group_send(GROUP, {"type": "wake.up", "id": 7})
"""


def begin(group: str, main: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "REDIS_URL": str(redis_url()), "DJANGO_SETTINGS_MODULE": "project.settings"}
    script = f"{BEGINNING}\nGROUP = {group!r}\n{main}\nasyncio.run(main())"
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_what_one_process_sends_reaches_another_and_a_quiet_wait_is_no_failure() -> None:
    group = f"tests.{secrets.token_hex(8)}"
    with begin(group, LISTEN) as listener:
        assert listener.stdout is not None
        joined, wait, timeout = listener.stdout.readline().split()
        assert joined == "joined"
        assert float(wait) < float(timeout)
        with begin(group, SEND) as sender:
            assert sender.wait(10) == 0
        assert listener.stdout.readline() == "{'type': 'wake.up', 'id': 7}\n"


@pytest.mark.parametrize("failure", [ConnectionError("gone"), Disconnected("gone"), RuntimeError("it is closed")])
async def test_what_nobody_awaits_fails_without_a_word(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def fail(*args: Any) -> None:
        raise failure

    monkeypatch.setattr(Stock, "_clean_receive_backup", fail)
    await RedisChannelLayer(hosts=[str(redis_url())])._clean_receive_backup(0, "a")
