"""What a room may hold, and how often something may be written, by name. Each is a setting."""

from dataclasses import dataclass

from django.conf import settings

from sessions_app.admission import refuse
from sessions_app.limits import Bucket, Limit
from sessions_app.principal import Principal
from sessions_app.rates import MINUTE
from sessions_app.state import state

from .exceptions import TooMuch

POSTS = Limit("posts", 240, MINUTE).at(settings.CONFIG.post_rate)
"""Messages and changes of shared state of one user, in all rooms and over all transports."""


@dataclass(frozen=True)
class Bound:
    name: str
    sentence: str
    """What is said to who wants more."""

    @property
    def most(self) -> int:
        """The setting of this name: looked up each time, so that it is an operator's and not the import's."""
        most: int = getattr(settings.CONFIG, self.name.replace("-", "_"))
        return most

    def check(self, wanted: int) -> None:
        """Raises: TooMuch."""
        if wanted > self.most:
            raise TooMuch(self.sentence, self.name, self.most, wanted)


MESSAGE_BYTES = Bound("message-bytes", "The message has too many bytes (UTF-8).")
STATE_BYTES = Bound("state-bytes", "The room's shared state would have too many bytes (JSON).")
ROOM_KEYS = Bound("room-keys", "The room's shared state has as many keys as it may; remove one first.")
ROOM_MEMBERS = Bound("room-members", "The room has as many members, and invitations, as it may.")
ROOMS_OF_ONE = Bound("rooms-of-one", "You are in as many rooms as you may be; leave one first.")


def bucket_of(principal: Principal) -> Bucket:
    return Bucket(POSTS, principal.owner)


def count_post(principal: Principal) -> None:
    """One message or change of state more. Raises: RateLimited. Outside of a transaction: Redis may be slow."""
    refuse(state.take([bucket_of(principal)]))
