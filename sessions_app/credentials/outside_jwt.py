"""JWTs of outside issuers that an operator configured, for users whose subject an operator entered."""

from collections.abc import Collection, Iterator

from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt.claims import Claims
from sessions_app.jwt.compact import Unverified
from sessions_app.jwt.issuer import issuer_of
from sessions_app.limits import CALLS, Bucket
from sessions_app.models import OutsideIdentity, RevokedToken, User
from sessions_app.principal import Principal

IDENTITY = OutsideIdentity.IDENTITY


def authenticate(secret: str, address: str | None) -> Principal | None:
    """Raises: Unauthenticated; KeysMissing, for whoever can wait until the issuer's keys are here."""
    if "." not in secret:
        return None
    token = Unverified.read(secret)
    claims = issuer_of(token).verify(token)
    for _, identity in vouched_for([claims]):
        return shown(claims, identity, identity.user.permission_names())
    raise Unauthenticated("a JWT that is revoked, or whose subject is nobody here")


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these tokens that are still valid may do now. `ids` are what follows `issuer:`."""
    valid = list(vouched_for([Claims.from_text(text) for text in ids]))
    granted = User.permission_names_of([identity.user for _, identity in valid])
    return [shown(claims, identity, granted[identity.user_id]) for claims, identity in valid]


def vouched_for(shown: Collection[Claims]) -> Iterator[tuple[Claims, OutsideIdentity]]:
    """Those of active users that are neither revoked nor over. Two queries."""
    linked = OutsideIdentity.objects.filter(
        subject__in={claims.subject for claims in shown}, user__is_active=True
    ).select_related("user")
    by_name = {(identity.issuer, identity.subject): identity for identity in linked}
    revoked = RevokedToken.objects.among({claims.jti for claims in shown})
    for claims in shown:
        identity = by_name.get((claims.issuer, claims.subject))
        is_over = claims.has_expired or (claims.issuer, claims.jti) in revoked
        if identity is not None and not is_over and not claims.is_from_before(identity.user.tokens_valid_after):
            yield claims, identity


def shown(claims: Claims, identity: OutsideIdentity, granted: frozenset[str]) -> Principal:
    return Principal(
        account=identity.user_id,
        username=identity.user.get_username(),
        credential=identity.credential,
        label=identity.user.get_username(),
        permissions=granted if claims.permissions is None else granted & frozenset(claims.permissions),
        buckets=(Bucket(CALLS, f"user:{identity.user_id}"),),
        expires_at=claims.refused_from,
        token=f"{IDENTITY}:{claims.as_text()}",
        is_narrowed=claims.permissions is not None,
    )
