"""How long the record goes back: `CONCIERGE_RECORD_DAYS`."""

from django.db.models import QuerySet

from sessions_app.chores import chore

from .models import ToolCall


@chore("old records of calls")
def old_calls() -> QuerySet[ToolCall]:
    return ToolCall.objects.past_its_time()
