"""What this server offers. Each app's `tools.py` is imported at start, and registers here.

    @tool("greet", groups=EVERYONE, read_only=True)
    def greet(name: str) -> str:
        \"\"\"Say hello.\"\"\"
        return f"Hello {name}"

Who may use it (`groups=` or `permission=`) is required; forgetting it is a TypeError at import.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mcp_types import ToolAnnotations

from sessions_app.limits import Limit
from sessions_app.principal import Principal

from .capabilities import Capability, Completion, MayFollow, Operation, Prompt, Resource, Tool
from .instance import Instance

ListInstances = Callable[[Principal], list[Instance]]
DEFAULT_TIMEOUT = 30.0
"""Seconds."""


class Registry:
    """Everything that callers may use, by name. Filled at import, then only read."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.resources: dict[str, Resource] = {}
        self.prompts: dict[str, Prompt] = {}
        self.completions: dict[tuple[str, str], Completion] = {}
        self.operations: dict[str, Operation] = {}
        self.instances: dict[str, ListInstances] = {}
        """By the name of the template whose instances they are."""

    def capabilities(self) -> Iterator[Capability]:
        yield from self.tools.values()
        yield from self.resources.values()
        yield from self.prompts.values()
        yield from self.operations.values()

    def find_resource(self, uri: str, principal: Principal) -> tuple[Resource | None, dict[str, Any]]:
        """What `uri` is to this caller, and its variables: a resource of exactly that URI before any template.

        An open one before one that is hidden from him; that is for the gate to refuse.
        """
        hidden: tuple[Resource | None, dict[str, Any]] = None, {}
        for resource in sorted(self.resources.values(), key=lambda resource: resource.is_template):
            if (variables := resource.match(uri)) is not None:
                if resource.is_open_to(principal):
                    return resource, variables
                hidden = hidden if hidden[0] else (resource, variables)
        return hidden

    def tool[F: Callable[..., Any]](
        self,
        name: str,
        *,
        groups: Iterable[str] | None = None,
        permission: str | None = None,
        title: str | None = None,
        read_only: bool = False,
        destructive: bool = False,
        idempotent: bool = False,
        open_world: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        limit: Limit | None = None,
        icon: str = "",
    ) -> Callable[[F], F]:
        """Register a tool. `async def` is for I/O and may only read, so it has to say `read_only=True`.

        `limit` is counted for each caller, beside his limit for all calls; operators may set another rate. `icon`
        names a file below static/tools_app/icons/.
        """

        def register(fn: F) -> F:
            annotations = ToolAnnotations(
                title=title,
                read_only_hint=read_only,
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=open_world,
            )
            add(
                self.tools,
                name,
                Tool(
                    name,
                    fn,
                    groups,
                    permission,
                    title=title,
                    timeout=timeout,
                    annotations=annotations,
                    limit=limit,
                    icon=icon,
                ),
            )
            return fn

        return register

    def resource[F: Callable[..., Any]](
        self,
        uri: str,
        *,
        name: str,
        groups: Iterable[str] | None = None,
        permission: str | None = None,
        title: str | None = None,
        mime_type: str = "text/plain",
        timeout: float = DEFAULT_TIMEOUT,
        icon: str = "",
        may_follow: MayFollow | None = None,
    ) -> Callable[[F], F]:
        """Register a resource, or a template if `uri` has `{variables}` (RFC 6570): they become arguments.

        `may_follow(principal, **variables)` says who may subscribe, where the permission alone does not. It is
        asked again before anything is told, so it has to be quick.
        """

        def register(fn: F) -> F:
            add(
                self.resources,
                name,
                Resource(
                    name,
                    fn,
                    groups,
                    permission,
                    uri=uri,
                    title=title,
                    mime_type=mime_type,
                    timeout=timeout,
                    icon=icon,
                    may_follow=may_follow,
                ),
            )
            return fn

        return register

    def list_instances[F: ListInstances](self, of: str) -> Callable[[F], F]:
        """Register what `resources/list` has of a template, by its name: those that the caller may read.

        `def rooms(principal: Principal) -> list[Instance]`, on a pool thread.
        """

        def register(fn: F) -> F:
            if of in self.instances:
                raise ValueError(f"{of!r} is registered twice")
            self.instances[of] = fn
            return fn

        return register

    def prompt[F: Callable[..., Any]](
        self,
        name: str,
        *,
        groups: Iterable[str] | None = None,
        permission: str | None = None,
        title: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        icon: str = "",
    ) -> Callable[[F], F]:
        """Register a prompt: a function of strings that returns a text or messages."""

        def register(fn: F) -> F:
            add(self.prompts, name, Prompt(name, fn, groups, permission, title=title, timeout=timeout, icon=icon))
            return fn

        return register

    def operation[F: Callable[..., Any]](
        self,
        name: str,
        *,
        groups: Iterable[str] | None = None,
        permission: str | None = None,
        title: str | None = None,
        read_only: bool = False,
    ) -> Callable[[F], F]:
        """Register work that `rate-limited-operation` does by its name, within that tool's time.

        It runs in one transaction with the record, unless it is `read_only`. It returns what JSON has; a member
        `resources` lists the URIs of more.
        """

        def register(fn: F) -> F:
            add(self.operations, name, Operation(name, fn, groups, permission, title=title, read_only=read_only))
            return fn

        return register

    def completion[F: Callable[..., Any]](self, of: str, argument: str) -> Callable[[F], F]:
        """Register suggestions for one argument of a prompt or resource template, by its name.

        Whoever may use the prompt or template may ask. The function takes what was typed so far (`value`), and the
        arguments that are chosen already if it has a parameter `context`; it returns a list of strings.
        """

        def register(fn: F) -> F:
            add(self.completions, (of, argument), Completion(f"{of}.{argument}", fn))
            return fn

        return register


def add[K, V](entries: dict[K, V], key: K, value: V) -> None:
    if key in entries:
        raise ValueError(f"{key!r} is registered twice")
    entries[key] = value


registry = Registry()
tool = registry.tool
resource = registry.resource
prompt = registry.prompt
completion = registry.completion
instances = registry.list_instances
operation = registry.operation
