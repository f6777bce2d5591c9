"""Every endpoint below `/api/` that asks who calls, and something of a user's for each of its ids."""

from dataclasses import dataclass
from typing import Any

from sessions_app.models import ApiKey, Preference, Session, SessionToken, User
from tests.rest import NO_BODY, Answer, Rest

ECHO = "tools_app.call_echo"


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    status: int
    """When all is well."""
    narrowed: int
    """With a credential that is narrowed, and not what the id is of."""
    data: Any = NO_BODY
    by_key: int | None = None
    """With an API key that is not narrowed, and not what the id is of; if not as with any other credential."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def ask(self, client: Rest, ids: dict[str, Any], **kwargs: Any) -> Answer:
        return client.ask(self.method, self.path.format(**ids), self.data, **kwargs)


ENDPOINTS = [
    Endpoint("GET", "keys/", 200, 200),
    Endpoint("POST", "keys/", 201, 201, {"name": "new"}),
    Endpoint("DELETE", "keys/{key}/", 204, 404),
    Endpoint("POST", "keys/{key}/rotate/", 200, 404, {"overlap_hours": 1}, by_key=403),
    Endpoint("GET", "session-tokens/", 200, 200),
    Endpoint("DELETE", "session-tokens/{token}/", 204, 404),
    Endpoint("GET", "sessions/", 200, 200),
    Endpoint("DELETE", "sessions/{session}/", 204, 404),
    Endpoint("DELETE", "sessions/{session}/?revoke=1", 204, 404),
    Endpoint("GET", "preferences/", 200, 403),
    Endpoint("GET", "preferences/{preference}/", 200, 403),
    Endpoint("PUT", "preferences/{preference}/", 200, 403, {"value": [1, None]}),
    Endpoint("DELETE", "preferences/{preference}/", 204, 403),
    Endpoint("GET", "usage/", 200, 200),
]
WITH_IDS = [endpoint for endpoint in ENDPOINTS if "{" in endpoint.path]


def belongings(user: User) -> dict[str, Any]:
    """One of each, by the name of its id."""
    key, _ = ApiKey.mint(user, f"{user}'s")
    token, _ = SessionToken.mint(user)
    Preference.objects.put(user.pk, "theme", {"dark": True})
    session = session_of(user, key.credential)
    return {"key": key.pk, "token": token.pk, "session": session.pk, "preference": "theme"}


def session_of(user: User, credential: str, **details: Any) -> Session:
    usual = {"label": "laptop", "transport": "http", "protocol_version": "2025-11-25", "ip": "10.0.0.9"}
    return Session.objects.create(user=user, credential=credential, **{**usual, **details})


def stored() -> list[Any]:
    """What the endpoints could change."""
    unnoted = {
        ApiKey: ("pk", "revoked_at", "rotations"), SessionToken: ("pk", "revoked_at"), Session: ("pk", "ended_at"),
        Preference: ("pk", "key", "value"),
    }  # fmt: skip
    return [list(model._base_manager.order_by("pk").values_list(*names)) for model, names in unnoted.items()]
