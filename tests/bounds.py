"""Smaller bounds than those that ship."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import override_settings


@contextmanager
def bounded(**bounds: int) -> Iterator[None]:
    with override_settings(CONFIG=settings.CONFIG.model_copy(update=bounds)):
        yield
