"""What is known of a server that is fuzzed."""

from dataclasses import dataclass, field
from typing import Any

from tests.failure.chance import Chance

TOKEN = "a" * 32
"""Of a browser's, against forged forms."""
Headers = list[tuple[str, str]]


@dataclass
class Form:
    path: str
    method: str
    fields: list[tuple[str, str]]


@dataclass
class Given:
    """What is known of a server that is fuzzed, and what it gave to its clients."""

    host: str
    members: list[str]
    """Keys."""
    operator: str
    cookies: list[str]
    paths: list[str]
    rooms: list[str]
    sessions: list[tuple[str, str]] = field(default_factory=list)
    """Keys, and ids of sessions opened with them."""
    tools: list[dict[str, Any]] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    api: dict[str, Any] = field(default_factory=dict)
    """The OpenAPI document."""
    forms: list[Form] = field(default_factory=list)
    queries: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    """Of links on pages: where they lead, and with what."""

    @property
    def likely(self) -> list[str]:
        return [*self.rooms, *self.uris, "member1", "member2", "never", "time-zone", "plan", "hello", *LIKELY]

    def key(self, chance: Chance) -> str:
        return self.operator if chance.one_in(8) else chance.choice(self.members)


LIKELY = (
    "get", "set", "delete", "list", "create", "join", "leave", "message", "state", "invite", "echo", "worker",
    "menu",
    "item", "suggest", "drink", "debug", "error", "list-users", "system-stats", "count-the-till", "100/h", "30d",
)  # fmt: skip
METHODS = (
    "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/templates/list",
    "resources/read",
    "resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get", "completion/complete",
    "logging/setLevel", "server/discover", "subscriptions/listen", "notifications/initialized",
    "notifications/cancelled", "notifications/progress", "notifications/roots/list_changed", "tasks/get",
    "tasks/list", "tasks/cancel", "tasks/result", "sampling/createMessage", "elicitation/create", "roots/list",
)  # fmt: skip
ABOUT = {"name": "fuzz", "version": "1"}
