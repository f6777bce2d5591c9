"""What cannot be undone is asked about first: what will happen, and to what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse

from sessions_app.plain_text import one_line, visible

MOST_NAMED = 20
"""Of what was selected, by its name. The rest is counted."""
LONGEST_TYPED = 100
CARRIED = ("action", "CHANGE_FORM-action")
"""What the answer sends once more of what the list or the page sent: the action's name."""
CONFIRMED, SEEN = "confirmed", "seen"

Act = Callable[[Any, HttpRequest, list[Any]], HttpResponseBase | None]
Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponseBase | None]


@dataclass(frozen=True)
class Question:
    title: str
    says: str
    """What will happen, in a sentence or two."""
    yes: str
    """What the button says."""
    reason: str = ""
    """What is asked for besides, if anything is."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """What can be chosen besides, in words, by what is sent as `choice`. The first is what most want."""
    choice: str = ""
    """What is chosen by it."""
    seen: Callable[[Any], object] | None = None
    """What must be as it was when it was asked; else a page that is sent again would act again."""

    def seen_of(self, objects: list[Any]) -> str:
        return "" if self.seen is None else " ".join(str(self.seen(obj)) for obj in objects)


def asks(question: Question) -> Callable[[Act], Action]:
    """An action of the admin that acts when its question was answered, on those that this user may act on."""

    def decorate(act: Act) -> Action:
        @wraps(act)
        def ask_or_act(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
            objects = page.allowed(request, queryset)
            if not objects:
                messages.warning(request, "There is nothing that could be done.")
                return None
            if CONFIRMED not in request.POST:
                return asking(question, page, request, objects)
            if request.POST.get(SEEN, "") != question.seen_of(objects):
                messages.error(request, "It was done already, or changed meanwhile; so nothing was done.")
                return None
            return act(page, request, objects)

        return ask_or_act

    return decorate


def asking(question: Question, page: Any, request: HttpRequest, objects: list[Any]) -> TemplateResponse:
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": question.title,
        "question": question,
        "named": [visible(str(obj)) for obj in objects[:MOST_NAMED]],
        "more": max(0, len(objects) - MOST_NAMED),
        "carried": [
            *((name, request.POST[name]) for name in CARRIED if name in request.POST),
            (SEEN, question.seen_of(objects)),
        ],
        "selected_name": ACTION_CHECKBOX_NAME,
        "selected": [obj.pk for obj in objects],
        "confirmed_name": CONFIRMED,
        "longest": LONGEST_TYPED,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/asking.html", context)


def typed_reason(request: HttpRequest) -> str:
    """On one visible line."""
    return one_line(request.POST.get("reason", ""), LONGEST_TYPED)


def reason_of(request: HttpRequest) -> str:
    """By whom, and what he wrote about it."""
    typed, by = typed_reason(request), f"by {request.user.get_username()}"
    return f"{by}: {typed}" if typed else by
