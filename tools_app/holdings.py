"""What the record holds about a person."""

from django.db.models import QuerySet

from sessions_app.holding import holding
from sessions_app.models import User

from .models import ToolCall


@holding(
    "calls", "kind", "name", "arguments_size", "outcome", "error_id", "credential", "client_name",
    "client_version", "ip", "started_at", "duration_ms",
)  # fmt: skip
def calls(user: User) -> QuerySet[ToolCall]:
    return ToolCall.objects.of(user)
