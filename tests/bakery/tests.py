import pytest
from django.contrib.auth.models import Group
from mcp.shared.exceptions import MCPError

from sessions_app.models import User
from sessions_app.permissions import MEMBERS
from tools_app.testing import call_tool

from .models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def make_member(name: str) -> User:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=MEMBERS))
    return user


def test_an_order_is_placed_and_priced() -> None:
    alice = make_member("alice")
    result = call_tool(alice, "place-order", item="roll", quantity=5)
    order = Order.objects.get()
    assert (order.buyer, order.quantity) == (alice, 5)
    assert result.structured == {"number": order.pk, "total": 3.0}
    assert result.text == f"Order **{order.pk}**: 3.00"


def test_everybody_sees_only_their_own_orders() -> None:
    alice, bob = make_member("alice"), make_member("bob")
    call_tool(alice, "place-order", item="bread")
    assert call_tool(alice, "my-orders").structured == {"result": ["1 × bread"]}
    assert call_tool(bob, "my-orders").structured == {"result": []}


def test_what_there_is_not_cannot_be_ordered() -> None:
    result = call_tool(make_member("alice"), "place-order", item="tea")
    assert (result.is_error, result.text) == (True, "There is only bread, roll")
    assert not Order.objects.exists()


def test_an_outsider_does_not_know_the_tool() -> None:
    charlie = User.objects.create_user("charlie")
    with pytest.raises(MCPError, match="Unknown tool: place-order"):
        call_tool(charlie, "place-order", item="bread")
