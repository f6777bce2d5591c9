from django import forms
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from tools_app.models import ToolPolicy
from tools_app.registry import registry


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
