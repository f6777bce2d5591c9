"""Who is calling and what they may do, now."""

from dataclasses import dataclass
from datetime import datetime

from .limits import Bucket


@dataclass(frozen=True, slots=True)
class Principal:
    """One caller, as the database says within the last second. Nothing here may widen later."""

    user_id: int
    username: str
    credential: str
    """The credential's identity, as `kind:id`: not its bytes, and not its user alone."""
    label: str
    """What the caller goes by: the key's name for a key."""
    permissions: frozenset[str]
    """`app_label.codename`: the user's permissions, narrowed by the credential's scopes."""
    buckets: tuple[Bucket, ...] = ()
    """The limits that count every request of this caller."""
    expires_at: datetime | None = None

    @property
    def owner(self) -> str:
        """Whose calls count together: all of a user's, whatever they come with."""
        return f"user:{self.user_id}"

    def may(self, permission: str) -> bool:
        return permission in self.permissions
