"""What operators decide on a tool's page: about the tool, and who may call it."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.forms import ModelForm

from sessions_app.unfolded import Checkboxes
from tools_app.facts import ToolFacts
from tools_app.models import ToolPolicy

from .tool_facts import seconds


class ToolForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        facts: ToolFacts | None = getattr(self.instance, "facts", None)
        if facts is not None:
            self.say_what_is_written("rate", facts.developers_limit or "no limit of its own")
            self.say_what_is_written("timeout", seconds(facts.developers_timeout))

    def say_what_is_written(self, name: str, written: str) -> None:
        if name in self.fields:
            self.fields[name].widget.attrs["placeholder"] = written
            self.fields[name].help_text = f"{self.fields[name].help_text} The developer wrote: {written}."

    @property
    def words(self) -> str:
        """What was changed, as the history says it."""
        policy: ToolPolicy = self.instance
        said = {
            "is_on": "Switched on." if policy.is_on else "Switched off.",
            "rate": f"Limit: {policy.rate or 'as written'}.",
            "timeout": f"Timeout: {f'{policy.timeout} s' if policy.timeout else 'as written'}.",
        }
        return " ".join(text for name, text in said.items() if name in self.changed_data)


class GrantingForm(ToolForm):
    """The same for superusers, who also say which groups have the tool's permission."""

    # Not a choice of rows: that would look for any number that is sent, and SQLite does not take any.
    groups = forms.MultipleChoiceField(
        choices=lambda: [(str(pk), name) for pk, name in Group.objects.order_by("name").values_list("pk", "name")],
        label="Give it to",
        required=False,
        widget=Checkboxes,
        # Only what is changed here is written: a page that was open for an hour must not give back what was taken.
        show_hidden_initial=True,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        facts: ToolFacts = self.instance.facts
        self.fields["groups"].help_text = f"Who is in one of them has {facts.permission}, and so may call it."
        self.fields["groups"].initial = [
            str(pk) for pk in Group.objects.filter(name__in=facts.groups).values_list("pk", flat=True)
        ]
        self.given: list[Group] = []
        self.taken: list[Group] = []

    @property
    def shown(self) -> set[str]:
        """The groups that had it when the page was made."""
        return set(self.data.getlist(self.add_initial_prefix("groups")))  # type: ignore[attr-defined]  # of a POST

    def grant(self) -> None:
        """Give and take, and note to whom."""
        shown, wanted = self.shown, set(self.cleaned_data["groups"])
        rows = permission_rows(self.instance.facts)
        having = set(Group.objects.filter(permissions__in=rows))
        for group in Group.objects.order_by("name"):
            is_wanted, was_shown = str(group.pk) in wanted, str(group.pk) in shown
            if is_wanted and not was_shown and group not in having:
                group.permissions.add(rows[0])
                self.given.append(group)
            elif was_shown and not is_wanted and group in having:
                group.permissions.remove(*rows)
                self.taken.append(group)

    @property
    def words(self) -> str:
        given = f"Given to: {names_of(self.given)}." if self.given else ""
        taken = f"Taken from: {names_of(self.taken)}." if self.taken else ""
        return " ".join(filter(None, (super().words, given, taken)))


def names_of(groups: list[Group]) -> str:
    return ", ".join(group.name for group in groups)


def permission_rows(facts: ToolFacts) -> QuerySet[Permission]:
    label, _, codename = facts.permission.partition(".")
    return Permission.objects.filter(content_type__app_label=label, codename=codename).order_by("pk")
