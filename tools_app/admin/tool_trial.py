"""A form on a tool's page, by which an operator calls it as himself, and the page with what came of it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from sessions_app.addresses import address_of
from tools_app.facts import ToolFacts
from tools_app.skeleton import skeleton_of
from tools_app.trial import Trial, try_tool

from .block import block, json_block, pretty

KNOWS = "knows"
"""The box that must be checked for what destroys."""


class TrialPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    change_form_outer_after_template = "admin/tools_app/toolpolicy/try.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.try_it))
        return [path("<str:object_id>/try/", view, name="tools_app_toolpolicy_try"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        policy: Any = context["original"]
        if policy is not None and policy.facts is not None:
            context |= trying(request, policy.facts, pretty(skeleton_of(policy.facts.input_schema)))
        return super().render_change_form(request, context, *args, **kwargs)

    def try_it(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """In no transaction, which the tool's own would wait for."""
        policy: Any = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, policy):
            raise PermissionDenied
        if policy is None or policy.facts is None:
            raise Http404
        arguments = request.POST.get("arguments", "")
        context = trying(request, policy.facts, arguments)
        page = {**self.admin_site.each_context(request), "opts": self.opts, "original": policy, **context}
        if context["is_open"] and "arguments" not in request.POST:
            return HttpResponseBadRequest("The form has a field for the arguments.", content_type="text/plain")
        if context["is_open"]:
            page |= self.came_of_it(request, policy.facts, arguments)
        response = TemplateResponse(
            request,
            "admin/tools_app/toolpolicy/trial.html",
            {
                **page,
                "tool": policy,
                "back": reverse("admin:tools_app_toolpolicy_change", args=[quote(policy.pk)]),
            },
            status=200 if context["is_open"] else 403,
        )
        response["Cache-Control"] = "no-store"
        return response

    def came_of_it(self, request: HttpRequest, facts: ToolFacts, arguments: str) -> dict[str, Any]:
        if facts.is_destructive and KNOWS not in request.POST:
            return {"is_unconfirmed": True}
        key = request.session.session_key
        if key is None:
            raise PermissionDenied  # signed in by no session
        trial = try_tool(key, address_of(request), facts.name, arguments)
        return {"trial": trial, **shown(trial, may_see_record=request.user.has_perm("tools_app.view_toolcall"))}


def trying(request: HttpRequest, facts: ToolFacts, arguments: str) -> dict[str, Any]:
    """What the form needs. Whether he may call it is asked again, by the gate."""
    return {
        "facts": facts,
        "arguments": arguments,
        "knows": KNOWS,
        "try_at": reverse("admin:tools_app_toolpolicy_try", args=[quote(facts.name)]),
        "is_open": facts.is_on and request.user.has_perm(facts.permission),
    }


def shown(trial: Trial, *, may_see_record: bool) -> dict[str, Any]:
    record = f"{reverse('admin:tools_app_toolcall_changelist')}?{urlencode({'q': trial.error_id})}"
    return {
        "text": block(trial.text),
        "structured": json_block(trial.structured) if trial.structured is not None else None,
        "told": block("\n".join(trial.told)) if trial.told else None,
        "others": ", ".join(trial.others),
        "record": record if trial.error_id and may_see_record else "",
    }
