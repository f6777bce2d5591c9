"""Administrative operations. The seed's `admin-operations`.

What is done to somebody is asked first (`consent.py`). A mail goes out before the transaction that gives its link
a meaning, so that one which cannot be sent changes nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.urls import reverse
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import Field

from sessions_app import limits
from sessions_app.admission import refuse
from sessions_app.exceptions import LinkRefused
from sessions_app.limits import Bucket, Limit
from sessions_app.models import User
from sessions_app.password_link import PasswordLink, masked
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.plain_text import visible
from sessions_app.pool import tool_pool
from sessions_app.principal import Principal
from sessions_app.state import Ticket, state
from tools_app import consent
from tools_app.consent import Answer, Consent
from tools_app.context import CurrentLog, CurrentPrincipal, call_of
from tools_app.exceptions import ToolError
from tools_app.registry import registry, tool
from tools_app.server_stats import ServerStats, server_stats
from tools_app.wire_model import WireModel

from . import people

NAME = "admin-operations"
AdminOperation = Literal["list-users", "reset-password", "delete-user", "system-stats"]
NEEDS_TARGET = {
    "reset-password": "Target user ID required for password reset",
    "delete-user": "Target user ID required for deletion",
}
LIMITS: dict[str, Limit] = {"reset-password": limits.RESET_PASSWORD, "delete-user": limits.DELETE_USER}
QUESTIONS = {
    "reset-password": "Reset the password of {}? The old one stops working, and he is signed out everywhere.",
    "delete-user": "Delete {} for good, with all sessions, keys and preferences?",
}


class ListedUser(WireModel):
    id: str
    username: str
    role: str
    is_active: bool
    last_seen: datetime


class AdminResult(WireModel):
    operation: AdminOperation
    message: str = Field(default="", description="What was done, and what comes next.")
    users: list[ListedUser] | None = None
    next_target: str | None = Field(
        default=None, description="Pass it as `target` of list-users for the next page; null: this is the last."
    )
    stats: ServerStats | None = None

    def to_markdown(self) -> str:
        if self.stats is not None:
            return self.stats.to_markdown()
        if self.users is None:
            return self.message
        lines = "\n".join(
            f"- **{user.username}** ({user.id}) - {user.role} - Last seen: {user.last_seen.isoformat()}"
            for user in self.users
        )
        more = f"\n\nMore: list-users with target {self.next_target}" if self.next_target else ""
        return f"## 👥 User List\n\n{lines}{more}"


async def asked(
    ctx: Context[Any, Any], operation: AdminOperation, target: str | None, confirm: bool
) -> Consent | Elicit[Answer]:
    """Whether it may be done at all, and then whether somebody wants it."""
    if operation not in NEEDS_TARGET:
        return Consent()
    principal = call_of(ctx.request_context).principal
    user = await tool_pool.run(lambda: aimed_at(principal, operation, target))
    question = QUESTIONS[operation].format(people.named(user))
    return await consent.ask(ctx, f"{operation} {user.pk}", question, confirm=confirm)


def aimed_at(principal: Principal, operation: str, target: str | None) -> User:
    """Raises: ToolError."""
    if not target:
        raise ToolError(NEEDS_TARGET[operation])
    user = people.found(target)
    people.check_reach(principal, people.acting(principal), user)
    if operation == "delete-user":
        people.check_deletable(principal, user)
    return user


@dataclass
class Prepared:
    """What was settled outside of the transaction."""

    agreed: Consent = field(default_factory=Consent)
    link: PasswordLink | None = None
    seen: "AdminResult | None" = None
    """What was only looked at."""


async def prepared(
    ctx: Context[Any, Any],
    operation: AdminOperation,
    target: str | None,
    outcome: Annotated[ElicitationResult[Any], Resolve(asked)],
) -> Prepared:
    """What has to happen outside of the transaction: to look, to be counted, and to send the mail."""
    if operation == "list-users":
        return Prepared(seen=await tool_pool.run(lambda: list_users(target)))
    if operation == "system-stats":
        return Prepared(seen=AdminResult(operation=operation, stats=await tool_pool.run(server_stats)))
    principal = call_of(ctx.request_context).principal
    user = await tool_pool.run(lambda: aimed_at(principal, operation, target))
    agreed = consent.given(outcome)
    await tool_pool.run(agreed.claim)
    refuse(await state.admit(Ticket(principal.owner, [Bucket(LIMITS[operation], principal.owner)])))
    if operation != "reset-password" or not (user.email and settings.MAIL_IS_SENT):
        return Prepared(agreed)
    link = PasswordLink(user)
    try:
        await asyncio.to_thread(link.send)
    except LinkRefused as refused:
        raise ToolError(str(refused)) from None
    return Prepared(agreed, link)


@tool(NAME, title="Admin Operations", groups=[ADMINISTRATORS], destructive=True, timeout=60, icon="shield")
def admin_operations(
    operation: Annotated[
        AdminOperation,
        Field(
            description="list-users; reset-password and delete-user (of `target`); system-stats.",
            examples=["list-users", "system-stats"],
        ),
    ],
    target: Annotated[
        str | None,
        Field(
            max_length=100,
            description="A user's id, as list-users shows it; for list-users: where the next page begins.",
        ),
    ] = None,
    confirm: Annotated[
        bool,
        Field(description="true once the user agreed, if your client cannot ask him itself; else he is asked."),
    ] = False,
    *,
    principal: CurrentPrincipal,
    log: CurrentLog,
    ready: Annotated[Prepared, Resolve(prepared)],
) -> AdminResult:
    """Administrative operations (admin only)

    List the accounts, take a password away (a link to choose a new one goes to the account's address; passwords
    are never an argument or a result), delete an account, or see how the server does.
    """
    found = target if operation in NEEDS_TARGET else None  # anything else might be anything
    log.info("Admin operation requested", userId=principal.account, operation=operation, target=found)
    if ready.seen is not None:
        return ready.seen
    if operation == "reset-password":
        return reset_password(principal, str(target), ready.agreed, ready.link, log.info)
    return delete_user(principal, str(target), ready.agreed, log.warning)


def list_users(after: str | None) -> AdminResult:
    if after is not None and not people.is_id(after):
        raise ToolError("The target of list-users is where the next page begins, as the page before it said.")
    users = people.listed(int(after or 0))
    page = users[: people.PAGE]
    return AdminResult(
        operation="list-users",
        users=[
            ListedUser(
                id=str(user.pk),
                username=visible(user.get_username()),
                role=role_of(user),
                is_active=user.is_active,
                last_seen=user.last_seen,  # type: ignore[attr-defined]  # annotated
            )
            for user in page
        ],
        next_target=str(page[-1].pk) if len(users) > len(page) else None,
    )


def role_of(user: User) -> str:
    """As `User.role`, of groups that were read for all."""
    names = sorted(group.name for group in user.groups.all())
    return "superuser" if user.is_superuser else ", ".join(names) or "none"


def reset_password(
    principal: Principal, target: str, agreed: Consent, link: PasswordLink | None, log: Callable[..., None]
) -> AdminResult:
    user = people.locked(principal, target, registry.tools[NAME].permission)
    if user.is_service:
        raise ToolError(f"{people.named(user)} is a service account: nobody signs in to it.")
    agreed.use()
    reason = f"the password was reset by {principal.username}"
    try:
        if link is not None:
            link.apply(user, reason)
            way = f"A link to choose a new one went to {masked(user.email)}, good once, for half an hour."
        else:
            user.take_password(make_password(None), reason)
            user.leave_link_to_operators()
            page = f"{settings.CONFIG.origin}{reverse('admin:sessions_app_user_change', args=[user.pk])}"
            why = "The server sends no mail." if user.email else "The account has no address."
            way = f"{why} An operator finds a link to hand over, shown once, at {page}"
    except LinkRefused as refused:
        raise ToolError(str(refused)) from None
    about = {"adminUserId": principal.account, "targetUserId": target}
    transaction.on_commit(partial(log, "Password reset completed", **about))
    keys = user.api_keys.valid().count()
    kept = f" {keys} API keys stay valid; revoke them in the admin." if keys else ""
    return AdminResult(
        operation="reset-password", message=f"Password reset for user {target} completed. {way}{kept}"
    )


def delete_user(principal: Principal, target: str, agreed: Consent, log: Callable[..., None]) -> AdminResult:
    """Credentials first. The record refers to nobody, so it keeps the name."""
    user = people.locked(principal, target, registry.tools[NAME].permission)
    people.check_deletable(principal, user)
    agreed.use()
    user.end_everything(f"the account was deleted by {principal.username}")
    user.delete()
    about = {"adminUserId": principal.account, "deletedUserId": target}
    transaction.on_commit(partial(log, "User deleted", **about))
    return AdminResult(operation="delete-user", message=f"User {target} has been deleted")
