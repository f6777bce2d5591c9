"""How many requests are refused, and why: counted here, and added to the database every few seconds.

Never while somebody waits for his refusal; and however many there are, they are a few numbers.
"""

import threading
import time
from collections import Counter

from django.db import Error as DatabaseFailure
from django.db import models, transaction

from .exceptions import RateLimited, Refused, SignInFailed, Unauthenticated, Unavailable, WrongSite
from .hours import add_to
from .limits import SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS
from .metrics import REFUSALS

LONGEST = 150
MOST_KEPT = 1000
"""Reasons and hours while the database is away; what is new then is not counted."""
SIGN_IN_LIMITS = (SIGN_IN_ADDRESS.name, SIGN_IN_ACCOUNT.name)
"""Counted where they are met, on forms and over REST alike."""
OF_A_LIMIT = "limit:"
"""Before the name of the limit that was used up. There are as many as code and operators made up, not callers."""


class Reason(models.TextChoices):
    """Why a request went no further. Whatever is refused has one of these, or a limit's."""

    NO_CREDENTIAL = "no-credential", "No credential"
    BAD_CREDENTIAL = "bad-credential", "A credential that is not valid"
    SIGN_IN = "sign-in", "A failed sign-in"
    FORBIDDEN = "forbidden", "Not allowed"
    WRONG_SITE = "wrong-site", "Another Host or Origin"
    NOT_FOUND = "not-found", "Nothing of that id"
    BAD_REQUEST = "bad-request", "Malformed"
    TOO_LARGE = "too-large", "Too large"
    TOO_SLOW = "too-slow", "Too slow"
    TOO_MANY = "too-many", "Too many at once"
    UNAVAILABLE = "unavailable", "Full, stopping, or without its database"

    @classmethod
    def in_words(cls, reason: str) -> str:
        """Of any that was counted, also by another release."""
        if reason.startswith(OF_A_LIMIT):
            return f"Too often (limit {reason.removeprefix(OF_A_LIMIT)})"
        return str(dict(cls.choices).get(reason, reason))


OF_STATUS = {
    403: Reason.FORBIDDEN, 404: Reason.NOT_FOUND, 408: Reason.TOO_SLOW, 413: Reason.TOO_LARGE,
    429: Reason.TOO_MANY, 431: Reason.TOO_LARGE, 503: Reason.UNAVAILABLE,
}  # fmt: skip
"""Others are malformed."""


class Refusals:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[tuple[float, str]] = Counter()

    def note(self, refusal: Refused) -> None:
        """From any thread. A crash is no refusal; and what is counted where it happens is not counted here again:
        sign-ins that fail, and a database that is away.
        """
        reason = reason_of(refusal)
        if reason is not None:
            self.count(reason)

    def count(self, reason: str) -> None:
        REFUSALS.labels(str(reason)).inc()
        key = (time.time() // 3600 * 3600, str(reason))
        with self._lock:
            if len(self._counted) < MOST_KEPT or key in self._counted:
                self._counted[key] += 1

    def write(self) -> None:
        """On a thread. What the database does not take waits for the next time. Raises: DatabaseFailure."""
        from .models import RefusalHour

        with self._lock:
            counted, self._counted = self._counted, Counter()
        try:
            with transaction.atomic():
                add_to(RefusalHour, ("hour", "reason"), {key: {"count": count} for key, count in counted.items()})
        except DatabaseFailure:
            with self._lock:
                self._counted.update(counted)
            raise

    def forget(self) -> None:
        with self._lock:
            self._counted.clear()


def reason_of(refusal: Refused) -> str | None:
    """None for what is counted elsewhere, or is no refusal."""
    match refusal:
        case Unauthenticated():
            return Reason.BAD_CREDENTIAL if refusal.is_bad else Reason.NO_CREDENTIAL
        case RateLimited():
            name = refusal.bucket.limit.name
            return None if name in SIGN_IN_LIMITS else of_limit(name)
        case WrongSite():
            return Reason.WRONG_SITE
        case SignInFailed() | Unavailable():
            return None
    if refusal.status >= 500 and refusal.status not in OF_STATUS:
        return None
    return OF_STATUS.get(refusal.status, Reason.BAD_REQUEST)


def of_limit(name: str) -> str:
    return f"{OF_A_LIMIT}{name}"[:LONGEST]


refusals = Refusals()
