"""Arguments of every kind for every tool that ships: some are refused, and none is too much for the server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessions_app.limits import Limit
from sessions_app.models import User
from tests.conftest import key_for
from tests.sessions_app.malformed import ANYTHING, TEXTS, steady
from tests.sessions_app.test_malformed import errors
from tests.wire import Durable, Wire
from tools_app.builtin import administration
from tools_app.recorder import recorder
from tools_app.registry import registry

from .test_shipped import SEED

EXAMPLES = 180
"""For each tool and era: more than two thousand together."""
DONE: dict[str, dict[str, Any]] = {"collaboration": {"action": "list"}}
"""What is done for certain, where few arguments fit: which ones are drawn changes with any string in the code."""


def values_of(about: dict[str, Any], schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What fits an argument, nearly fits, or does not at all."""
    if "$ref" in about:
        about = schema["$defs"][about["$ref"].rpartition("/")[2]]
    fitting: list[Any] = [*about.get("enum", ()), *about.get("examples", ()), True, False, None, "1", "0"]
    return st.sampled_from(fitting) | TEXTS | ANYTHING


def arguments_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = {name: values_of(about, schema) for name, about in schema["properties"].items()}
    fitting = st.fixed_dictionaries({}, optional=known)
    more = st.dictionaries(TEXTS, ANYTHING, max_size=2)
    return fitting | fitting | st.builds(lambda some, others: {**some, **others}, fitting, more)


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
def call(
    request: pytest.FixtureRequest, admin: User, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> Iterator[Any]:
    """An administrator's, whose limits are no matter here."""
    for name in SEED:
        monkeypatch.setattr(registry.tools[name], "limit", None)
    for operation in administration.LIMITS:
        monkeypatch.setitem(administration.LIMITS, operation, Limit(operation, 10**6, 60))
    monkeypatch.setattr("sessions_app.models.credential.CALLS", Limit("calls", 10**6, 60))
    monkeypatch.setattr("sessions_app.models.api_key.API_KEY", Limit("api-key", 10**6, 60))
    key = key_for(admin)
    with asyncio.Runner() as runner:
        client = Wire(key) if request.param == "2026-07-28" else runner.run(Durable.open(key))
        yield lambda name, arguments: runner.run(client.call(name, arguments))
        runner.run(recorder.drain())
    assert errors(caplog) == []


@pytest.mark.alike
@pytest.mark.parametrize("name", sorted(SEED))
def test_no_arguments_are_too_much(call: Any, name: str) -> None:
    outcomes: set[bool] = set()

    @steady(EXAMPLES)
    @given(arguments_of(registry.tools[name].function.input_schema))
    def each(arguments: dict[str, Any]) -> None:
        answer = call(name, arguments)
        assert answer.status in (200, 400), answer
        said = json.dumps(answer.messages)
        assert "failed unexpectedly" not in said
        assert answer.messages[-1].get("error", {}).get("code") != -32603
        outcomes.add(answer.messages[-1].get("result", {}).get("isError", True))

    if name in DONE:
        each = example(DONE[name])(each)
    each()
    assert outcomes == {False, True}  # some were done, and some refused
