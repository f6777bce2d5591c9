"""Settings for a server that gives calls in flight one second, where the real one gives twenty."""

from project.server import LAST_STEPS
from project.workers import LATE
from tests.settings import *  # noqa: F403

STOP_GRACE = 1
ENDS_WITHIN = STOP_GRACE + LAST_STEPS + LATE
