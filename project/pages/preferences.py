"""One's own preferences: what tools and clients keep of one's taste, as JSON under keys."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from sessions_app.models import Preference
from sessions_app.models.preference import LARGEST_VALUE, MOST_KEYS

from .asking import Question
from .preference_form import EditForm, NewForm, as_people_read, moment
from .signed_in import PREFERENCES, MyView


class PreferencesView(MyView):
    section = PREFERENCES

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(NewForm(label_suffix=""))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewForm(request.POST, label_suffix="")
        if form.is_valid() and form.add(self.user):
            messages.success(request, f"Saved: {form.cleaned_data['key']}.")
            return redirect(PREFERENCES.name)
        return self._show(form, status=400)

    def _show(self, form: NewForm, status: int = 200) -> HttpResponse:
        rows = [row(preference) for preference in Preference.objects.of(self.user.pk).order_by("key")]
        return self.page(
            "preferences", status, form=form, rows=rows, most=MOST_KEYS, largest=LARGEST_VALUE // 1024
        )


def row(preference: Preference) -> dict[str, Any]:
    return {
        "preference": preference,
        "value": as_people_read(preference.value),
        "edit": page_about("my-preference", preference.key),
        "delete": page_about("my-preference-end", preference.key),
        "label": f"Delete {preference.key}",
        "question": question(preference.key),
    }


def page_about(name: str, key: str) -> str:
    """A key may be anything, also what a browser takes for a step up in a path."""
    return f"{reverse(name)}?{urlencode({'key': key})}"


def question(key: str) -> Question:
    return Question(
        f"Delete the preference “{key}”?",
        "Its value is gone then. Tools and clients that ask for it find none, until somebody sets it again.",
        "Delete the preference",
    )


class OneView(MyView):
    section = PREFERENCES
    key: str

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.key = request.GET.get("key", "")

    def found(self) -> Preference:
        is_possible = "\x00" not in self.key  # PostgreSQL has none
        preference = Preference.objects.of(self.user.pk).filter(key=self.key).first() if is_possible else None
        if preference is None:
            raise Http404
        return preference


class PreferenceView(OneView):
    def get(self, request: HttpRequest) -> HttpResponse:
        preference = self.found()
        shown = {"value": as_people_read(preference.value), "seen": moment(preference)}
        return self._show(EditForm(initial=shown, label_suffix=""))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = EditForm(request.POST, label_suffix="")
        if "\x00" in self.key:
            raise Http404
        if form.is_valid() and form.change(self.user, self.key):
            messages.success(request, f"Saved: {self.key}.")
            return redirect(PREFERENCES.name)
        return self._show(form, status=400)

    def _show(self, form: EditForm, status: int = 200) -> HttpResponse:
        return self.page("preference", status, form=form, key=self.key)


class DeleteView(OneView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page("ask", question=question(self.found().key), back=PREFERENCES.name)

    def post(self, request: HttpRequest) -> HttpResponse:
        self.found().delete()
        messages.success(request, f"Deleted: {self.key}.")
        return redirect(PREFERENCES.name)
