"""What the record is narrowed to. A filter that says nothing known finds nothing, and not everything."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest

from tools_app.models.tool_call import ToolCall, ToolCallQuerySet
from tools_app.registry import registry

FAILED = "failed"

Calls = QuerySet[ToolCall]


def question(calls: Calls) -> ToolCallQuerySet:
    assert isinstance(calls, ToolCallQuerySet)  # noqa: S101 (the manager's)
    return calls


class ByOutcome(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(FAILED, "Any failure"), *ToolCall.Outcome.choices]

    def queryset(self, request: HttpRequest, queryset: Calls) -> Calls:
        match self.value():
            case None:
                return queryset
            case "failed":
                return question(queryset).failed()
            case outcome:
                return question(queryset).with_outcome(outcome)


class ByKind(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ToolCall.Kind.choices)

    def queryset(self, request: HttpRequest, queryset: Calls) -> Calls:
        kind = self.value()
        return queryset if kind is None else question(queryset).of_kind(kind)


QUESTIONS: dict[str, Callable[[ToolCallQuerySet, Any], ToolCallQuerySet]] = {
    "tool": ToolCallQuerySet.named,
    "user": ToolCallQuerySet.by,
    "client": ToolCallQuerySet.from_client,
    "since": ToolCallQuerySet.since,
    "until": ToolCallQuerySet.until,
}


class Moment(forms.DateTimeField):
    """In the server's time zone. Only of years that every database knows in every zone."""

    widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"})
    default_validators = [
        MinValueValidator(datetime(1970, 1, 1, tzinfo=UTC)),
        MaxValueValidator(datetime(2200, 1, 1, tzinfo=UTC)),
    ]

    def __init__(self, label: str) -> None:
        super().__init__(label=label, required=False)


class Details(forms.Form):
    """What is typed and not chosen: there are too many users and names to list, let alone to look for."""

    tool = forms.CharField(required=False, label="Tool or other name", max_length=255)
    user = forms.CharField(required=False, label="User name", max_length=150)
    client = forms.CharField(required=False, label="Client's name", max_length=200)
    since = Moment(label="From")
    until = Moment(label="Until, not included")

    def __init__(self, data: Any) -> None:
        super().__init__(data, auto_id="by_%s")
        self.fields["tool"].widget.attrs["list"] = "names"

    @property
    def names(self) -> list[str]:
        return sorted({capability.name for capability in registry.capabilities()})

    def narrow(self, calls: ToolCallQuerySet) -> ToolCallQuerySet:
        for name, ask in QUESTIONS.items():
            if value := self.cleaned_data[name]:
                calls = ask(calls, value)
        return calls


class ByDetails(admin.ListFilter):
    title = parameter_name = "details"
    template = "admin/tools_app/toolcall/details.html"
    parameters = tuple(QUESTIONS)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.form = Details({name: params.pop(name)[-1] for name in self.parameters if name in params})

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: Calls) -> Calls:
        return self.form.narrow(question(queryset)) if self.form.is_valid() else queryset.none()

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What else the page is narrowed to, to go on with."""
        for name, value in changelist.params.items():
            if name not in self.form.fields:
                yield {"name": name, "value": value}
