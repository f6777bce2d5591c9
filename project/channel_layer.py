from contextlib import suppress

from channels_redis.core import RedisChannelLayer as Stock
from redis.exceptions import RedisError


class RedisChannelLayer(Stock):  # type: ignore[misc]  # it ships no types
    """Waits for messages a second at a time, and not five.

    One timeout bounds all that is asked of a connection, so it must be longer than this wait (else redis-py takes
    every quiet second for a failure), and whoever sends while Redis hangs waits for as long.
    """

    brpop_timeout = 1

    async def _clean_receive_backup(self, index: int, channel: str) -> None:
        """A task of its own that nobody awaits. Whoever receives next meets the same failure, and says so.

        RuntimeError is uvloop's, of a connection that ended a moment ago; redis-py lets it through.
        """
        with suppress(RedisError, OSError, RuntimeError):
            await super()._clean_receive_backup(index, channel)
