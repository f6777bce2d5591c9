"""Log records that stay one line each, whatever a client put into them."""

import logging
from typing import Any

from sessions_app.plain_text import visible


class OneLine(logging.Formatter):
    """Escapes the message; a traceback follows, indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Lines of its own, each indented: what an exception says may be a caller's, and must not start one."""
        return "\n".join(f"  {visible(line)}" for line in super().formatException(ei).splitlines())


class Brief(logging.Filter):
    """Takes the traceback off: for what anybody can cause, as often as he likes."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True


def logging_at(level: str) -> dict[str, Any]:
    """Everything goes to stderr, a line each."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "project.logs.OneLine",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            }
        },
        "filters": {"brief": {"()": "project.logs.Brief"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "brief": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["brief"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # One line for a stranger who sends another Host; Django's traceback would be thirty.
            "django.security.DisallowedHost": {"handlers": ["brief"], "propagate": False},
            # The SDK logs what it was asked at INFO, every call of it.
            "mcp": {"level": "WARNING"},
        },
    }
