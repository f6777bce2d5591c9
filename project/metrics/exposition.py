"""What is shown, in the words of Prometheus or OpenMetrics, whichever the reader takes."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from sessions_app.metrics import registry

from . import files
from .asked import Answers


class Exposition(NamedTuple):
    body: bytes
    media_type: str

    @classmethod
    def of(cls, answers: Answers, accept: str) -> "Exposition":
        """On a thread: it takes some milliseconds."""
        try:
            encode, media_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, media_type = choose_encoder("")
        return cls(encode(Everything(answers)), media_type)


class Everything:
    """As prometheus_client wants it: what all workers counted, or this process alone, and what was asked."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        yield from self._answers.collect()
        if (directory := os.environ.get(files.WHERE)) is None:
            yield from registry.collect()
            return
        with files.locked(Path(directory), fcntl.LOCK_SH):
            metrics = MultiProcessCollector(CollectorRegistry(), directory).collect()
        yield from sorted(metrics, key=lambda metric: metric.name)
