from typing import Annotated

from pydantic import BaseModel, Field

from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from tools_app.context import CurrentPrincipal
from tools_app.exceptions import ToolError
from tools_app.registry import tool

from .models import Order

PRICES = {"bread": 4.5, "roll": 0.6}


class Receipt(BaseModel):
    number: int
    total: float

    def to_markdown(self) -> str:
        return f"Order **{self.number}**: {self.total:.2f}"


@tool("place-order", title="Place an order", groups=[MEMBERS, ADMINISTRATORS])
def place_order(
    item: Annotated[str, Field(description="What to order", examples=["bread"])],
    quantity: Annotated[int, Field(description="How many", ge=1)] = 1,
    *,
    principal: CurrentPrincipal,
) -> Receipt:
    """Order something from the bakery"""
    if item not in PRICES:
        raise ToolError(f"There is only {', '.join(PRICES)}")
    order = Order.objects.create(buyer_id=principal.user_id, item=item, quantity=quantity)
    return Receipt(number=order.pk, total=PRICES[item] * quantity)


@tool("my-orders", title="My orders", groups=[MEMBERS, ADMINISTRATORS], read_only=True)
def my_orders(*, principal: CurrentPrincipal) -> list[str]:
    """What you have ordered so far"""
    return [str(order) for order in Order.objects.of(principal.user_id).order_by("pk")]
