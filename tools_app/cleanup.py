"""How long the record goes back."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from sessions_app.chores import chore

from .models import ToolCall

KEPT = timedelta(days=90)


@chore("records of calls from 90 days ago")
def old_calls() -> QuerySet[ToolCall]:
    return ToolCall.objects.filter(started_at__lte=timezone.now() - KEPT)
