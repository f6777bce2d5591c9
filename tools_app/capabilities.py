"""The nouns that a server offers: tools, resources, prompts, completions."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import mcp_types as types
from django.db import Error as DatabaseFailure
from mcp.shared.inbound import x_mcp_header_map
from mcp.shared.uri_template import UriTemplate

from sessions_app.limits import Limit
from sessions_app.principal import Principal

from .function import Function
from .icons import icon_of
from .models import ToolCall
from .policies import policies

logger = logging.getLogger(__name__)

MayFollow = Callable[..., Awaitable[bool]]
"""Takes the principal, and the template's variables by name."""
LONGEST_NAME = 90
"""Characters; the name is part of a permission's codename, of which Django allows 100."""


class Capability:
    """Something that some callers may use. One permission decides who, and that alone."""

    kind: ToolCall.Kind
    noun = ""
    """What a developer calls it."""
    verb = ""

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any],
        groups: Iterable[str] | None,
        permission: str | None,
        *,
        title: str | None,
        timeout: float,
        icon: str = "",
        structured: bool | None = None,
    ) -> None:
        if (groups is None) == (permission is None):
            raise TypeError(f"{name}: say who may use it, with groups= or with permission=")
        if len(name) > LONGEST_NAME:
            raise ValueError(f"{name}: a name has at most {LONGEST_NAME} characters")
        if isinstance(groups, str):
            raise TypeError(f"{name}: groups= takes several names, not one string")
        self.name = name
        self.title = title
        self.timeout = timeout
        self.icons = icon_of(icon) or None
        self.groups = tuple(groups or ())
        self.owns_permission = permission is None
        self.permission = permission or f"{ToolCall._meta.app_label}.{self.codename}"
        self.function = Function(fn, name, structured=structured)

    @property
    def codename(self) -> str:
        return f"{self.verb}_{self.name}"

    @property
    def permission_label(self) -> str:
        return f"Can {self.verb} {self.name}"

    @property
    def description(self) -> str:
        return self.function.description

    @property
    def writes(self) -> bool:
        """Whether it runs in a transaction together with its record."""
        return False

    @property
    def time_limit(self) -> float:
        """Seconds that a call may take, by now."""
        return self.timeout

    def is_open_to(self, principal: Principal) -> bool:
        return principal.may(self.permission)


class Tool(Capability):
    kind = ToolCall.Kind.TOOL
    noun = "tool"
    verb = "call"

    def __init__(
        self, *args: Any, annotations: types.ToolAnnotations, limit: Limit | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.annotations = annotations
        self.limit = limit
        if self.function.is_async and self.writes:
            raise TypeError(f"{self.name}: an async tool may only read, so it needs read_only=True")
        self.has_header_arguments = bool(x_mcp_header_map(self.function.input_schema))
        self.wire = dump(
            types.Tool(
                name=self.name,
                title=self.title,
                description=self.description,
                input_schema=self.function.input_schema,
                output_schema=self.function.metadata.output_schema,
                annotations=annotations,
                icons=self.icons,
            )
        )

    @property
    def writes(self) -> bool:
        return not self.annotations.read_only_hint

    @property
    def time_limit(self) -> float:
        return policies.of(self.name).timeout or self.timeout

    def is_open_to(self, principal: Principal) -> bool:
        """Not while operators have switched it off: then it is as if it did not exist.

        It is known as of the last look at the database, which every call and every stream takes care of. Other
        code has to read `ToolPolicy.decisions()`.
        """
        return principal.may(self.permission) and self.name not in policies.off


class Resource(Capability):
    kind = ToolCall.Kind.RESOURCE
    noun = "resource"
    verb = "read"

    def __init__(
        self, *args: Any, uri: str, mime_type: str, may_follow: MayFollow | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, structured=False, **kwargs)
        self.may_follow = may_follow
        self.uri = uri
        self.mime_type = mime_type
        self.is_template = UriTemplate.is_template(uri)
        self._template = UriTemplate.parse(uri)
        described: dict[str, Any] = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "mime_type": mime_type,
            "icons": self.icons,
        }
        self.wire = dump(
            types.ResourceTemplate(uri_template=uri, **described)
            if self.is_template
            else types.Resource(uri=uri, **described)
        )

    def match(self, uri: str) -> dict[str, Any] | None:
        """The template's variables in `uri`; None if it is another resource's."""
        if not self.is_template:
            return {} if uri == self.uri else None
        variables = self._template.match(uri)
        if variables is not None and any("\x00" in str(value) for value in variables.values()):
            return None  # percent-encoded, for strict JSON has none; PostgreSQL would refuse it
        return variables

    async def lets_follow(self, principal: Principal, uri: str, variables: dict[str, Any]) -> bool:
        """Whether this caller may be told that `uri`, which has these variables, changed.

        Raises: DatabaseFailure, which says nothing yet.
        """
        if not self.is_open_to(principal) or not self.is_spelled(uri, variables):
            return False
        try:
            return self.may_follow is None or await self.may_follow(principal, **variables)
        except DatabaseFailure:
            raise
        except Exception:  # what one app got wrong must not end others' streams
            logger.exception("%s could not say who may follow it", self.name)
            return False

    def is_spelled(self, uri: str, variables: dict[str, Any]) -> bool:
        """Whether changes are told under this URI: what may be read as `room://%61` is told as `room://a`."""
        return not self.is_template or self._template.expand(variables) == uri


class Prompt(Capability):
    kind = ToolCall.Kind.PROMPT
    noun = "prompt"
    verb = "use"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, structured=False, **kwargs)
        schema = self.function.input_schema
        self.wire = dump(
            types.Prompt(
                name=self.name,
                title=self.title,
                description=self.description,
                icons=self.icons,
                arguments=[
                    types.PromptArgument(
                        name=name,
                        description=about.get("description"),
                        required=name in schema.get("required", ()),
                    )
                    for name, about in schema["properties"].items()
                ],
            )
        )


class Operation(Capability):
    """Work that `rate-limited-operation` does when it is named. It takes no arguments, and may ask for context."""

    kind = ToolCall.Kind.TOOL  # recorded as the tool that does it
    noun = "operation"
    verb = "run"

    def __init__(self, *args: Any, read_only: bool, **kwargs: Any) -> None:
        super().__init__(*args, timeout=0.0, structured=False, **kwargs)
        self.read_only = read_only
        if self.function.is_async or self.function.input_schema["properties"]:
            raise TypeError(f"{self.name}: an operation is a plain function of what it may ask for, and no more")


class Completion:
    """Suggestions for one argument. Open to whoever may use what the argument belongs to."""

    kind = ToolCall.Kind.COMPLETION
    writes = False
    time_limit = 5.0

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.name = name
        self.function = Function(fn, name, structured=False)


def visible[C: Capability](capabilities: Iterable[C], principal: Principal) -> list[C]:
    return [capability for capability in capabilities if capability.is_open_to(principal)]


def names(capabilities: Iterable[Capability]) -> frozenset[str]:
    return frozenset(capability.name for capability in capabilities)


def dump(model: Any) -> dict[str, Any]:
    wire: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return wire
