from django.db import models

from .session import Session

LONGEST_URI = 500
"""Characters. An index entry of PostgreSQL has room for that in any script."""


class Subscription(models.Model):
    """A resource whose changes a client of the handshake era wants to hear of, for as long as its session.

    Rows and not a list in the session's row: whoever publishes a change finds the sessions by an index,
    and two requests at once cannot undo each other.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="subscriptions")
    uri = models.CharField("URI", max_length=LONGEST_URI)

    class Meta:
        db_table = "sessions_subscription"
        constraints = [models.UniqueConstraint(fields=["uri", "session"], name="subscribed_once")]

    def __str__(self) -> str:
        return self.uri
