"""What API keys and session tokens are authenticated by: a secret of ours, with a prefix and a checksum."""

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models.opaque import Opaque
from sessions_app.pool import background_pool
from sessions_app.principal import Principal


def authenticate(model: type[Opaque], secret: str, address: str | None) -> Principal | None:
    """Two queries: the row with its user, and what the user may do. None at all for a wrong checksum."""
    if not secret.startswith(f"{model.PREFIX}_"):
        return None
    kind = model._meta.verbose_name
    token = tokens.parse(secret)
    if token is None:
        raise Unauthenticated(f"{kind} with a wrong checksum")
    shown = model.shown_by(token)
    if shown is None:
        reason = f"{kind} {model.PREFIX}_{token.public_id} is unknown, expired or revoked"
        raise Unauthenticated(reason, told=model.message_for(token))
    principal = shown.shown_as(shown.principal(), token)
    if not principal.may_come_from(address):
        raise Unauthenticated(f"{kind} {shown.prefix} is not for requests from {address}")
    if shown.is_due_to_note_use(token):
        background_pool.later(lambda: shown.note_use(token))
    return principal
