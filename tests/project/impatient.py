"""Settings for a server that gives calls in flight one second, where the real one gives twenty."""

from tests.settings import *  # noqa: F403

STOP_GRACE = 1
