"""What no process knows by itself: whether the database and Redis answer, and how many sessions are live."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from project import health
from sessions_app.models import Session
from sessions_app.models.session_queryset import MOST_IN_ALL
from sessions_app.pool import metrics_pool

PATIENCE = 1.5
"""Seconds that anybody waits for an answer."""
AGAIN_AFTER = 5.0
"""Seconds for which an answer is good, however many ask."""
MOST_COUNTED = 2 * MOST_IN_ALL
"""Sessions. No more than half of that are opened while they are live, so there should never be as many."""


class Question:
    """Asked on a thread, and by one at a time: one that does not answer is not asked again meanwhile."""

    def __init__(self, ask: Callable[[], float]) -> None:
        self._ask = ask
        self._asked: Future[float] | None = None
        self._good_until = 0.0

    async def answer(self) -> float | None:
        """None: it could not be told in time."""
        asked = self._asked
        if asked is None or (asked.done() and time.monotonic() >= self._good_until):
            asked = self._asked = metrics_pool.submit(self._ask)
            self._good_until = time.monotonic() + AGAIN_AFTER
        answer = asyncio.wrap_future(asked)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # late failures are no news
        await asyncio.wait([answer], timeout=PATIENCE)
        return answer.result() if answer.done() and answer.exception() is None else None


def live_sessions() -> float:
    """A few milliseconds, however many have ended: docs/metrics.md has the figures."""
    return Session.objects.live().order_by()[:MOST_COUNTED].count()


def redis() -> float:
    return health.redis()


@dataclass(frozen=True)
class Answers:
    sessions: float | None
    """None: the database does not answer."""
    redis: float | None

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client wants them."""
        is_there = self.sessions is not None
        yield GaugeMetricFamily("concierge_database_up", "Whether the database answers.", value=is_there)
        if self.sessions is not None:
            yield GaugeMetricFamily("concierge_sessions_live", "Sessions that are live.", value=self.sessions)
        if settings.REDIS_URL:
            yield GaugeMetricFamily("concierge_redis_up", "Whether Redis answers.", value=bool(self.redis))


class Questions:
    def __init__(self) -> None:
        self._sessions, self._redis = Question(live_sessions), Question(redis)

    async def answers(self) -> Answers:
        """Within PATIENCE."""
        if not settings.REDIS_URL:
            return Answers(await self._sessions.answer(), None)
        return Answers(*await asyncio.gather(self._sessions.answer(), self._redis.answer()))
