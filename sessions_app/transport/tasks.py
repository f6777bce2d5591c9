"""Work that nobody awaits."""

import asyncio
import logging
from collections.abc import Coroutine

from sessions_app.outage import log
from sessions_app.request_ids import of_nobody

logger = logging.getLogger(__name__)


class Tasks:
    """Held until they are done, as the loop does not; what goes wrong in them is logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, context=of_nobody())
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.tell(logger, "A sweep failed", error)
