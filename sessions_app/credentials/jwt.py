"""JWTs of our own: access tokens that a sign-in or a refresh token was exchanged for."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import own
from sessions_app.jwt.claims import Claims
from sessions_app.jwt.compact import Unverified
from sessions_app.models import RevokedToken, TokenFamily
from sessions_app.pool import background_pool
from sessions_app.principal import Principal

IDENTITY = TokenFamily.IDENTITY


def authenticate(secret: str, address: str | None) -> Principal | None:
    """Three queries: the family with its user, whether this token is revoked, and what the user may do."""
    if "." not in secret:
        return None
    token = Unverified.read(secret)
    if token.issuer != own.expected().issuer:
        return None
    claims = own.verify(token)
    for _, family in vouched_for([claims]):
        if family.is_due_to_note_use():
            background_pool.later(family.note_use)
        return shown(claims, family.principal())
    told = last_words([claims.as_text()]).get(claims.as_text(), "")
    raise Unauthenticated(f"a JWT of cgf_{claims.family} that is revoked or over", told=told)


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these tokens that are still valid may do now. `ids` are what follows `family:`.

    A stream ends with the token that opened it; the session goes on with the next token of the family.
    """
    valid = list(vouched_for([Claims.from_text(text) for text in ids]))
    principals = TokenFamily.principals([family for _, family in valid])
    return [shown(claims, principal) for (claims, _), principal in zip(valid, principals, strict=True)]


def last_words(ids: Collection[str]) -> dict[str, str]:
    """What those are told whose family was revoked, by what follows `family:`."""
    families = {text: Claims.from_text(text).family for text in ids}
    revoked = TokenFamily.objects.filter(public_id__in=filter(None, families.values())).exclude(revoked_at=None)
    messages = dict(revoked.exclude(revoked_message="").values_list("public_id", "revoked_message"))
    return {text: messages[family] for text, family in families.items() if family in messages}


def vouched_for(shown: Collection[Claims]) -> Iterator[tuple[Claims, TokenFamily]]:
    """Those that their family and the list of revoked tokens let pass now. Two queries."""
    families = TokenFamily.objects.valid().filter(public_id__in={claims.family for claims in shown})
    by_id = {family.public_id: family for family in families.select_related("user")}
    revoked = RevokedToken.objects.among({claims.jti for claims in shown})
    for claims in shown:
        family = by_id.get(claims.family or "")
        if family is not None and (claims.issuer, claims.jti) not in revoked and fits(claims, family):
            yield claims, family


def fits(claims: Claims, family: TokenFamily) -> bool:
    scopes = None if family.scopes is None else tuple(family.scopes)
    is_its_own = (claims.subject, claims.permissions) == (str(family.user_id), scopes)
    return is_its_own and not claims.has_expired and not claims.is_from_before(family.user.tokens_valid_after)


def shown(claims: Claims, principal: Principal) -> Principal:
    return replace(principal, expires_at=claims.refused_from, token=f"{IDENTITY}:{claims.as_text()}")
