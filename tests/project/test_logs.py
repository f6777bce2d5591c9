"""A log line is one line, whatever was put into it, and says which request it is about."""

import json
import logging
import re
from typing import Any

import pytest

from project.logs import AsJson, Brief, OneLine, logging_at
from sessions_app.log_lines import Line, Lines
from sessions_app.request_ids import request_id

HOSTILE = "boo\r\n2026-11-22 18:00:00 CRITICAL root: forged\x1b[31m\u202e\u2028\x85\x00\x7f\ud800"
SPELLED_OUT = "boo\\r\\n2026-11-22 18:00:00 CRITICAL root: forged\\x1b[31m\\u202e\\u2028\\x85\\x00\\x7f\\ud800"
WHEN = 1_795_370_400.25


def record(message: object, *arguments: object, **details: Any) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, "", 1, message, arguments, details.pop("exc_info", None))
    made.created = WHEN
    made.__dict__.update(details)
    return made


def in_text(made: logging.LogRecord) -> str:
    return OneLine().format(made)


def in_json(made: logging.LogRecord) -> dict[str, Any]:
    text = AsJson().format(made)
    assert text.isascii()
    assert text.isprintable()
    document: dict[str, Any] = json.loads(text)
    return document


def raised(text: str) -> Any:
    try:
        raise ValueError(text)
    except ValueError as error:
        return (ValueError, error, error.__traceback__)


def test_a_line_of_text_says_when_how_grave_from_where_and_what() -> None:
    line = in_text(record("said %s", "boo"))
    assert re.fullmatch(r"2026-11-2\d \d\d:\d\d:\d\d,250 INFO x: said boo", line)


def test_a_line_of_json_says_the_same_for_programs() -> None:
    said = in_json(record("said %s", "boo"))
    assert isinstance(said.pop("worker"), int)
    assert said == {"time": "2026-11-22T18:00:00.250Z", "level": "INFO", "logger": "x", "message": "said boo"}


def test_a_line_says_which_request_it_is_about() -> None:
    naming = request_id.set("abc.1")
    try:
        assert " INFO x [abc.1]: boo" in in_text(record("boo"))
        assert in_json(record("boo"))["request_id"] == "abc.1"
    finally:
        request_id.reset(naming)


def test_a_message_is_one_line() -> None:
    assert in_text(record("said %s", HOSTILE)).endswith(f" INFO x: said {SPELLED_OUT}")


def test_what_json_held_acts_no_more_than_the_text_does() -> None:
    fields = {"name": HOSTILE, "count": 2**70, "share": 0.5, "none": None, "odd": {HOSTILE}}
    said = in_json(record("said %s", HOSTILE, fields=fields))
    assert said["message"] == f"said {SPELLED_OUT}"
    assert said["name"] == SPELLED_OUT
    assert (said["count"], said["share"], said["none"]) == (2**70, 0.5, None)
    assert said["odd"].isprintable()


@pytest.mark.parametrize("text", ['"quoted"', "back\\slash", "ä", "\x7f", "\x1b", "plain"])
def test_json_is_escaped_once(text: str) -> None:
    said = in_json(record(text, fields={"name": text}))
    expected = text if text.isprintable() else text.encode("unicode_escape").decode()
    assert (said["message"], said["name"]) == (expected, expected)


def test_a_traceback_starts_no_line_of_its_own() -> None:
    first, *others = in_text(record("failed", exc_info=raised(HOSTILE))).split("\n")
    assert first.endswith(" INFO x: failed")
    assert others[-1].startswith("  ")
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def failed(level: int, status: int) -> logging.LogRecord:
    made = record("failed", exc_info=raised(HOSTILE), status_code=status)
    made.levelno, made.levelname = level, logging.getLevelName(level)
    assert Brief().filter(made)
    return made


def test_what_anybody_can_cause_is_a_line_and_no_error() -> None:
    assert in_text(failed(logging.ERROR, status=400)).endswith(" WARNING x: failed")
    assert in_text(failed(logging.WARNING, status=403)).endswith(" WARNING x: failed")


def test_what_the_server_fails_at_is_an_error_with_its_traceback() -> None:
    assert " ERROR x: failed\n  Traceback" in in_text(failed(logging.ERROR, status=500))


def test_a_traceback_is_a_field_in_json() -> None:
    said = in_json(record("failed", exc_info=raised(HOSTILE)))
    lines = said["exception"].split("\n")
    assert lines[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") and line.isprintable() for line in lines)


def test_many_lines_are_one_record() -> None:
    fields, words = {"kind": "tool", "user": HOSTILE}, f"tool {HOSTILE}: ok"
    lines = [Line(WHEN, f"r{number}", words, fields, frozenset({"kind"})) for number in (1, 2)]
    first, second = OneLine().format(record(Lines(lines))).split("\n")
    assert " INFO x [r1]: tool boo" in first
    assert " INFO x [r2]: tool boo" in second
    assert f'user="{SPELLED_OUT}"'.replace("\\", "\\\\") in first
    assert first.isprintable()
    documents = [json.loads(line) for line in AsJson().format(record(Lines(lines))).split("\n")]
    assert [document["request_id"] for document in documents] == ["r1", "r2"]
    assert documents[0]["message"] == f"tool {SPELLED_OUT}: ok"
    assert documents[0]["user"] == SPELLED_OUT
    assert str(Lines(lines)).count("\n") == 1  # for a formatter that is not ours


def test_a_value_cannot_pass_for_another_field() -> None:
    line = Line(WHEN, "", "tool a: ok", {"client": "x ip=1.2.3.4", "ip": "10.0.0.7"})
    assert str(line) == 'tool a: ok client="x ip=1.2.3.4" ip=10.0.0.7'


@pytest.mark.parametrize(("form", "formatter"), [("text", OneLine), ("json", AsJson)])
def test_all_loggers_have_the_format(form: str, formatter: type) -> None:
    """uvicorn's have no handlers of their own, so theirs is the root's."""
    config = logging_at("INFO", form)
    assert config["formatters"]["line"]["()"] == f"project.logs.{formatter.__name__}"
    assert {handler["formatter"] for handler in config["handlers"].values()} == {"line"}
