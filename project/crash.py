"""What people see when a page fails."""

import sys

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

from sessions_app.outage import is_outage
from sessions_app.transport.refusal import unavailable

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def crashed(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: 503 for a database that is away, in plain words: a page would ask it who looks."""
    error = sys.exc_info()[1]
    if not isinstance(error, Exception) or not is_outage(error):
        return server_error(request)
    refusal = unavailable(error, "A page failed", writes=request.method not in SAFE_METHODS)
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    return HttpResponse(refusal.message, "text/plain; charset=utf-8", refusal.status, headers=headers)
