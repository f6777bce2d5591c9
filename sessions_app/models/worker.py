from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

ALIVE = timedelta(seconds=15)
"""So long after its last sign a worker still counts as one: three that it should have given meanwhile."""
GONE = timedelta(minutes=1)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        return self.filter(seen_at__gt=timezone.now() - ALIVE)

    def gone(self) -> Self:
        """Killed, or without the database for long: those that end take their row with them."""
        return self.filter(seen_at__lte=timezone.now() - GONE)


class Worker(models.Model):
    """A process that serves, as it says of itself every five seconds."""

    instance = models.CharField(max_length=32, unique=True, help_text="Random: numbers of processes come again.")
    host = models.CharField(max_length=255)
    pid = models.PositiveBigIntegerField("process id")
    version = models.CharField(max_length=50)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    sockets = models.PositiveIntegerField(default=0, help_text="Open WebSockets.")
    streams = models.PositiveIntegerField(default=0, help_text="Open streams over HTTP.")
    calls = models.PositiveIntegerField(default=0, help_text="In flight.")

    objects = WorkerQuerySet.as_manager()

    class Meta:
        db_table = "sessions_worker"
        ordering = ["host", "pid"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
