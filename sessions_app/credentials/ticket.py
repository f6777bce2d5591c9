"""Tickets: a page's way to open one socket. Each stands for the credential that it was asked for with."""

from functools import partial
from hashlib import sha256

from sessions_app import tokens
from sessions_app.addresses import network_of
from sessions_app.callers import Presented, callers
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import WebSocketTicket
from sessions_app.pool import identity_pool, opening_pool
from sessions_app.principal import Principal


def is_ticket(text: str) -> bool:
    return text.startswith(f"{tokens.TICKET}_")


async def redeemed(secret: str, address: str | None) -> Presented:
    """Use it up. What is presented from then on is what proved who asked for it, as valid as that is by then.

    Raises: Unauthenticated, RateLimited.
    """
    network = network_of(address)
    callers.refuse_suspect(network)
    try:
        proof = await proof_of(secret)
    except Unauthenticated:
        await callers.suspect(network)
        raise
    return proven(proof, address)


def proven(proof: str, address: str | None) -> Presented:
    """What stands for a credential that was shown before, and is looked up anew by its proof."""
    # Not the ticket's: it would be remembered as somebody's, and so let in who presents it again. And none that a
    # header could have: a proof is no secret, and a digest, which is what is remembered of one, is shorter.
    key = b"proof/" + sha256(f"{address} {proof}".encode()).digest()
    return Presented(key, partial(holder_of, proof, address), network_of(address))


async def proof_of(secret: str) -> str:
    """One with a wrong checksum takes no turn on the thread that opens. Raises: Unauthenticated."""
    token = tokens.parse(secret)
    if token is None or token.prefix != tokens.TICKET:
        raise Unauthenticated("WebSocket ticket with a wrong checksum")
    proof = await opening_pool.run(partial(WebSocketTicket.redeem, token))
    if proof is None:
        raise Unauthenticated(f"WebSocket ticket cgt_{token.public_id} is unknown, expired or used")
    return proof


async def holder_of(proof: str, address: str | None) -> Principal:
    """Raises: Unauthenticated."""
    from . import current

    principal = (await identity_pool.run(lambda: current([proof]))).get(proof)
    if principal is None:
        raise Unauthenticated("a WebSocket's credential that is not valid any more")
    if not principal.may_come_from(address):
        raise Unauthenticated(f"a WebSocket as {principal.credential}, which is not for requests from {address}")
    return principal
