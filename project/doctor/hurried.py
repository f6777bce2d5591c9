"""A connection to the database for somebody who does not wait: none of the pool's, and with short timeouts."""

from typing import Any

from django.conf import settings
from django.db import connections

from .examination import PATIENCE


def hurry() -> None:
    """For this thread. It is closed with the thread's examination."""
    given: dict[str, Any] = settings.DATABASES["default"]
    options = dict(given["OPTIONS"])
    if given["ENGINE"].endswith("sqlite3"):
        options["timeout"] = PATIENCE
    else:
        options.pop("pool", None)
        limits = f"-c statement_timeout={PATIENCE:g}s -c lock_timeout={PATIENCE:g}s"
        options |= {"connect_timeout": int(PATIENCE), "options": f"{options.get('options', '')} {limits}".strip()}
    fresh = connections.create_connection("default")
    fresh.settings_dict = {**fresh.settings_dict, "OPTIONS": options}
    connections["default"] = fresh
