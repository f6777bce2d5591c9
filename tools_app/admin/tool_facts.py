"""How the facts of a tool are written, in the list and on its page."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from sessions_app.admin.history import link
from sessions_app.plain_text import visible
from sessions_app.unfolded import display
from tools_app.facts import ToolFacts
from tools_app.registry import registry

from .block import json_block, plain
from .lately import outcomes_of

GONE = "There is no such tool any more"
STATES = {"on": "success", "off": "danger", "gone": "warning"}
# A docstring's line ends where its source did. What looks like an item or a table keeps its own line.
WITHIN_PARAGRAPH = re.compile(r"(?<=\S)[ \t]*\n(?=[^\s\-*#|>`\d])")
EFFECTS = {"reads": "info", "writes": "warning", "destroys": "danger"}


def seconds(number: float) -> str:
    return f"{number:g} s"


def effect_of(facts: ToolFacts) -> tuple[str, str]:
    if facts.is_read_only:
        return "reads", "read-only"
    return ("destroys", "destructive") if facts.is_destructive else ("writes", "writes")


def callers_of(facts: ToolFacts) -> str:
    many = f"at least {facts.callers:,}" if facts.has_more_callers else f"{facts.callers:,}"
    return f"{many} and guests" if facts.is_for_guests else many


class FactsInList(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    @display(description="tool", ordering="tool", header=True)  # type: ignore[untyped-decorator]
    def name(self, policy: Any) -> tuple[str, str]:
        return visible(policy.tool), visible(policy.facts.title) if policy.facts else GONE

    @display(description="state", ordering="is_on", label=STATES)  # type: ignore[untyped-decorator]
    def state(self, policy: Any) -> tuple[str, str]:
        if policy.facts is None:
            return "gone", "gone"
        return ("on", "on") if policy.is_on else ("off", "off")

    @display(description="does", label=EFFECTS)  # type: ignore[untyped-decorator]
    def effect(self, policy: Any) -> tuple[str, str] | None:
        return effect_of(policy.facts) if policy.facts else None

    @display(description="who may call it", header=True)  # type: ignore[untyped-decorator]
    def who(self, policy: Any) -> tuple[str, str]:
        facts = policy.facts
        if facts is None:
            return "—", ""
        return ", ".join(facts.groups) or "No group", facts.permission

    @admin.display(description="users")
    def users(self, policy: Any) -> str:
        return callers_of(policy.facts) if policy.facts else "—"

    @admin.display(description="limit")
    def limit(self, policy: Any) -> str:
        return policy.facts.limit or "—" if policy.facts else policy.rate or "—"

    @admin.display(description="timeout")
    def time(self, policy: Any) -> str:
        return seconds(policy.facts.timeout) if policy.facts else "—"

    @admin.display(description="calls in 24 h")
    def calls(self, policy: Any) -> str:
        return f"{policy.lately.calls:,}"

    @admin.display(description="errors")
    def errors(self, policy: Any) -> str:
        return f"{policy.lately.errors:,}"

    @admin.display(description="p95")
    def p95(self, policy: Any) -> str:
        slowest: str = policy.lately.slowest
        return slowest


class FactsOnPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Of a tool that there is."""

    @admin.display(description="name")
    def shown_name(self, policy: Any) -> str:
        return visible(policy.tool) if policy.facts else f"{visible(policy.tool)}. {GONE}."

    @admin.display(description="title")
    def title(self, policy: Any) -> str:
        return policy.facts.title or "—"

    @admin.display(description="description")
    def description(self, policy: Any) -> str:
        return format_html(
            '<div class="lines">{}</div>', plain(WITHIN_PARAGRAPH.sub(" ", policy.facts.description)) or "—"
        )

    @admin.display(description="as its developer wrote it")
    def as_written(self, policy: Any) -> str:
        facts = policy.facts
        return (
            f"limit: {facts.developers_limit or 'none of its own'}; timeout: {seconds(facts.developers_timeout)}"
        )

    @admin.display(description="does")
    def annotations(self, policy: Any) -> str:
        facts = policy.facts
        hints = [effect_of(facts)[1]]
        hints += ["idempotent: twice is as once"] * facts.is_idempotent
        hints += ["open world: it reaches beyond this server"] * facts.is_open_world
        return "; ".join(hints)

    @admin.display(description="arguments (input schema)")
    def input_schema(self, policy: Any) -> str:
        return json_block(policy.facts.input_schema)

    @admin.display(description="result (output schema)")
    def output_schema(self, policy: Any) -> str:
        schema = policy.facts.output_schema
        return json_block(schema) if schema is not None else "Text only"

    @admin.display(description="permission")
    def permission(self, policy: Any) -> str:
        facts = policy.facts
        said = format_html(
            "{} <code>{}</code>", facts.permission_name or "Not made yet: migrate.", facts.permission
        )
        others = [
            tool.name
            for tool in registry.tools.values()
            if tool.permission == facts.permission and tool.name != facts.name
        ]
        if registry.tools[facts.name].owns_permission and not others:
            return said
        also = f", and decides about {', '.join(others)} too" if others else ""
        return format_html("{}<br>It is not this tool's alone: it gives more than the tool{}.", said, also)

    @admin.display(description="groups that have it")
    def groups_that_have_it(self, policy: Any) -> str:
        rows = Group.objects.filter(name__in=policy.facts.groups).order_by("name")
        shown = [
            link(Group, row.pk if policy.seer.has_perm("auth.view_group") else None, row.name) for row in rows
        ]
        return format_html_join(", ", "{}", ((one,) for one in shown)) or "None"

    @admin.display(description="who may call it now")
    def callers(self, policy: Any) -> str:
        users = f"users: {callers_of(policy.facts)}"
        return users.capitalize() if policy.is_on else f"Nobody: it is off. Switched on, {users}."

    @admin.display(description="calls")
    def outcomes(self, policy: Any) -> str:
        said = ", ".join(f"{outcome}: {count:,}" for outcome, count in outcomes_of(policy.tool)) or "None"
        if not policy.seer.has_perm("tools_app.view_toolcall"):
            return said
        at = f"{reverse('admin:tools_app_toolcall_changelist')}?{urlencode({'kind': 'tool', 'tool': policy.tool})}"
        return format_html('{} (<a href="{}">the record</a>)', said, at)

    @admin.display(description="95 of 100 took at most")
    def slowest(self, policy: Any) -> str:
        slowest: str = policy.lately.slowest
        return slowest
