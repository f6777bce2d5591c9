"""Settings for a server whose parent is worried after seconds, where the real one waits for a minute."""

from tests.settings import *  # noqa: F403

WORKER_SILENCE = 12
