"""Settings for a server that gives a request two seconds to arrive, where the real one gives fifteen."""

from tests.failure.settings import *  # noqa: F403

SLOWEST_REQUEST = 2
