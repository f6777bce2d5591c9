"""The `Session` row that a request continues, cached like its caller."""

import time

from sessions_app.addresses import peer_address
from sessions_app.exceptions import SessionNotFound
from sessions_app.models import Session
from sessions_app.pool import background_pool, identity_pool, opening_pool
from sessions_app.recent import LIFETIME, Recent
from sessions_app.state import Epoch

from .envelope import Client, fitting
from .request import Request

# With the epoch that they were read at: a session that was ended since is not found here any more.
_recent: Recent[tuple[int | None, str, str, Epoch], Session] = Recent()
_by_id: Recent[tuple[str, int | None, str, Epoch], Session] = Recent()
_changed: dict[int, float] = {}
"""Sessions that the bus named, and until when an earlier reading of them might still be in the caches."""


async def session_of(request: Request, client: Client) -> Session:
    """The live session of this user, credential and client over HTTP; opened if there is none.

    A guest's is not kept: of this era he has no state that is.
    """
    principal = request.principal
    if principal.account is None:
        return Session(
            credential=principal.credential,
            label=principal.label,
            client_name=client.name,
            transport="http",
            protocol_version=client.protocol_version,
        )
    key = (principal.account, principal.credential, client.name, request.epoch)
    if (session := unless_changed(_recent.get(key))) is not None:
        return session
    return await _recent.read(key, lambda: continue_or_open(request, client))


async def continue_or_open(request: Request, client: Client) -> Session:
    """A known session is only read; a new one has to be written, which may have to wait for a lock."""
    principal, seen = request.principal, details_of(client, request)
    found = await identity_pool.run(
        lambda: Session.objects.continued(principal, client_name=client.name, transport="http")
    )
    if found is None:
        return await opening_pool.run(
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


async def session_by_id(public_id: str, request: Request) -> Session:
    """The live session that `Mcp-Session-Id` names, if it is this caller's. Raises: SessionNotFound."""
    principal = request.principal
    key = (public_id, principal.account, principal.credential, request.epoch)
    session = unless_changed(_by_id.get(key))
    if session is None:
        session = await _by_id.read(key, lambda: find(public_id, request))
    if not (session.belongs_to(principal) and session.is_live):
        raise SessionNotFound
    return session


async def find(public_id: str, request: Request) -> Session:
    mine = Session.objects.live().durable().of(request.principal)
    found = await identity_pool.run(lambda: mine.filter(public_id=public_id).first())
    if found is None:
        raise SessionNotFound
    if found.is_due_to_note_activity():
        background_pool.later(found.note_activity)
    return found


def details_of(client: Client, request: Request) -> dict[str, str | None]:
    """What is noted of where a client is, each time that it is."""
    return {
        "client_version": client.version,
        "ip": peer_address(request.scope),
        "user_agent": fitting(request.headers.get("user-agent", ""), 300),
    }


def unless_changed(session: Session | None) -> Session | None:
    if session is None or _changed.get(session.pk, 0.0) > time.monotonic():
        return None
    return session


def session_changed(pk: int) -> None:
    """Read it anew: it changed, here or in another process."""
    now = time.monotonic()
    _changed.pop(pk, None)
    _changed[pk] = now + LIFETIME  # behind all others: the first ones are the first to be past
    while _changed[first := next(iter(_changed))] <= now:
        del _changed[first]
    for recent in (_recent, _by_id):
        recent.read_again()


def forget() -> None:
    _recent.forget()
    _by_id.forget()
    _changed.clear()
