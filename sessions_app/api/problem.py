"""What goes wrong, in one shape everywhere: a problem document (RFC 9457)."""

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import Error as DatabaseFailure
from django.http import Http404
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from sessions_app.addresses import address_of
from sessions_app.exceptions import PreferenceRefused, Refused, Unauthenticated
from sessions_app.refusal_log import log_refusal
from sessions_app.refusals import refusals
from sessions_app.transport.refusal import unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
NOT_FOUND = "There is nothing here for you."
"""Unknown, somebody else's or over: the same answer, byte for byte."""


def document(status: int, detail: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """Django REST framework's EXCEPTION_HANDLER. Nothing gets past it: what nobody foresaw is a 500 with an id."""
    refusal = as_refusal(error, context)
    refusals.note(refusal)
    request = context["request"]
    log_refusal(refusal, "http", address_of(request), request.headers)
    members = refusal.data if isinstance(refusal.data, dict) else {}
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    data = document(refusal.status, refusal.message, **members)
    response = Response(data, refusal.status, headers=headers, content_type=MEDIA_TYPE)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log the path, whatever is in it
    return response


def as_refusal(error: Exception, context: Mapping[str, Any]) -> Refused:
    match error:
        case Refused():
            return error
        case exceptions.NotAuthenticated():
            return Unauthenticated("no credential", is_bad=False)
        case exceptions.ValidationError():
            return Refused("Not accepted as it is.", data={"errors": error.detail})
        case Http404() | exceptions.NotFound():
            return Refused(NOT_FOUND, status=404)
        case exceptions.APIException():
            return Refused(str(error.detail), status=error.status_code)
        case PreferenceRefused():
            return Refused(str(error))
        case PermissionDenied():
            return Refused("You may not do that.", status=403)
        case SuspiciousOperation():
            return Refused("Not accepted as it is.")
        case DatabaseFailure():
            writes = context["request"].method not in SAFE_METHODS
            return unavailable(error, "The database failed", writes=writes)
    return crashed(error, context)


def crashed(error: Exception, context: Mapping[str, Any]) -> Refused:
    """Only the id leaves the server; it finds the traceback in the log."""
    error_id = secrets.token_hex(8)
    logger.error("%s crashed: %s", type(context["view"]).__name__, error_id, exc_info=error)
    return Refused(f"Something failed unexpectedly. Error id: {error_id}", status=500)
