from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from sessions_app.admin.asking import Question, asks
from sessions_app.admin.group import is_superuser
from sessions_app.unfolded import ModelAdmin
from tools_app.models import ToolPolicy

from .tool_facts import FactsInList, FactsOnPage
from .tool_form import GrantingForm, ToolForm
from .tool_list import IsOn, ToolList, is_there, note
from .tool_trial import TrialPage

SWITCHING_OFF = Question(
    title="Switch tools off",
    says="Nobody sees them or can call them from the next call on. Calls in flight go on. Clients with an open"
    " stream are told that their list changed.",
    yes="Switch off",
)
DECIDED = ("is_on", "rate", "timeout")


@admin.register(ToolPolicy)
class ToolPolicyAdmin(TrialPage, FactsInList, FactsOnPage, ModelAdmin):
    """The tools: what each does, who may call it, and what operators decide. It counts from the next call on."""

    list_display = ("name", "state", "effect", "who", "users", "limit", "time", "calls", "errors", "p95")
    list_filter = (IsOn,)
    search_fields = ("tool",)
    search_help_text = "A part of its name."
    actions = ("switch_on", "switch_off")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ToolList]:
        return ToolList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        policy: Any = super().get_object(request, object_id, from_field)
        if policy is not None:
            note([policy])
            policy.seer = request.user
        return policy

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Migrating makes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or is_there(obj.tool))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a tool that is gone, on its page; migrating would make any other anew."""
        is_gone = obj is not None and not is_there(obj.tool)
        return is_gone and super().has_delete_permission(request, obj)

    def may_grant(self, request: HttpRequest, policy: Any) -> bool:
        """Whoever changes what groups may do could give himself all; so it is as on the groups' own page."""
        return is_superuser(request) and policy.facts is not None and bool(policy.facts.permission_name)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = GrantingForm if obj is not None and self.may_grant(request, obj) else ToolForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or obj.facts is None:
            return [(None, {"fields": ("shown_name", *DECIDED)})]
        groups = "groups" if self.may_grant(request, obj) else "groups_that_have_it"
        links = ("groups_that_have_it",) if groups == "groups" else ()
        # Who may change them reads it below each.
        written = () if self.has_change_permission(request, obj) else ("as_written",)
        return [
            (None, {"fields": ("shown_name", "title", "description", "annotations")}),
            ("What operators decide", {"fields": (*DECIDED, *written)}),
            ("Who may call it", {"fields": ("permission", "callers", *links, groups)}),
            ("In the last 24 hours", {"fields": ("outcomes", "slowest")}),
            ("What it takes and gives", {"fields": ("input_schema", "output_schema")}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [name for _, part in self.get_fieldsets(request, obj) for name in part["fields"]]
        return [name for name in fields if name not in (*DECIDED, "groups")]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not isinstance(form, GrantingForm):
            return
        form.grant()
        permission = form.instance.facts.permission
        for said, groups in (("Given", form.given), ("Taken away", form.taken)):
            for group in groups:
                self.log_about(request, group, f"{said}: {permission}, on the page of the tool {form.instance}.")

    def log_about(self, request: HttpRequest, group: Group, message: str) -> None:
        """In the group's history."""
        self.log_change(request, group, message)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return form.words or []

    def allowed(self, request: HttpRequest, queryset: QuerySet[ToolPolicy]) -> list[ToolPolicy]:
        selected = list(queryset)
        found = [policy for policy in selected if is_there(policy.tool)]
        if len(found) < len(selected):
            messages.error(request, f"Left alone: {len(selected) - len(found)} of tools that are gone.")
        return found

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[ToolPolicy]) -> None:
        self.switch(request, self.allowed(request, queryset), is_on=True)

    @admin.action(description="Switch off", permissions=["change"])
    @asks(SWITCHING_OFF)
    def switch_off(self, request: HttpRequest, policies: list[ToolPolicy]) -> None:
        self.switch(request, policies, is_on=False)

    def switch(self, request: HttpRequest, policies: list[ToolPolicy], *, is_on: bool) -> None:
        changed = [policy for policy in policies if policy.is_on != is_on]
        rows = ToolPolicy.objects.filter(pk__in=[policy.pk for policy in changed])
        if changed:
            rows.switch_on() if is_on else rows.switch_off()
        said = f"Switched {'on' if is_on else 'off'}"
        for policy in changed:
            self.log_change(request, policy, f"{said}.")
        messages.success(request, f"{said}: {len(changed)}. So before: {len(policies) - len(changed)}.")
