"""Who is calling and what they may do, now."""

from dataclasses import dataclass, field
from datetime import datetime

from mcp.server.mcpserver.exceptions import ToolError

from .addresses import is_in
from .limits import Bucket


@dataclass(frozen=True, slots=True)
class Principal:
    """One caller, as the database says within the last second. Nothing here may widen later."""

    account: int | None
    """The user's primary key; None for a guest."""
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
    token: str | None = field(default=None, repr=False)
    """Which token of the credential was shown, as `kind:…`, where it has many: those end one by one.

    A browser's is its cookie's value, so no text of a principal has it.
    """
    is_narrowed: bool = False
    """By scopes, whatever they leave: what is the user's own affair is none of such a credential's."""
    addresses: tuple[str, ...] = ()
    """The networks that it may come from. None named: from anywhere."""

    @property
    def proof(self) -> str:
        """What its open streams are checked by: `credentials.current`."""
        return self.token or self.credential

    @property
    def user_id(self) -> int:
        """The user's primary key, for what only users have. Raises: ToolError for a guest."""
        if self.account is None:
            raise ToolError("This takes an account, and guests have none.")
        return self.account

    @property
    def owner(self) -> str:
        """Whose calls count together: all of a user's, whatever they come with; all of a guest's address."""
        return self.credential if self.account is None else f"user:{self.account}"

    def may_come_from(self, address: str | None) -> bool:
        return not self.addresses or is_in(address, self.addresses)

    def may(self, permission: str) -> bool:
        return permission in self.permissions
