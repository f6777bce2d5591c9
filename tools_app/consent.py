"""Asking somebody before something is done that cannot be undone.

A client that can ask its user is made to (elicitation). With any other the call has to say `confirm: true`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit
from pydantic import BaseModel, Field, create_model

from sessions_app.pool import tool_pool

from .context import call_of
from .exceptions import ToolError
from .models import Confirmation

USED = "This confirmation was used, or is too old. Call again to be asked anew."
NOT_CONFIRMED = "Not confirmed, so nothing was changed."


class Answer(BaseModel):
    """To one question: `about` makes the class of its answer."""

    confirmation: ClassVar[Confirmation]

    confirm: bool = Field(title="Do it", description="Yes, do what the question says.")

    @classmethod
    def about(cls, confirmation: Confirmation) -> type["Answer"]:
        schema = create_model("Answer", __base__=cls)
        schema.confirmation = confirmation
        return schema


@dataclass
class Consent:
    """Given, or not needed. `use` it in the transaction of what it is given to."""

    confirmation: Confirmation | None = None

    def claim(self) -> None:
        """Before what cannot be rolled back, such as a mail. Raises: ToolError if it was used, or is too old."""
        if self.confirmation is not None and not self.confirmation.claim():
            raise ToolError(USED)

    def use(self) -> None:
        """In the transaction of what was agreed to. Raises: ToolError if it was used, or is too old."""
        if self.confirmation is not None and not self.confirmation.use():
            raise ToolError(USED)


async def ask(ctx: Context[Any, Any], about: str, question: str, *, confirm: bool) -> Consent | Elicit[Answer]:
    """For a resolver to return: the question, or that it was settled. Raises: ToolError."""
    if can_ask(ctx):
        principal = call_of(ctx.request_context).principal
        confirmation = await tool_pool.run(lambda: Confirmation.ask(principal, about))
        return Elicit(f"{question} (Confirmation {confirmation.code})", Answer.about(confirmation))
    if not confirm:
        raise ToolError(
            f"{question} Your client cannot ask its user. Ask him yourself; if he agrees, call again with confirm:"
            " true."
        )
    return Consent()


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether its client says that it asks people, and there is a way to it."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    is_stateless = not call_of(ctx.request_context).session.is_durable
    return is_stateless or call_of(ctx.request_context).exchange.can_send_request


def given(outcome: ElicitationResult[Any]) -> Consent:
    """What came of `ask`. Raises: ToolError unless it was agreed to."""
    if not isinstance(outcome, AcceptedElicitation):
        raise ToolError(NOT_CONFIRMED)
    if isinstance(outcome.data, Consent):
        return outcome.data
    if not outcome.data.confirm:
        raise ToolError(NOT_CONFIRMED)
    return Consent(outcome.data.confirmation)
