"""The control room: Django's admin, with its own look, home and search."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.csp import CSP
from django.utils.decorators import method_decorator
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_http_methods

from project.settings import SECURE_CSP
from sessions_app.unfolded import Site

from .search import MOST_FOUND, found
from .sign_in import StaffSignInForm

View = Callable[..., HttpResponseBase]

RELAXED_CSP: dict[str, list[str]] = {
    **SECURE_CSP,
    # Its scripts are written in its attributes, which Alpine makes functions of, and they set styles.
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}
relaxed = csp_override(RELAXED_CSP)
read_and_written = require_http_methods(["GET", "HEAD", "POST"])


def unframed(view: View) -> View:
    """Unfold lets pages of the same site frame its lists and forms. None of ours does."""

    @wraps(view)
    def view_unframed(*args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response["X-Frame-Options"] = "DENY"
        return response

    return view_unframed


@method_decorator(read_and_written, name="login")
@method_decorator(relaxed, name="login")
@method_decorator(relaxed, name="logout")
class ControlRoom(Site):  # type: ignore[misc]  # Any
    site_header = site_title = "Concierge"
    index_title = "Control room"
    site_url = "/"
    login_form = StaffSignInForm
    empty_value_display = "—"

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """`cacheable` or not: Django says so of the page for a password, which has a name on it."""
        checked: View = super().admin_view(view)
        return relaxed(read_and_written(unframed(checked)))

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Not as Unfold does it: that keeps what one found for five minutes, whatever he may see by then."""
        started, asked = time.perf_counter(), request.GET.get("s", "").strip()
        page = Paginator(found(self, request, asked), MOST_FOUND).page(1)
        took = time.perf_counter() - started
        context = {"results": page, "page_obj": page.paginator, "page_counter": 0, "execution_time": took}
        return TemplateResponse(request, "unfold/helpers/command_results.html", {**context, "search_term": asked})
