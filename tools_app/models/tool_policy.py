from django.db import models

from sessions_app.rates import validate_rate


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
