"""Prompts and resources may answer with a question, as tools may (MCP 2026-07-28, SEP-2322)."""

from typing import Any

import pytest

from tests.wire import Wire

ASKING = [("prompts/get", {"name": "greet-guest"}), ("resources/read", {"uri": "shop://card"})]


@pytest.mark.parametrize(("method", "params"), ASKING)
async def test_it_asks_and_goes_on_with_the_answer(wire: Wire, method: str, params: dict[str, Any]) -> None:
    wire.capabilities = {"elicitation": {"form": {}}}
    asked = (await wire.ask(method, params)).result
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["name"]["method"] == "elicitation/create"
    assert asked["requestState"] != "asked"  # sealed
    answers = {"inputResponses": {"name": {"action": "accept", "content": {"name": "Bob"}}}}
    answer = await wire.ask(method, {**params, **answers, "requestState": asked["requestState"]})
    assert answer.result["resultType"] == "complete"
    assert "Bob" in answer.body.decode()


@pytest.mark.parametrize(("method", "params"), ASKING)
async def test_a_state_that_was_changed_is_refused(wire: Wire, method: str, params: dict[str, Any]) -> None:
    state = (await wire.ask(method, params)).result["requestState"]
    answer = await wire.ask(method, {**params, "requestState": state + "-changed"})
    assert answer.error["code"] == -32602
