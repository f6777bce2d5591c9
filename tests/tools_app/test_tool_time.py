"""Operators give a tool another time than its developer."""

import pytest
from django.core.exceptions import ValidationError

from sessions_app.models import Preference, User
from sessions_app.pool import identity_pool
from tests.clients import Client
from tests.shop import tools as shop
from tools_app.models import ToolPolicy
from tools_app.testing import acall_tool

from .decisions import decide


async def test_operators_shorten_and_lengthen_a_tool_s_time_at_once(client: Client) -> None:
    assert (await client.call("wait", {"seconds": 0.01})).text == "waited"
    await identity_pool.run(decide("wait", timeout=1))
    answer = await client.call("wait", {"seconds": 3})
    assert (answer.result["isError"], answer.text) == (True, "Stopped after 1 s.")
    await identity_pool.run(decide("wait", timeout=None))
    assert (await client.call("wait", {"seconds": 1.2})).text == "waited"


async def test_what_takes_longer_than_operators_allow_is_undone(alice: User) -> None:
    await identity_pool.run(decide("held-write", timeout=1))
    shop.write_may_end.clear()
    result = await acall_tool(alice, "held-write")
    shop.write_may_end.set()
    assert (result.is_error, result.text) == (True, "Stopped after 1 s; nothing was changed.")
    assert not await Preference.objects.filter(key="held").aexists()


async def test_a_longer_time_than_its_developer_s_counts(alice: User) -> None:
    await identity_pool.run(decide("slow-write", timeout=5))
    assert (await acall_tool(alice, "slow-write", seconds=0.4)).text == "written"


@pytest.mark.parametrize("seconds", [0, 601, 32767])
async def test_a_time_that_no_form_takes_changes_nothing(alice: User, seconds: int) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        ToolPolicy(tool="brief", timeout=seconds).full_clean(validate_unique=False)
    await identity_pool.run(decide("brief", timeout=seconds))  # as SQL might
    assert (await acall_tool(alice, "brief")).text == "Stopped after 0.1 s."
