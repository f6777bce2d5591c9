"""How often, as operators write it: `100/h`."""

import re

from django.core.exceptions import ValidationError

MINUTE, HOUR, DAY = 60, 3600, 86_400
UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}
RATE = re.compile(r"(?P<most>[1-9][0-9]{0,5})/(?P<unit>[smhd])")
EXAMPLE = "write 100/h, 10/s, 600/m or 5000/d"


def is_rate(text: str) -> bool:
    return RATE.fullmatch(text.strip()) is not None


def parse_rate(text: str) -> tuple[int, int]:
    """How many, in how many seconds. Raises: ValueError with a sentence for whoever wrote it."""
    if (match := RATE.fullmatch(text.strip())) is None:
        raise ValueError(f"{text!r} is not a rate; {EXAMPLE}")
    return int(match["most"]), UNITS[match["unit"]]


def validate_rate(text: str) -> None:
    """As `parse_rate`, for forms and models."""
    try:
        parse_rate(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None
