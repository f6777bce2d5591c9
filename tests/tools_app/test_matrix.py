"""Who sees what: every role, by every kind of credential, on every wire. Listed if and only if callable."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sessions_app.credentials import guest
from sessions_app.jwt import own
from sessions_app.limits import Limit
from sessions_app.models import ApiKey, SessionToken, TokenFamily, User
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from sessions_app.pool import identity_pool
from tests.clients import CLIENTS, Client
from tests.conftest import make_user
from tests.sessions_app.test_guests import GuestDurable, GuestWire
from tests.wire import Answer, Wire
from tools_app.registry import registry

pytestmark = pytest.mark.alike

NARROW = ["tools_app.call_echo", "tools_app.read_menu", "tools_app.call_restock", "tools_app.use_suggest"]
HIDDEN = (-32602, -32002)
"""What an unknown name answers; of a resource before 2026-07-28 the second."""


@dataclass(frozen=True)
class Role:
    groups: tuple[str, ...] = ()
    scopes: list[str] | None = None
    is_superuser: bool = False

    def user(self) -> User:
        user = make_user("somebody", *self.groups)
        User.objects.filter(pk=user.pk).update(is_superuser=self.is_superuser)
        return User.objects.get(pk=user.pk)


ROLES = {
    "outsider": Role(),
    "member": Role((MEMBERS,)),
    "administrator": Role((MEMBERS, ADMINISTRATORS)),
    "superuser": Role(is_superuser=True),
    "narrowed member": Role((MEMBERS,), NARROW),
    "narrowed superuser": Role(scopes=NARROW, is_superuser=True),
    "narrowed to nothing": Role((MEMBERS,), []),
}


def api_key(user: User, scopes: list[str] | None) -> str:
    return ApiKey.mint(user, "key", scopes=scopes)[1].value


def session_token(user: User, scopes: list[str] | None) -> str:
    return SessionToken.mint(user, "token", scopes=scopes)[1].value


def jwt(user: User, scopes: list[str] | None) -> str:
    return own.issue(TokenFamily.open(user, scopes=scopes)[0])


KINDS = [api_key, session_token, jwt]
TYPED = {"name": "drink", "value": "t"}


@pytest.mark.parametrize("era", CLIENTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ROLES)
async def test_listed_if_and_only_if_callable(
    era: str, kind: Callable[[User, Any], str], name: str, db_for_threads: None, recorded: Any
) -> None:
    role = ROLES[name]
    secret = await identity_pool.run(lambda: kind(role.user(), role.scopes))
    await check(await CLIENTS[era](secret), may=role.scopes)


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_for_guests_too(
    era: str, db_for_threads: None, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "GUEST", Limit("guest", 1000, 60))
    await check(GuestWire(None) if era == "2026-07-28" else await GuestDurable.open(None))


async def check(client: Client, may: list[str] | None = None) -> None:
    tools = await listed(client, "tools/list", "tools", "name")
    prompts = await listed(client, "prompts/list", "prompts", "name")
    resources = await listed(client, "resources/list", "resources", "uri")
    templates = await listed(client, "resources/templates/list", "resourceTemplates", "uriTemplate")
    for tool in registry.tools:
        assert is_known(await client.call(tool, {"no such argument": 1})) == (tool in tools), tool
    for prompt in registry.prompts:
        arguments = {"drink": "tea"} if prompt == "suggest" else {}
        answer = await client.ask("prompts/get", {"name": prompt, "arguments": arguments})
        assert is_known(answer) == (prompt in prompts), prompt
        assert is_known(await complete(client, {"type": "ref/prompt", "name": prompt})) == (prompt in prompts)
    for resource in registry.resources.values():
        if resource.is_template:
            seen = resource.uri in templates
            assert is_known(await complete(client, {"type": "ref/resource", "uri": resource.uri})) == seen
        else:
            answer = await client.ask("resources/read", {"uri": resource.uri})
            assert is_known(answer) == (resource.uri in resources), resource.uri
    if may is not None:
        assert tools <= {permission.removeprefix("tools_app.call_") for permission in may}


async def listed(client: Client, method: str, key: str, name: str) -> set[str]:
    names: set[str] = set()
    cursor: dict[str, Any] = {}
    while True:
        answer = await client.ask(method, cursor)
        if getattr(client, "is_stateless", isinstance(client, Wire)):
            assert answer.result["cacheScope"] == "private"
        names |= {entry[name] for entry in answer.result[key]}
        if not (after := answer.result.get("nextCursor")):
            return names
        cursor = {"cursor": after}


def complete(client: Client, ref: dict[str, str]) -> Awaitable[Answer]:
    return client.ask("completion/complete", {"ref": ref, "argument": TYPED})


def is_known(answer: Answer) -> bool:
    """Not answered as what is not there. A tool that is there may refuse its arguments in many ways."""
    return "error" not in answer.messages[-1] or answer.error["code"] not in HIDDEN


@pytest.mark.parametrize("era", CLIENTS)
async def test_hidden_answers_exactly_as_unknown(era: str, charlie: User, recorded: Any) -> None:
    client = await CLIENTS[era](await identity_pool.run(lambda: api_key(charlie, None)))
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("tools/call", {"name": "{}", "arguments": {}}, "restock"),
        ("prompts/get", {"name": "{}", "arguments": {}}, "audit"),
        ("resources/read", {"uri": "{}"}, "shop://ledger"),
        ("resources/read", {"uri": "{}"}, "shop://items/tea"),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "{}"}, "argument": TYPED}, "suggest"),
    ]  # fmt: skip
    for method, params, hidden in cases:
        unknown = "x" * len(hidden) if "://" not in hidden else f"shop://{'x' * (len(hidden) - 7)}"
        answers = [await client.ask(method, filled(params, name)) for name in (hidden, unknown)]
        bodies = [
            re.sub(rb'"id":\d+', b"", answer.body.replace(name.encode(), b"NAME"))
            for answer, name in zip(answers, (hidden, unknown), strict=True)
        ]
        assert bodies[0] == bodies[1], (method, hidden)
        assert answers[0].status == answers[1].status


def filled(params: Any, name: str) -> Any:
    if isinstance(params, dict):
        return {key: filled(value, name) for key, value in params.items()}
    return params.replace("{}", name) if isinstance(params, str) else params
