from typing import NamedTuple, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from sessions_app import authority
from sessions_app.rates import validate_rate

SHORTEST, LONGEST = 1, 600
"""Seconds that operators may give a tool. A call holds one of few threads for so long."""


class Decision(NamedTuple):
    """What operators decided about one tool."""

    is_on: bool = True
    rate: str = ""
    """Empty: as its developer wrote it."""
    timeout: int | None = None
    """Seconds. None: as its developer wrote it."""


UNDECIDED = Decision()


class ToolPolicyQuerySet(models.QuerySet["ToolPolicy"]):
    def decided(self) -> Self:
        """Those that say anything else than the developer."""
        return self.exclude(is_on=True, rate="", timeout=None)

    def switch_on(self) -> int:
        return self._switch(is_on=True)

    def switch_off(self) -> int:
        """From the next call on nobody knows these tools. Calls in flight go on."""
        return self._switch(is_on=False)

    def _switch(self, *, is_on: bool) -> int:
        """How many it changed. One query, of which no signal tells."""
        changed = self.exclude(is_on=is_on).update(is_on=is_on)
        authority.changed()
        return changed


class ToolPolicy(models.Model):
    """What operators decided about one tool. What is empty is as its developer wrote it."""

    tool = models.CharField(max_length=90, primary_key=True)
    is_on = models.BooleanField(
        "on", default=True, help_text="Off: nobody sees it or can call it. Calls in flight go on."
    )
    rate = models.CharField(
        max_length=20,
        blank=True,
        validators=[validate_rate],
        help_text="How often each caller may call it, such as 100/h. Empty: as its developer decided.",
    )
    timeout = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(SHORTEST), MaxValueValidator(LONGEST)],
        help_text=(
            f"Seconds that a call may take, {SHORTEST} to {LONGEST}; then it is stopped and undone."
            " Empty: as its developer decided."
        ),
    )

    objects = ToolPolicyQuerySet.as_manager()

    class Meta:
        db_table = "tools_tool_policy"
        ordering = ["tool"]
        verbose_name = "tool"  # as operators see it: the page of one is the page of its policy

    def __str__(self) -> str:
        return self.tool

    @classmethod
    def decisions(cls) -> dict[str, Decision]:
        """By tool, where there is anything to say. Most tools have a row that says nothing."""
        fields = ("tool", *Decision._fields)
        return {tool: sound(Decision(*said)) for tool, *said in cls.objects.decided().values_list(*fields)}


def sound(decision: Decision) -> Decision:
    """Without a time that no form would take: SQL can write any, and it must not keep others from being read."""
    is_sound = decision.timeout is None or SHORTEST <= decision.timeout <= LONGEST
    return decision if is_sound else decision._replace(timeout=None)
