"""Settings for a server that has ten connections to PostgreSQL."""

from tests.failure.settings import *  # noqa: F403
from tests.failure.settings import DATABASES

CONNECTIONS = 10
if "pool" in DATABASES["default"]["OPTIONS"]:  # not where a test that runs on SQLite only reads the number
    DATABASES["default"]["OPTIONS"]["pool"]["max_size"] = CONNECTIONS
