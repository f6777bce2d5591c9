from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from .user import User

LATELY = timedelta(days=90)
NOTED_EVERY = timedelta(days=1)
LONGEST = 49
"""Characters of an IPv6 network."""


class FamiliarNetworkQuerySet(models.QuerySet["FamiliarNetwork"]):
    def lately(self) -> Self:
        return self.filter(seen_at__gt=timezone.now() - LATELY)

    def strange(self) -> Self:
        """Those that are familiar no more."""
        return self.filter(seen_at__lte=timezone.now() - LATELY)

    def knows(self, username: str, network: str) -> bool:
        """Whether whoever has this name signed in from there lately. One query, for nobody's name too."""
        return self.lately().filter(user__username=username, network=network).exists()

    def note(self, user: User, network: str) -> None:
        """`user` signed in from there now. Written once a day."""
        mine = self.filter(user=user, network=network)
        if not mine.filter(seen_at__gt=timezone.now() - NOTED_EVERY).exists():
            self.update_or_create(user=user, network=network, defaults={"seen_at": timezone.now()})


class FamiliarNetwork(models.Model):
    """Where a user signed in from. There, failures of others do not keep the account's owner out."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="familiar_networks")
    network = models.CharField(max_length=LONGEST, help_text="An IPv4 address as /32, or an IPv6 /64.")
    seen_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)

    objects = FamiliarNetworkQuerySet.as_manager()

    class Meta:
        db_table = "sessions_familiar_network"
        ordering = ["-seen_at"]
        constraints = [models.UniqueConstraint(fields=["user", "network"], name="one_row_per_network")]

    def __str__(self) -> str:
        return self.network
