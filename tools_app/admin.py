from django import forms
from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from sessions_app.admin.history import ReadOnly
from sessions_app.models import Session, User

from .models import ToolCall, ToolPolicy
from .registry import registry


@admin.register(ToolCall)
class ToolCallAdmin(ReadOnly):
    """The record. It refers to nothing that can go, so its links may lead to what is gone."""

    list_display = ("started_at", "name", "username", "outcome", "duration", "error_id")
    list_filter = ("outcome", "started_at")
    search_fields = ("=username", "=name", "=error_id", "=credential")
    search_help_text = "A whole username, name of a tool, error id, or credential such as api-key:7."
    show_full_result_count = False
    fields = ("started_at", "name", "outcome", "error_id", "duration", "user", "credential", "session")

    @admin.display(description="duration (ms)", ordering="duration_ms")
    def duration(self, call: ToolCall) -> str:
        return f"{call.duration_ms:.1f}"

    @admin.display(description="user")
    def user(self, call: ToolCall) -> str:
        return link(User, call.user_id, call.username)

    @admin.display(description="session")
    def session(self, call: ToolCall) -> str:
        return link(Session, call.session_id, f"#{call.session_id}" if call.session_id else "")


class ToolPolicyForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    tool = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(registry.tools)])


@admin.register(ToolPolicy)
class ToolPolicyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What operators decide about tools. It counts from the next call on."""

    form = ToolPolicyForm
    list_display = ("tool", "rate", "as_developed")
    fields = ("tool", "rate")

    def get_readonly_fields(self, request: HttpRequest, policy: ToolPolicy | None = None) -> tuple[str, ...]:
        return () if policy is None else ("tool",)

    @admin.display(description="as its developer decided")
    def as_developed(self, policy: ToolPolicy) -> str:
        tool = registry.tools.get(policy.tool)
        if tool is None:
            return "There is no such tool any more"
        return tool.limit.rate if tool.limit is not None else "no limit of its own"


def link(model: type[Model], pk: int | None, text: str) -> str:
    if pk is None:
        return text or "—"
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
    return format_html('<a href="{}">{}</a>', page, text)
