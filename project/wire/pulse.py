"""Whether the peer of a socket is still there."""


class Pulse:
    """Told from what it sends, and from whether it takes what it is sent. Times are the event loop's.

    After `interval` seconds of silence it is asked, and has `timeout` seconds to say anything at all: its answer
    may be behind a long message. Who takes nothing for as long as both is gone too, whatever he sends.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._heard_at = self._took_at = now
        self._asked_at = 0.0
        self._untaken = 0

    def blocked(self, now: float, untaken: int) -> None:
        """Nothing more is written until it takes some of these bytes."""
        self._took_at = now
        self._untaken = untaken

    def look(self, now: float, *, heard_at: float, untaken: int) -> None:
        has_taken = untaken < self._untaken
        self._heard_at = now if has_taken else max(heard_at, self._heard_at)
        if has_taken or not untaken:
            self._took_at = now
        self._untaken = untaken

    @property
    def next_at(self) -> float:
        """When to look again."""
        return self._asked_at + self._timeout if self._is_asked else self._heard_at + self._interval

    @property
    def _is_asked(self) -> bool:
        return self._asked_at > self._heard_at

    def is_gone(self, now: float) -> bool:
        is_silent = self._is_asked and now >= self._asked_at + self._timeout
        return is_silent or now >= self._took_at + self._interval + self._timeout

    def is_due(self, now: float) -> bool:
        """Whether to ask it now. Once a silence."""
        if self._is_asked or now < self._heard_at + self._interval:
            return False
        self._asked_at = now
        return True
