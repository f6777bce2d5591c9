"""The log as it would be on stderr, in either format."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from project.logs import AsJson, OneLine

FORMATTERS = {"text": OneLine, "json": AsJson}


class Written:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def by(self, logger: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["logger"] == logger]


@contextmanager
def written(form: str, level: int = logging.DEBUG) -> Iterator[Written]:
    """What is logged in the block, at that level and above."""
    log, root = Written(), logging.getLogger()
    handler, before = logging.StreamHandler(log.stream), root.level
    handler.setFormatter(FORMATTERS[form]())
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield log
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
