from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from sessions_app import tokens
from sessions_app.principal import Principal

from .opaque import digests
from .user import User

LIFETIME = timedelta(seconds=30)


class WebSocketTicket(models.Model):
    """Lets a page open one socket as whoever asked for it. A page can send no header with a handshake,
    and what stands in a URL is logged.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="websocket_tickets")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    proof = models.TextField(editable=False, help_text="Of who asked, as in Principal.proof.")
    expires_at = models.DateTimeField(db_index=True, editable=False)

    class Meta:
        db_table = "sessions_websocket_ticket"
        verbose_name = "WebSocket ticket"

    def __str__(self) -> str:
        return f"WebSocket ticket of {self.user}"

    @classmethod
    def mint(cls, principal: Principal) -> tuple[Self, tokens.Token]:
        """A new one and its secret. Those of this user that are past are deleted."""
        token = tokens.mint(tokens.TICKET)
        now = timezone.now()
        with transaction.atomic():
            cls.objects.filter(user_id=principal.account, expires_at__lte=now).delete()
            ticket = cls.objects.create(
                user_id=principal.user_id,
                digest=tokens.digest(token, settings.SECRET_KEY),
                proof=principal.proof,
                expires_at=now + LIFETIME,
            )
        return ticket, token

    @classmethod
    def redeem(cls, token: tokens.Token) -> str | None:
        """The proof of who asked for it; None if it is unknown, past or was used. Of many at once one gets it."""
        found = cls.objects.filter(digest__in=digests(token), expires_at__gt=timezone.now())
        ticket = found.first()
        # Whoever deletes the row has used it: the database lets only one do so.
        is_first = ticket is not None and found.filter(pk=ticket.pk).delete()[0] == 1
        return ticket.proof if ticket is not None and is_first else None
