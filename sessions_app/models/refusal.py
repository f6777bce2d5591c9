from typing import Any

from django.db import models
from django.db.models import Sum

from sessions_app.hours import HourQuerySet


class RefusalHourQuerySet(HourQuerySet):
    def by_reason(self) -> Any:
        """A queryset of `all` for each `reason`, the most frequent first."""
        return self.order_by().values("reason").annotate(all=Sum("count")).order_by("-all", "reason")


class RefusalHour(models.Model):
    """How many requests were refused for one reason, in one hour, before they came to a tool."""

    hour = models.DateTimeField()
    reason = models.CharField(max_length=150)
    count = models.BigIntegerField(default=0)

    objects = RefusalHourQuerySet.as_manager()

    class Meta:
        db_table = "sessions_refusal_hour"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["hour", "reason"], name="one_hour_of_a_reason")]

    def __str__(self) -> str:
        return f"{self.reason} at {self.hour:%Y-%m-%d %H:00}"
