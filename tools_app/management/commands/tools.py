from collections.abc import Iterator, Sized
from textwrap import shorten, wrap
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError

from tools_app.capabilities import Capability, Operation, Tool
from tools_app.models import ToolPolicy
from tools_app.models.tool_policy import UNDECIDED, Decision
from tools_app.policies import limit_at
from tools_app.registry import registry
from tools_app.schema_problems import problems_of

WIDTH = 100
INDENT = " " * 10


class Command(BaseCommand):
    help = (
        "List the tools, resources and prompts of this server: who may use each, how often, whether operators have"
        " switched it off, and what a model would miss in how a tool describes itself."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--check", action="store_true", help="End with status 1 if there are problems.")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        decisions = ToolPolicy.decisions()
        for capability in sorted(registry.capabilities(), key=lambda one: (one.noun, one.name)):
            decision = decisions.get(capability.name, UNDECIDED) if isinstance(capability, Tool) else UNDECIDED
            for line in described(capability, decision):
                self.stdout.write(line)
            self.stdout.write("")
        problems = sum(len(problems_of(tool)) for tool in registry.tools.values())
        self.stdout.write(f"{counts()}; {number(problems, 'problem')}")
        if check and problems:
            raise CommandError(f"{number(problems, 'problem')}, listed above.")


def described(capability: Capability, decision: Decision) -> Iterator[str]:
    name = f"{capability.noun:<9} {capability.name:<28} {capability.permission}"
    yield from [name] if len(name) <= WIDTH else [name[: -len(capability.permission)].rstrip()]
    if len(name) > WIDTH:
        yield f"{INDENT}{capability.permission}"
    if summary := capability.description.partition("\n")[0]:
        yield INDENT + shorten(summary, WIDTH - len(INDENT), placeholder=" …")
    yield from lines("groups: ", ", ".join(groups_with(capability)) or "none")
    yield from lines("", ", ".join(traits(capability, decision)))
    if isinstance(capability, Tool):
        for problem in problems_of(capability):
            yield from lines("problem: ", problem)


def traits(capability: Capability, decision: Decision) -> Iterator[str]:
    """Whether it is there at all, what it does, how long it may take, and how often each caller may call it."""
    if not decision.is_on:
        yield "SWITCHED OFF"
    if isinstance(capability, Operation):
        yield "read-only" if capability.read_only else "writes"
        return
    if not isinstance(capability, Tool):
        yield "read-only"
    elif capability.writes:
        yield "destructive" if capability.annotations.destructive_hint else "writes"
    else:
        yield "read-only"
    yield f"timeout {timeout_of(capability, decision)}"
    if isinstance(capability, Tool):
        yield f"limit {limit_of(capability, decision.rate)}"


def timeout_of(capability: Capability, decision: Decision) -> str:
    """As `limit_of`."""
    if decision.timeout in (None, capability.timeout):
        return f"{capability.timeout:g} s"
    return f"{decision.timeout} s by operators (by its developer: {capability.timeout:g} s)"


def limit_of(tool: Tool, rate: str) -> str:
    """The developer's, and what operators made of it."""
    own, current = tool.limit, limit_at(rate, tool)
    if current is None:
        return "none"
    if current == own:
        return current.rate
    return f"{current.rate} by operators (by its developer: {own.rate if own else 'none'})"


def groups_with(capability: Capability) -> list[str]:
    app_label, codename = capability.permission.split(".", 1)
    groups = Group.objects.filter(permissions__content_type__app_label=app_label, permissions__codename=codename)
    return sorted(groups.distinct().values_list("name", flat=True))


def lines(label: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=INDENT + label, subsequent_indent=INDENT + " " * len(label))


def counts() -> str:
    kinds: dict[str, Sized] = {
        "tool": registry.tools,
        "resource": registry.resources,
        "prompt": registry.prompts,
        "operation": registry.operations,
        "completion": registry.completions,
    }
    return ", ".join(number(len(entries), kind) for kind, entries in kinds.items())


def number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
