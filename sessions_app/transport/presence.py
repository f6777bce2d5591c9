"""The `Session` row that a stateless call continues, cached like its caller."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from sessions_app.models import Session
from sessions_app.pool import background_pool, identity_pool
from sessions_app.principal import Principal
from sessions_app.recent import Recent

from .envelope import Client, fitting

_recent: Recent[tuple[int, str, str], Session] = Recent()
_live: Recent[int, bool] = Recent()


async def session_of(
    principal: Principal, client: Client, headers: Mapping[str, str], scope: Mapping[str, Any]
) -> Session:
    """The live session of this user, credential and client over HTTP; opened if there is none."""
    key = (principal.user_id, principal.credential, client.name)
    if (session := _recent.get(key)) is not None:
        return session
    return await _recent.read(key, lambda: continue_or_open(principal, client, headers, scope))


async def continue_or_open(
    principal: Principal, client: Client, headers: Mapping[str, str], scope: Mapping[str, Any]
) -> Session:
    """A known session is only read; a new one has to be written, which may have to wait for a lock."""
    seen = {
        "client_version": client.version,
        "ip": peer_address(scope),
        "user_agent": fitting(headers.get("user-agent", ""), 300),
    }
    found = await identity_pool.run(
        lambda: Session.objects.continued(principal, client_name=client.name, transport="http")
    )
    if found is None:
        return await background_pool.run(
            lambda: Session.objects.continue_or_open(
                principal,
                client_name=client.name,
                transport="http",
                protocol_version=client.protocol_version,
                **seen,
            )
        )
    if found.is_due_to_note_activity():
        background_pool.later(lambda: found.note_activity(**seen))
    return found


async def is_live(session: Session) -> bool:
    """Whether the session behind an open stream goes on; asked at most once a second for all its streams."""
    known = _live.get(session.pk)
    if known is None:
        known = await _live.read(session.pk, lambda: identity_pool.run(lambda: session.has_not_ended()))
    return known


def peer_address(scope: Mapping[str, Any]) -> str | None:
    """The caller's address. Behind a proxy uvicorn has put it here, if the proxy is a trusted one."""
    try:
        return str(ip_address((scope.get("client") or ("",))[0]))
    except ValueError:
        return None


def forget() -> None:
    _recent.forget()
    _live.forget()
