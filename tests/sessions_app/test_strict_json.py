"""One JSON value, read as every other reader would read it, or refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.exceptions import Unparsable
from sessions_app.transport.strict_json import DEEPEST, LARGEST_INTEGER, dumps, loads

# Derandomized: the same examples on every machine, and no folder of found ones.
STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=100)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "b": {}, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"": 1, "": 2}',
        b'[{"outer": [{"inner": 1, "inner": 2}]}]',
        b'{"method": "tools/list", "params": {"_meta": {"x": 1, "x": 2}}}',
    ],
)
def test_a_key_appears_once_in_its_object(body: bytes) -> None:
    with pytest.raises(Unparsable, match="duplicate key"):
        loads(body)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    for key in (b"hunter2", rb"x\n\"hunter2\" " * 1000):
        with pytest.raises(Unparsable) as caught:
            loads(b'{"%b": 1, "%b": 2}' % (key, key))
        assert "hunter2" not in caught.value.message
        assert len(caught.value.message) < 100


def test_the_same_key_may_appear_in_two_objects() -> None:
    assert loads(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}') == {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}


@pytest.mark.parametrize(
    "body",
    [
        b"NaN", b"[NaN]", b"nan", b"Infinity", b"-Infinity", b"inf", b'{"a": -Infinity}',
        b"1e400", b"-1e400", b"1E400", b"1e+400", b"0.1e400", b"1e0400", b"[1, [2, 1e309]]", b'{"a": 1e999999}',
        b"1" + b"0" * 400 + b".0",
    ],
)  # fmt: skip
def test_a_number_is_finite(body: bytes) -> None:
    with pytest.raises(Unparsable):
        loads(body)


@pytest.mark.parametrize("number", [LARGEST_INTEGER, -LARGEST_INTEGER, 0, 10**15])
def test_an_integer_that_every_reader_has_exactly_passes(number: int) -> None:
    assert loads(b"[%d]" % number) == [number]


@pytest.mark.parametrize(
    "number",
    [LARGEST_INTEGER + 1, -LARGEST_INTEGER - 1, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**100, 10**4000],
)
def test_an_integer_that_some_reader_would_round_is_refused(number: int) -> None:
    for body in (b"%d", b"[%d]", b'{"a": {"b": %d}}', b"[1.5, -0, %d]"):
        with pytest.raises(Unparsable, match="integer beyond"):
            loads(body % number)


@pytest.mark.parametrize("digits", [5_000, 1_000_000])
def test_an_integer_too_long_for_python_is_refused_too(digits: int) -> None:
    with pytest.raises(Unparsable):
        loads(b"9" * digits)


def test_sixteen_digits_in_a_string_are_no_number() -> None:
    assert loads(b'{"card": "9999999999999999", "e": "1e400", "9999999999999999": 1}')["e"] == "1e400"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_ends_at_a_depth_that_is_named(opening: bytes, closing: bytes) -> None:
    times = DEEPEST // (1 + (opening == b'[{"a":'))
    deepest = opening * times + b"1" + closing * times
    assert loads(deepest) is not None
    with pytest.raises(Unparsable, match="deeper than 64"):
        loads(b"[" + deepest + b"]")
    with pytest.raises(Unparsable, match="deeper than 64"):
        loads(b'{"first": "shallow", "second": ' + deepest + b"}")


def test_an_empty_container_counts_as_a_level() -> None:
    assert loads(b"[" * 64 + b"]" * 64)
    with pytest.raises(Unparsable, match="deeper than 64"):
        loads(b"[" * 64 + b"{}" + b"]" * 64)


@pytest.mark.parametrize("body", [b"[" * 9_000, b'{"a":' * 9_000, b"[" * 9_000 + b"]" * 9_000])
def test_a_tower_of_brackets_is_refused_without_falling(body: bytes) -> None:
    with pytest.raises(Unparsable, match="recursion limit"):
        loads(body)


def test_many_shallow_containers_pass_and_too_many_do_not() -> None:
    assert len(loads(b"[" + b"{}," * 9_998 + b"[]]")) == 9_999
    with pytest.raises(Unparsable, match="more than 10000"):
        loads(b"[" + b"{}," * 9_999 + b"[]]")


@pytest.mark.parametrize(
    "body",
    [
        b'"\\ud800"', b'"\\udfff"', b'"a\\ud800b"', b'"\\udc00\\ud800"', b'"\\ud800\\ud800"', b'{"\\ud800": 1}',
        b'"\\uD83D"', b'"\\ud83dx\\ude00"',
    ],
)  # fmt: skip
def test_a_surrogate_has_its_pair(body: bytes) -> None:
    with pytest.raises(Unparsable):
        loads(body)


@pytest.mark.parametrize(
    "body",
    [b"\xef\xbb\xbf{}", *("{}".encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"))],
)
def test_only_utf_8_without_a_byte_order_mark_is_read(body: bytes) -> None:
    with pytest.raises(Unparsable):
        loads(body)


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc3", b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe9"],
)
def test_bad_utf_8_is_refused(text: bytes) -> None:
    for body in (b'"%b"', b'{"%b": 1}', b'{"a": ["%b"]}', b'"%b'):
        with pytest.raises(Unparsable):
            loads(body % text)


@pytest.mark.parametrize(
    "body",
    [b'"\\u0000"', b'{"\\u0000": 1}', b'[{"a": "b\\u0000c"}]', b'"\x00"', b"\x00", b"{}\x00", b'{"\x00": 1}'],
)
def test_nul_is_refused_wherever_it_hides(body: bytes) -> None:
    with pytest.raises(Unparsable):
        loads(body)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert loads(b'"\\\\u0000"') == "\\u0000"


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"\n", b"{} {}", b"{},", b"{}x", b"1 2", b"[1]]", b"{}{}", b"[1,]", b'{"a": 1,}', b"[,1]",
        b"{a: 1}", b"{'a': 1}", b"{1: 1}", b"True", b"None", b"t", b"nul", b"undefined", b"01", b"-01", b"+1",
        b".5", b"1.", b"1e", b"-", b"0x10", b"1_000", b'"', b'"\\x41"', b'"\\u12"', b'"\t"', b'"\n"', b"/**/1",
        b"1 // one", b"#", b"\x0c1", b"\xc2\xa01", b"{", b"[", b'{"a"', b'{"a":', b"[1", b"---",
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(Unparsable, match=r"^Not valid JSON: .*\.$"):
        loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b" {} ", b"\r\n\t[ ] ", b"null", b"true", b"false", b"0", b"-0", b"1.5", b"1e5", b"1E-5", b"1e308",
        b'""', b'"\\u00e9"', '"é"'.encode(), b'"\\ud83d\\ude00"', '"\U0001f600"'.encode(), b'"\\/\\b"', b'"\x7f"',
        '"\u2028\u202e"'.encode(), b'{"a": {"b": [1, {"c": null}]}}', b'{"": ""}',
        b"123456789012345678901234567890.5", b"1e-400",
    ],
)  # fmt: skip
def test_what_is_json_passes(body: bytes) -> None:
    assert loads(body) == json.loads(body)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
INTEGERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
# What JSON is made of, so that a good part of it is JSON.
SCRAPS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a":', b"{}", b"1", b"-", b".", b"e", b"+", b"0", b"9" * 15, b" ",
    b"true", b"null", b'"\\ud83d"', b"\\u0000", b"\\", b"\xc3", b"\xa9", b"\x00",
]  # fmt: skip


@STEADY
@given(JSON)
def test_every_value_that_json_has_survives_the_round_trip(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert loads(json.dumps(value).encode()) == value


@STEADY
@given(st.binary() | st.lists(st.sampled_from(SCRAPS), min_size=1).map(b"".join))
def test_bytes_are_a_value_or_a_refusal_and_nothing_else(body: bytes) -> None:
    try:
        value = loads(body)
    except Unparsable:
        return
    assert loads(dumps(value)) == value == json.loads(body)


@STEADY
@given(JSON, st.data())
def test_a_document_that_lost_or_gained_bytes_is_never_read_differently_than_elsewhere(
    value: Any, data: st.DataObject
) -> None:
    body = bytearray(dumps(value))
    start = data.draw(st.integers(0, len(body)))
    body[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        read = loads(bytes(body))
    except Unparsable:
        return
    assert read == json.loads(bytes(body))


def test_what_a_tool_returns_is_written_even_if_json_has_no_word_for_it() -> None:
    assert json.loads(dumps({"text": "a\ud800b"})) == {"text": "a?b"}
