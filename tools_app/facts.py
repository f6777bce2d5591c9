"""What operators want to know of tools: what each does, who may call it, what was decided. Few queries for all."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db.models import Case, Count, Exists, OuterRef, Q, Sum, Value, When

from sessions_app.limits import Limit
from sessions_app.models import User
from sessions_app.permissions import GUESTS

from .capabilities import Tool
from .models import ToolPolicy
from .models.tool_policy import UNDECIDED, Decision
from .policies import limit_at

MOST_COUNTED = 10_000
"""Users who are looked at. With more of them, those who may call a tool are at least as many as is said."""


@dataclass(frozen=True, slots=True)
class ToolFacts:
    name: str
    title: str
    """Empty if it has none."""
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    is_read_only: bool
    is_destructive: bool
    is_idempotent: bool
    is_open_world: bool
    permission: str
    """`app_label.codename`."""
    permission_name: str
    """For people; empty while there is no such row, and so nobody who has it."""
    groups: tuple[str, ...]
    """That have the permission, by name."""
    is_for_guests: bool
    callers: int
    """Active users who may call it while it is on."""
    has_more_callers: bool
    """Perhaps: there are more users than were looked at."""
    is_on: bool
    limit: str
    """Such as `100/h`, as it is now. Empty: none of its own."""
    developers_limit: str
    timeout: float
    """Seconds, as it is now."""
    developers_timeout: float


@dataclass(slots=True)
class Grant:
    """Who has one permission."""

    name: str
    groups: dict[int, str] = field(default_factory=dict)
    """By primary key: the name."""
    own: set[int] = field(default_factory=set)
    """Rows of it that some have without a group. As a rule there is one row, of which nobody has it so."""

    @property
    def holders(self) -> "Holders":
        return Holders(frozenset(self.groups), frozenset(self.own))


class Holders(NamedTuple):
    """Those who are in one of the groups, or have the permission themselves. Many permissions have the same."""

    groups: frozenset[int]
    permissions: frozenset[int]

    @property
    def question(self) -> Q:
        """Whether a user is one of them."""
        asked = Q(is_superuser=True)
        if self.groups:
            memberships = User.groups.through.objects.filter(user=OuterRef("pk"), group__in=self.groups)
            asked |= Q(Exists(memberships))
        if self.permissions:
            own = User.user_permissions.through.objects.filter(
                user=OuterRef("pk"), permission__in=self.permissions
            )
            asked |= Q(Exists(own))
        return asked


class Counted(NamedTuple):
    users: Mapping[Holders, int]
    has_more: bool


def facts_of(tools: Iterable[Tool]) -> list[ToolFacts]:
    """In their order. Five queries."""
    tools = list(tools)
    decisions = ToolPolicy.decisions()
    grants = grants_of({tool.permission for tool in tools})
    counted = count_users({grant.holders for grant in grants.values()})
    return [
        facts(tool, decisions.get(tool.name, UNDECIDED), grants.get(tool.permission), counted) for tool in tools
    ]


def facts(tool: Tool, decision: Decision, grant: Grant | None, counted: Counted) -> ToolFacts:
    does, groups = tool.annotations, sorted(grant.groups.values()) if grant is not None else []
    return ToolFacts(
        name=tool.name,
        title=tool.title or "",
        description=tool.description,
        input_schema=tool.function.input_schema,
        output_schema=tool.function.metadata.output_schema,
        is_read_only=bool(does.read_only_hint),
        is_destructive=bool(does.destructive_hint),
        is_idempotent=bool(does.idempotent_hint),
        is_open_world=bool(does.open_world_hint),
        permission=tool.permission,
        permission_name=grant.name if grant is not None else "",
        groups=tuple(groups),
        is_for_guests=settings.CONFIG.guests and GUESTS in groups,
        callers=counted.users[grant.holders] if grant is not None else 0,
        has_more_callers=counted.has_more and grant is not None,
        is_on=decision.is_on,
        limit=rate_of(limit_at(decision.rate, tool)),
        developers_limit=rate_of(tool.limit),
        timeout=decision.timeout or tool.timeout,
        developers_timeout=tool.timeout,
    )


def rate_of(limit: Limit | None) -> str:
    return "" if limit is None else limit.rate


def grants_of(permissions: Collection[str]) -> dict[str, Grant]:
    """Of those that have a row, by `app_label.codename`."""
    labels, codenames = (
        zip(*(name.split(".", 1) for name in permissions), strict=True) if permissions else ((), ())
    )
    rows = Permission.objects.filter(content_type__app_label__in=labels, codename__in=codenames).order_by()
    grants: dict[str, Grant] = {}
    by_pk: dict[int, Grant] = {}
    for pk, label, codename, name in rows.values_list("pk", "content_type__app_label", "codename", "name"):
        by_pk[pk] = grants.setdefault(f"{label}.{codename}", Grant(name))
    through = Group.permissions.through.objects.filter(permission__in=by_pk)
    for pk, group, name in through.values_list("permission_id", "group_id", "group__name"):
        by_pk[pk].groups[group] = name
    own = User.user_permissions.through.objects.filter(permission__in=by_pk)
    for pk in own.order_by().values_list("permission_id", flat=True).distinct():
        by_pk[pk].own.add(pk)
    return grants


def count_users(holders: Collection[Holders]) -> Counted:
    """One look at the users for all of them."""
    columns = {f"is_{number}": one.question for number, one in enumerate(holders)}
    marks = {name: Case(When(question, then=Value(1)), default=Value(0)) for name, question in columns.items()}
    looked_at = User.objects.filter(is_active=True).order_by().annotate(**marks)[: MOST_COUNTED + 1]
    totals = looked_at.aggregate(seen=Count("pk"), **{f"sum_{name}": Sum(name) for name in marks})
    users = {one: totals[f"sum_is_{number}"] or 0 for number, one in enumerate(holders)}
    return Counted(users, totals["seen"] > MOST_COUNTED)
