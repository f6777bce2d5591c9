"""Log records that stay one line each, whatever a client put into them: as text, or as JSON."""

import json
import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from sessions_app.log_lines import Lines
from sessions_app.outage import is_outage, log
from sessions_app.plain_text import visible
from sessions_app.request_ids import request_id
from sessions_app.tracing import tracing

PID = os.getpid()
PLAIN = logging.Formatter()
ASCII = json.JSONEncoder(separators=(",", ":"))


class OneLine(logging.Formatter):
    """For people. Escapes the message; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, Lines):
            return "\n".join(
                begun(line.at, record, line.request_id) + visible(str(line)) for line in record.msg.lines
            )
        text = begun(record.created, record, request_id.get()) + visible(record.getMessage())
        return "\n".join([text, *traceback_of(record)])


def begun(at: float, record: logging.LogRecord, of_request: str) -> str:
    about = f"{record.name} [{of_request}]" if of_request else record.name
    return f"{local_second(int(at))},{int(at * 1000) % 1000:03} {record.levelname} {about}: "


@lru_cache(maxsize=4)
def local_second(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


class AsJson(logging.Formatter):
    """For programs: an object a line. Its texts are as harmless once they are read as the text format's are."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, Lines):
            return "\n".join(
                json_line(document(line.at, record, visible(line.words), line.request_id) | line.fields)
                for line in record.msg.lines
            )
        said = document(record.created, record, visible(record.getMessage()), request_id.get())
        said |= getattr(record, "fields", {})
        if trace_id := tracing.trace_id():
            said["trace_id"] = trace_id
        if lines := traceback_of(record):
            said["exception"] = "\n".join(lines)
        return json_line(said)


def document(at: float, record: logging.LogRecord, message: str, of_request: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "time": f"{utc_second(int(at))}.{int(at * 1000) % 1000:03}Z",
        "level": record.levelname,
        "logger": record.name,
        "message": message,
        "worker": PID,
    }
    if of_request:
        said["request_id"] = of_request
    return said


@lru_cache(maxsize=4)
def utc_second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def json_line(said: Mapping[str, Any]) -> str:
    """As a rule there is nothing in it to be escaped, and then the quick way has the same result."""
    try:
        quick = orjson.dumps(said)
    except TypeError:  # half a character, a number beyond 64 bits, or what JSON does not have
        quick = b"\\"
    if b"\\" not in quick and quick.isascii() and b"\x7f" not in quick:
        return quick.decode()
    return ASCII.encode({name: harmless(name, value) for name, value in said.items()})


def harmless(name: str, value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return value if name in ("message", "exception") else visible(str(value))  # those two are by now


def traceback_of(record: logging.LogRecord) -> list[str]:
    """Lines of its own, each indented: what an exception says may be a caller's, and must not start one."""
    text = record.exc_text or ""
    if record.exc_info and record.exc_info[0]:
        text = PLAIN.formatException(record.exc_info)
    lines = [*text.splitlines(), *(record.stack_info or "").splitlines()]
    return [f"  {visible(line)}" for line in lines]


class Brief(logging.Filter):
    """Takes the traceback off, and makes no more than a warning of it: for what anybody can cause, as often as he
    likes. What Django answers with a status of 500 or more is left as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", 0) < 500:
            record.exc_info = record.exc_text = None
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
        return True


class WithoutOutages(logging.Filter):
    """Leaves out each page that failed because the database is away: that it is was said."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not is_outage(error):
            return True
        log.tell(logging.getLogger(__name__), "A page failed", error)
        return False


FORMATTERS = {"text": "project.logs.OneLine", "json": "project.logs.AsJson"}


def logging_at(level: str, form: str) -> dict[str, Any]:
    """Everything goes to stderr, a line each."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": FORMATTERS[form]}},
        "filters": {
            "brief": {"()": "project.logs.Brief"},
            "outages": {"()": "project.logs.WithoutOutages"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "brief": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["brief"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # One line for a stranger who sends another Host, and for staff who try another query; Django's
            # traceback would be thirty. Django answers both with 400, and calls them errors.
            "django.security": {"handlers": ["brief"], "propagate": False},
            "django.request": {"handlers": ["brief"], "filters": ["outages"], "propagate": False},
            # The SDK logs what it was asked at INFO, every call of it.
            "mcp": {"level": "WARNING"},
            # A line for each connection that is lost or not made: what matters of it our backend says once.
            "psycopg.pool": {"level": "ERROR"},
            # A collector that is away is one line, too. A header that is not understood is none: it is a key.
            "opentelemetry": {"handlers": ["brief"], "propagate": False},
            "opentelemetry.util.re": {"level": "CRITICAL"},
        },
    }
