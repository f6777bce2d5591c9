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
MOST_OPEN = 32
"""Questions that wait for one credential at a time, in all its sessions."""


class ServerRequestQuerySet(models.QuerySet["ServerRequest"]):
    def open(self) -> Self:
        """Asked, not answered, and still waited for."""
        return self.filter(replied_at=None, expires_at__gt=timezone.now())

    def ask(self, session: Session, method: str) -> "ServerRequest":
        """Raises: TooManyQuestions."""
        of_caller = self.open().filter(session__user=session.user_id, session__credential=session.credential)
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


def end_of_patience() -> datetime:
    return timezone.now() + LIFETIME


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
    expires_at = models.DateTimeField(default=end_of_patience, db_index=True)
    replied_at = models.DateTimeField(null=True)
    reply = models.TextField(blank=True, help_text="The reply's result or error, as JSON, until the call has it.")

    objects = ServerRequestQuerySet.as_manager()

    class Meta:
        db_table = "sessions_server_request"

    def __str__(self) -> str:
        return f"{self.method} to {self.session}"

    def take_reply(self) -> dict[str, Any]:
        """The reply, for the call that waits. What people answered is not kept any longer than that."""
        reply: dict[str, Any] = json.loads(self.reply)
        type(self).objects.filter(pk=self.pk).update(reply="")
        return reply

    def withdraw(self) -> None:
        """Nobody waits for it any more: a reply that comes late is to nothing, one that is here is not kept."""
        asked = type(self).objects.filter(pk=self.pk)
        asked.filter(replied_at=None).delete()
        asked.update(reply="")
