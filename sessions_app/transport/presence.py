"""The `Session` row that a request continues, cached like its caller."""

import time

from sessions_app.addresses import peer_address
from sessions_app.exceptions import SessionNotFound
from sessions_app.models import Session
from sessions_app.models.session_lifetime import HTTP, WEBSOCKET
from sessions_app.pool import background_pool, identity_pool, opening_pool
from sessions_app.recent import LIFETIME, Recent
from sessions_app.state import Epoch

from .carrier import Carrier
from .envelope import Client, fitting
from .request import Request

# With the epoch that they were read at: a session that was ended since is not found here any more.
_recent: Recent[tuple[int | None, str, str, Epoch], Session] = Recent()
_by_id: Recent[tuple[str, int | None, str, Epoch], Session] = Recent()
_changed: dict[int, float] = {}
"""Sessions that the bus named, and until when an earlier reading of them might still be in the caches."""


async def session_of[C: Carrier](request: Request[C], client: Client) -> Session:
    """The live session of this user, credential and client over HTTP, or from within; opened if there is none.

    A guest's is not kept: of this era he has no state that is.
    """
    principal = request.principal
    if principal.account is None:
        return Session(
            credential=principal.credential,
            label=principal.label,
            client_name=client.name,
            transport=HTTP,
            protocol_version=client.protocol_version,
        )
    key = (principal.account, principal.credential, client.name, request.epoch)
    if (session := unless_changed(_recent.get(key))) is not None:
        return session
    return await _recent.read(key, lambda: continue_or_open(request, client))


async def continue_or_open[C: Carrier](request: Request[C], client: Client) -> Session:
    """A known session is only read; a new one has to be written, which may have to wait for a lock."""
    principal, seen = request.principal, details_of(client, request)
    found = await identity_pool.run(lambda: Session.objects.continued(principal, client_name=client.name))
    if found is None:
        return await opening_pool.run(
            lambda: Session.objects.continue_or_open(
                principal,
                client_name=client.name,
                protocol_version=client.protocol_version,
                **seen,
            )
        )
    if found.is_due_to_note_activity():
        background_pool.later(lambda: found.note_activity(**seen))
    return found


async def opened[C: Carrier](request: Request[C], client: Client) -> Session:
    """A new one, for a connection that is to keep it. Raises: TooManySessions."""
    principal, seen = request.principal, details_of(client, request)
    return await opening_pool.run(
        lambda: Session.objects.open(
            principal,
            client_name=client.name,
            transport=request.carrier.transport,
            protocol_version=client.protocol_version,
            **seen,
        )
    )


async def session_by_id[C: Carrier](public_id: str, request: Request[C]) -> Session:
    """The live session of that id on this wire, if it is this caller's. Raises: SessionNotFound."""
    principal = request.principal
    key = (public_id, principal.account, principal.credential, request.epoch)
    session = unless_changed(_by_id.get(key))
    if session is None:
        session = await _by_id.read(key, lambda: find(public_id, request))
    is_known_here = session.transport == request.carrier.transport  # its id means nothing on another wire
    if not (is_known_here and lasts(session) and session.belongs_to(principal)):
        raise SessionNotFound
    return session


def lasts(session: Session) -> bool:
    return session.is_held if session.transport == WEBSOCKET else session.is_live


async def find[C: Carrier](public_id: str, request: Request[C]) -> Session:
    over_socket = request.carrier.transport == WEBSOCKET
    known = Session.objects.of_sockets() if over_socket else Session.objects.durable()
    mine = known.of(request.principal)
    found = await identity_pool.run(lambda: mine.filter(public_id=public_id).first())
    if found is None:
        raise SessionNotFound
    if not lasts(found):
        raise SessionNotFound(found.end_message)  # for whoever proved that it was his
    if found.is_due_to_note_activity():
        background_pool.later(found.note_activity)
    return found


def details_of[C: Carrier](client: Client, request: Request[C]) -> dict[str, str | None]:
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
