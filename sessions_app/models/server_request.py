import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from sessions_app.exceptions import TooManyQuestions

from .session import Session

LIFETIME = timedelta(minutes=10)
"""How long people may think about an answer."""
LEASE = timedelta(seconds=60)
"""How long a question stays open by itself. Who waits renews it; who was killed does not."""
MOST_OPEN = 32
"""Questions that wait for one credential at a time, in all its sessions."""


class ServerRequestQuerySet(models.QuerySet["ServerRequest"]):
    def open(self) -> Self:
        """Asked, not answered, and still waited for."""
        return self.filter(replied_at=None, expires_at__gt=timezone.now())

    def renew(self) -> int:
        """Somebody waits for these, and will for a while. How many there still are."""
        return self.update(expires_at=end_of_lease())

    def ask(self, session: Session, method: str) -> "ServerRequest":
        """Raises: TooManyQuestions."""
        of_caller = self.open().filter(
            session__user=session.user_id, session__credential=session.credential, session__ended_at=None
        )
        if of_caller.count() >= MOST_OPEN:
            raise TooManyQuestions(MOST_OPEN)
        return self.create(session=session, method=method)

    def reply(self, session: Session, request_id: str, reply: dict[str, Any]) -> "ServerRequest | None":
        """Keep the client's reply to one of this very session's requests; None if there is none to reply to.

        A client that did not hear the acknowledgement says it again: the first reply stands.
        """
        asked = self.filter(session=session, request_id=request_id)
        asked.open().update(reply=json.dumps(reply), replied_at=timezone.now())
        return asked.exclude(replied_at=None).first()


def end_of_lease() -> datetime:
    return timezone.now() + LEASE


def new_request_id() -> str:
    return secrets.token_urlsafe(16)


class ServerRequest(models.Model):
    """A request of ours to a client of the handshake era, such as `elicitation/create`, while a call waits.

    A row, because the client's reply arrives in a POST of its own, at whichever process: there it is
    committed, then acknowledged, then the process that waits is woken. Ids are random, and a reply is
    matched by session *and* id: every client counts from 0, so an id alone names somebody else's too.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="server_requests")
    request_id = models.CharField(max_length=32, unique=True, default=new_request_id)
    method = models.CharField(max_length=100)
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=end_of_lease, db_index=True)
    replied_at = models.DateTimeField(null=True)
    reply = models.TextField(blank=True, help_text="The reply's result or error, as JSON, until the call has it.")

    objects = ServerRequestQuerySet.as_manager()

    class Meta:
        db_table = "sessions_server_request"

    def __str__(self) -> str:
        return f"{self.method} to {self.session}"

    def take_reply(self) -> dict[str, Any] | None:
        """The reply, if it is here, for the call that waits. What people answered is not kept any longer."""
        asked = type(self).objects.filter(pk=self.pk)
        text = asked.exclude(reply="").values_list("reply", flat=True).first()
        if text is None:
            return None
        asked.update(reply="")
        reply: dict[str, Any] = json.loads(text)
        return reply

    def withdraw(self) -> dict[str, Any] | None:
        """Nobody waits for it any more, so a reply that comes late is to nothing.

        One that was acknowledged before is returned, and not kept.
        """
        type(self).objects.filter(pk=self.pk, replied_at=None).delete()
        return self.take_reply()
