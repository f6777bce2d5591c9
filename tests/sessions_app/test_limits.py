"""Rates as operators write them."""

import pytest

from sessions_app.limits import OPERATION, Bucket, Limit
from sessions_app.rates import HOUR, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/h", (100, 3600)), (" 10/s ", (10, 1)), ("999999/d", (999_999, 86_400)), ("1/m", (1, 60))],
)
def test_a_rate_is_so_many_in_a_unit_of_time(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text) == rate
    assert Limit("x", 1, 1).at(text).rate == text.strip()


@pytest.mark.parametrize(
    "text", ["", "100", "0/h", "-1/h", "1.5/h", "100/hour", "100/90s", "1000000/h", "1_0/h", "\u0661/h"]
)
def test_anything_else_is_none_and_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 100/h, 10/s"):
        parse_rate(text)


def test_a_limit_stays_what_it_is_at_another_rate() -> None:
    assert OPERATION.at("5/m") == Limit("operation", 5, 60)
    assert OPERATION.at("") == OPERATION == Limit("operation", 100, HOUR)
    assert Bucket(OPERATION, "user:7").key == Bucket(OPERATION.at("5/m"), "user:7").key
