from django.db import models

from sessions_app.rates import validate_rate


class ToolCall(models.Model):
    """The record: one finished call, whatever came of it. History: it refers to nothing that can go."""

    class Outcome(models.TextChoices):
        OK = "ok", "OK"
        ERROR = "error", "Error"  # the tool said so
        INVALID = "invalid", "Invalid arguments"
        REFUSED = "refused", "Refused"
        TIMEOUT = "timeout", "Timed out"
        CANCELLED = "cancelled", "Cancelled"
        CRASHED = "crashed", "Crashed"

    name = models.CharField(max_length=255, help_text="The tool, prompt or resource.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    error_id = models.CharField(max_length=16, blank=True, help_text="Finds the traceback in the log.")
    user_id = models.BigIntegerField(null=True, db_index=True)
    username = models.CharField(max_length=150)
    credential = models.CharField(max_length=255)
    session_id = models.BigIntegerField(null=True, db_index=True)
    started_at = models.DateTimeField(db_index=True)
    duration_ms = models.FloatField("duration (ms)")

    class Meta:
        db_table = "tools_tool_call"
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.name} by {self.username}: {self.outcome}"


class ToolPolicy(models.Model):
    """What operators decided about one tool. What is empty is as its developer wrote it."""

    tool = models.CharField(max_length=90, primary_key=True)
    rate = models.CharField(
        max_length=20,
        blank=True,
        validators=[validate_rate],
        help_text="How often each caller may call it, such as 100/h. Empty: as its developer decided.",
    )

    class Meta:
        db_table = "tools_tool_policy"
        ordering = ["tool"]
        verbose_name_plural = "tool policies"

    def __str__(self) -> str:
        return self.tool

    @classmethod
    def rates(cls) -> dict[str, str]:
        """Those that were set, by tool."""
        return dict(cls.objects.exclude(rate="").values_list("tool", "rate"))
