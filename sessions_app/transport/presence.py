"""The `Session` row that a stateless call continues, cached like its caller."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from sessions_app.models import Session
from sessions_app.pool import identity_pool
from sessions_app.principal import Principal
from sessions_app.recent import Recent

from .envelope import Client, fitting

_recent: Recent[tuple[int, str, str], Session] = Recent()


async def session_of(
    principal: Principal, client: Client, headers: Mapping[str, str], scope: Mapping[str, Any]
) -> Session:
    """The live session of this user, credential and client over HTTP; opened if there is none."""
    key = (principal.user_id, principal.credential, client.name)
    if (session := _recent.get(key)) is not None:
        return session
    return await _recent.read(
        key, lambda: identity_pool.run(lambda: continue_session(principal, client, headers, scope))
    )


def continue_session(
    principal: Principal, client: Client, headers: Mapping[str, str], scope: Mapping[str, Any]
) -> Session:
    seen = {
        "client_version": client.version,
        "ip": peer_address(scope),
        "user_agent": fitting(headers.get("user-agent", ""), 300),
    }
    session = Session.objects.continue_or_open(
        principal,
        client_name=client.name,
        transport="http",
        protocol_version=client.protocol_version,
        **seen,
    )
    if session.is_due_to_note_activity():
        identity_pool.later(lambda: session.note_activity(**seen))
    return session


def peer_address(scope: Mapping[str, Any]) -> str | None:
    """The caller's address. Behind a proxy uvicorn has put it here, if the proxy is a trusted one."""
    try:
        return str(ip_address((scope.get("client") or ("",))[0]))
    except ValueError:
        return None


def forget() -> None:
    _recent.forget()
