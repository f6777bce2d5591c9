"""The list of tools, with what is known of each: the same few queries for all that are on the page."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from tools_app.facts import facts_of
from tools_app.models import ToolPolicy
from tools_app.registry import registry

from .lately import NEVER, lately_of


class ToolList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        note(self.result_list)


def note(policies: Sequence[ToolPolicy]) -> None:
    """As `policy.facts` (None: there is no such tool any more) and `policy.lately`."""
    names = [policy.tool for policy in policies]
    facts = {found.name: found for found in facts_of(registry.tools[name] for name in names if is_there(name))}
    lately = lately_of(names)
    for policy in policies:
        policy.facts = facts.get(policy.tool)  # type: ignore[attr-defined]
        policy.lately = lately.get(policy.tool, NEVER)  # type: ignore[attr-defined]


def is_there(tool: str) -> bool:
    return tool in registry.tools


class IsOn(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from (("on", "On"), ("off", "Off"), ("gone", "Gone"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolPolicy]) -> QuerySet[ToolPolicy]:
        match self.value():
            case "on" | "off" as state:
                return queryset.filter(tool__in=registry.tools, is_on=state == "on")
            case "gone":
                return queryset.exclude(tool__in=registry.tools)
        return queryset
