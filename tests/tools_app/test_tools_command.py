"""`manage.py tools`: what there is, who may use it, how often; and what a model would miss."""

import io
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from sessions_app.limits import Limit
from sessions_app.permissions import EVERYONE
from sessions_app.rates import HOUR
from tools_app.management.commands import tools as command
from tools_app.models import ToolPolicy
from tools_app.registry import Registry, registry
from tools_app.schema_problems import problems_of


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """An empty registry that the command lists."""
    monkeypatch.setattr(command, "registry", own := Registry())
    return own


def listed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tools", *arguments, stdout=out)
    return out.getvalue()


def problems(fn: Callable[..., Any], name: str = "greet", title: str | None = "Greet") -> list[str]:
    own = Registry()
    own.tool(name, title=title, groups=EVERYONE)(fn)
    return problems_of(own.tools[name])


def greet(name: Annotated[str, Field(description="Whom to greet", examples=["Ada"])]) -> str:
    """Say hello."""
    return f"Hello {name}"


def test_everything_is_listed_with_who_may_use_it(db_for_threads: None) -> None:
    lines = listed().splitlines()
    for capability in registry.capabilities():
        (at,) = (at for at, line in enumerate(lines) if line.split() == listing(capability))
        assert lines[at + 2].startswith(f"{'':<10}groups: ")
    assert lines[-1].startswith(f"{len(registry.tools)} tools, ")
    assert f"{len(registry.completions)} completions;" in lines[-1]


def listing(capability: Any) -> list[str]:
    return [capability.noun, capability.name, capability.permission]


def test_no_line_is_longer_than_a_hundred(own: Registry, db_for_threads: None) -> None:
    for line in listed().splitlines():
        assert len(line) <= 100
    group = Group.objects.create(name="Bakers " * 20)
    group.permissions.add(Permission.objects.get(codename="call_echo"))
    own.tool("t" * 90, groups=EVERYONE)(documented)
    own.tool("echo", groups=EVERYONE)(documented)
    lines = listed().splitlines()
    longer = [line for line in lines if len(line) > 100]
    assert longer == [f"{'':<10}tools_app.call_{'t' * 90}"]  # only what cannot be broken
    assert any(line.endswith(" …") for line in lines)


def documented() -> str:
    return ""


documented.__doc__ = "Say what there is to say. " * 8


def test_a_tool_is_listed_with_its_limit_and_what_it_does(own: Registry, db_for_threads: None) -> None:
    own.tool("a", groups=(), limit=Limit("a", 3, HOUR), timeout=0.5, destructive=True)(greet)
    own.tool("b", groups=(), limit=Limit("b", 3, HOUR), read_only=True)(greet)
    own.tool("c", groups=())(greet)
    own.tool("d", groups=())(greet)
    ToolPolicy.objects.create(tool="b", rate="6/m")
    ToolPolicy.objects.create(tool="c", rate="9/h")
    ToolPolicy.objects.create(tool="d", rate="")
    own.tool("e", groups=(), timeout=5)(greet)
    own.prompt("f", groups=())(greet)
    ToolPolicy.objects.create(tool="e", is_on=False, timeout=60)
    ToolPolicy.objects.create(tool="f", is_on=False)  # of a tool that is no more; the prompt is not meant
    lines = [line.strip() for line in listed().splitlines() if "timeout" in line]
    assert lines.pop(0) == "read-only, timeout 30 s"
    traits = lines
    assert traits == [
        "destructive, timeout 0.5 s, limit 3/h",
        "read-only, timeout 30 s, limit 6/m by operators (by its developer: 3/h)",
        "writes, timeout 30 s, limit 9/h by operators (by its developer: none)",
        "writes, timeout 30 s, limit none",
        "SWITCHED OFF, writes, timeout 60 s by operators (by its developer: 5 s), limit none",
    ]


def test_who_is_in_no_group_is_said(own: Registry, db_for_threads: None) -> None:
    own.tool("nobody-s", groups=())(greet)
    assert "groups: none" in listed()


def test_a_check_fails_if_there_are_problems(own: Registry, db_for_threads: None) -> None:
    own.tool("greet", title="Greet", groups=EVERYONE)(greet)
    assert "1 tool, 0 resources, 0 prompts, 0 operations, 0 completions; 0 problems" in listed("--check")
    own.tool("untitled", groups=EVERYONE)(greet)
    assert f"{'':<10}problem: no title" in listed().splitlines()
    with pytest.raises(CommandError, match=r"^1 problem, listed above\.$") as raised:
        listed("--check")
    assert raised.value.returncode == 1


def test_what_ships_has_no_problems() -> None:
    for tool in registry.tools.values():
        if tool.function.fn.__module__.startswith(("tools_app.", "collab_app.")):
            assert problems_of(tool) == [], tool.name


def test_a_tool_that_says_everything_has_no_problems() -> None:
    assert problems(greet) == []
    assert problems(no_arguments) == []


def no_arguments() -> str:
    """Say hello to nobody."""
    return "Hello"


def test_it_misses_a_title_and_a_description() -> None:
    def bare() -> str:
        return ""

    assert problems(bare, title=None) == ["no title", "no description: the function has no docstring"]


def test_it_misses_descriptions_of_arguments_and_examples() -> None:
    def order(item: str, number: int = 1) -> str:
        """Order."""
        return ""

    assert problems(order) == [
        "no description of the argument item",
        "no description of the argument number",
        "no example: no argument has any in its schema",
    ]


def test_what_is_injected_is_no_argument() -> None:
    from tools_app.context import CurrentPrincipal

    def whoami(*, principal: CurrentPrincipal) -> str:
        """Say who."""
        return principal.username

    assert problems(whoami) == []


def test_a_model_describes_the_argument_that_it_is() -> None:
    class Item(BaseModel):
        """What to order, and how much of it."""

        name: str

    class Bare(BaseModel):
        name: str

    def order(
        item: Item,
        bare: Bare,
        size: Annotated[Literal["S", "L"], Field(description="How large", examples=["S"])],
    ) -> str:
        """Order."""
        return ""

    globals().update(Item=Item, Bare=Bare)
    assert problems(order) == ["no description of the argument bare"]


def test_it_misses_an_output_schema() -> None:
    def untyped():  # type: ignore[no-untyped-def]
        """Return who knows what."""

    def whole() -> CallToolResult:
        """Return what came to the protocol."""
        return CallToolResult(content=[TextContent(text="x")])

    for fn in (untyped, whole):
        assert problems(fn) == ["no output schema: the function's return type is none, or is no schema"]


@pytest.mark.parametrize("name", ["a", "a.b_c-D9", "t" * 64])
def test_a_name_that_every_client_takes(name: str) -> None:
    assert problems(greet, name) == []


@pytest.mark.parametrize("name", ["a b", "a/b", "grüße", "t" * 65, "a\n"])
def test_a_name_that_some_clients_refuse(name: str) -> None:
    (problem,) = problems(greet, name)
    assert problem.startswith("the name is not")
