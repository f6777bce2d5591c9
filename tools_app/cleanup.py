"""What this app has to delete in time: the record (`CONCIERGE_RECORD_DAYS`), and questions nobody answered."""

from django.db.models import QuerySet

from sessions_app.chores import chore

from .models import Confirmation, HourOfName, HourOfUser, ToolCall


@chore("old records of calls")
def old_calls() -> QuerySet[ToolCall]:
    return ToolCall.objects.past_its_time()


@chore("old counts of calls by hour and name")
def old_hours_of_names() -> QuerySet[HourOfName]:
    return HourOfName.objects.past_its_time()


@chore("old counts of calls by hour and user")
def old_hours_of_users() -> QuerySet[HourOfUser]:
    return HourOfUser.objects.past_its_time()


@chore("confirmations that nobody gave")
def old_confirmations() -> QuerySet[Confirmation]:
    return Confirmation.objects.past()
