"""Lengths of time as people type them: `90d`, `12h`, `30m`."""

import re
from datetime import timedelta

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """Raises: ValueError that says what is wanted."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time; write 30m, 12h, 90d or 52w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
