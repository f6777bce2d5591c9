"""How callers prove who they are: one file per kind of credential.

Each kind has `authenticate(secret, address) -> Principal | None`: None says "not mine", and Unauthenticated
is raised for "mine, but bad"; and `current(ids)` for those whose streams are open. Here only the order and
the one-credential rule are decided.
"""

from collections.abc import Collection, Mapping
from functools import partial
from hashlib import sha256

from sessions_app import tokens
from sessions_app.addresses import network_of
from sessions_app.callers import Presented
from sessions_app.exceptions import Refused, Unauthenticated
from sessions_app.jwt.key_set import KeysMissing
from sessions_app.pool import identity_pool
from sessions_app.principal import Principal

from . import api_key, browser, command, guest, jwt, outside_jwt, session_token

KINDS = (api_key, session_token, jwt, outside_jwt)
HOLDERS = (*KINDS, browser, guest, command)
"""Whose streams may be open, and whose calls may last."""
TELLING = (api_key, session_token, jwt)
"""Whose holders may be told why it was revoked."""
OWN_HEADERS = {"x-api-key": tokens.API_KEY, "x-session-token": tokens.SESSION_TOKEN}
"""By the header that only one kind may come in: how that kind begins. Any kind may come as a Bearer."""
CREDENTIAL_HEADERS = ("authorization", *OWN_HEADERS)


def presented(headers: Mapping[str, str], address: str | None) -> Presented:
    """The one credential in lower-case `headers`. Raises: Refused (400) for two, Unauthenticated for none."""
    secret = only_secret(headers)
    # What is remembered is never a usable secret, only what one hashes to; and from where, as that may decide.
    key = sha256(f"{address} {secret}".encode()).digest()
    return Presented(key, partial(identified, secret, address), network_of(address))


def only_secret(headers: Mapping[str, str]) -> str:
    sent = [name for name in CREDENTIAL_HEADERS if name in headers]
    if not sent:
        raise Unauthenticated("no credential", is_bad=False)
    if len(sent) > 1:
        raise Refused("Send one credential, not two.")
    value = headers[sent[0]]
    return bearer(value) if sent[0] == "authorization" else of_kind(sent[0], value.strip())


def of_kind(header: str, secret: str) -> str:
    if not secret.startswith(f"{OWN_HEADERS[header]}_"):
        raise Unauthenticated(f"of the wrong kind for {header}")
    return secret


def bearer(value: str) -> str:
    scheme, _, secret = value.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("not a Bearer credential")
    return secret.strip()


async def identified(secret: str, address: str | None) -> Principal:
    """Asked again when an outside issuer's keys had to be fetched: that is waited for here, not on a thread."""
    try:
        return await identity_pool.run(lambda: identify(secret, address))
    except KeysMissing as missing:
        await missing.arrived()
        return await identity_pool.run(lambda: identify(secret, address))


def identify(secret: str, address: str | None = None) -> Principal:
    """Whose it is, shown from there. Raises: Unauthenticated, KeysMissing."""
    for kind in KINDS:
        principal: Principal | None = kind.authenticate(secret, address)
        if principal is not None:
            return principal
    raise Unauthenticated("of no known kind")


def current(proofs: Collection[str]) -> dict[str, Principal]:
    """The principals of those credentials that are still valid, by `Principal.proof`, as the database says now.

    For open streams, which were authenticated when they began: a few queries for all of them.
    """
    found: list[Principal] = []
    for kind in HOLDERS:
        if ids := ids_of(kind.IDENTITY, proofs):
            found += kind.current(ids)
    return {principal.proof: principal for principal in found}


def last_words(proofs: Collection[str]) -> dict[str, str]:
    """What the holders of those that were revoked are told, by `Principal.proof`. They proved them before."""
    found: dict[str, str] = {}
    for kind in TELLING:
        if ids := ids_of(kind.IDENTITY, proofs):
            found |= {f"{kind.IDENTITY}:{name}": message for name, message in kind.last_words(ids).items()}
    return found


def ids_of(identity: str, proofs: Collection[str]) -> list[str]:
    prefix = f"{identity}:"
    return [proof.removeprefix(prefix) for proof in proofs if proof.startswith(prefix)]
