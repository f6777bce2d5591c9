"""A log line is one line, whatever was put into it."""

import logging

from project.logs import OneLine

HOSTILE = "boo\r\n2026-11-22 18:00:00 CRITICAL root: forged\x1b[31m\u202e"


def formatted(record: logging.LogRecord) -> str:
    return OneLine("{levelname} {message}", style="{").format(record)


def test_a_message_is_one_line() -> None:
    text = formatted(logging.LogRecord("x", logging.INFO, "", 1, "said %s", (HOSTILE,), None))
    assert text == "INFO said boo\\r\\n2026-11-22 18:00:00 CRITICAL root: forged\\x1b[31m\\u202e"


def test_a_traceback_starts_no_line_of_its_own() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    text = formatted(logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), info))
    first, *others = text.split("\n")
    assert first == "ERROR failed"
    assert all(line.startswith("  ") for line in others)
    assert "\x1b" not in text
    assert "\r" not in text
