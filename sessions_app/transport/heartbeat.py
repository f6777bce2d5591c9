"""A process says every few seconds that it serves, and what it holds. Nobody waits for that.

What is counted in memory meanwhile, such as refusals, is written along.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.utils import timezone

from sessions_app.models import Worker
from sessions_app.pool import background_pool
from sessions_app.refusals import refusals

from .ends import ends
from .sockets import sockets

logger = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds."""
FIGURES = ("seen_at", "sockets", "streams", "calls")


class Heartbeat:
    def __init__(self) -> None:
        self._beating: asyncio.Task[None] | None = None
        self._is_failing = False
        self._known: dict[str, Any] = {}

    def begin(self) -> None:
        """On the running loop, when the server starts. A database that is away does not keep it from that."""
        self._known = {
            "instance": secrets.token_hex(16),
            "host": socket.gethostname()[:255],
            "pid": os.getpid(),
            "version": settings.VERSION,
            "started_at": timezone.now(),
        }
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def end(self) -> None:
        """Take the row away, and write what is still to be."""
        beating, self._beating = self._beating, None
        if beating is None:
            return
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await background_pool.run(partial(self._try, self._leave))

    async def _beat(self) -> None:
        while True:
            figures = {"sockets": len(sockets), "streams": ends.streams, "calls": ends.calls}
            await background_pool.run(partial(self._try, partial(self._write, figures)))
            await asyncio.sleep(EVERY)

    def _try(self, write: Callable[[], None]) -> None:
        """On a thread. What fails is said once, until it works again."""
        try:
            write()
        except DatabaseFailure as error:
            if not self._is_failing:
                logger.warning("This worker cannot say that it serves: %s", error)
            self._is_failing = True
        except Exception:  # it must beat on
            logger.exception("This worker cannot say that it serves")
        else:
            self._is_failing = False

    def _write(self, figures: dict[str, int]) -> None:
        worker = Worker(**self._known, seen_at=timezone.now(), **figures)
        Worker.objects.bulk_create(
            [worker], update_conflicts=True, unique_fields=["instance"], update_fields=FIGURES
        )
        Worker.objects.gone().delete()
        refusals.write()

    def _leave(self) -> None:
        Worker.objects.filter(instance=self._known["instance"]).delete()
        refusals.write()


heartbeat = Heartbeat()
