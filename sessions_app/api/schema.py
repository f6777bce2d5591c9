"""What the API is, for machines (OpenAPI) and for people (a page that tries it out)."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.response import TemplateResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from .problem import MEDIA_TYPE
from .view import PublicView


class Credentials(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # theirs
    """Any of them, one at a time."""

    target_class = "sessions_app.api.authentication.CredentialAuthentication"
    name = ["bearer", "apiKey", "sessionToken"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key, a session token or a JWT."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "apiKey", "in": "header", "name": "X-Session-Token"},
        ]


class Cookie(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "sessions_app.api.authentication.BrowserAuthentication"
    name = "cookie"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {}, "description": "What is wrong, by field."},
    },
}


def finish(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """drf-spectacular's hook: what it cannot know."""
    result["info"]["version"] = settings.VERSION
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
            schema.pop("description", None)
    schemas["Problem"] = PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            finish_operation(operation)
    return result


def finish_operation(operation: dict[str, Any]) -> None:
    """What it does is the first line of its docstring; whatever else it answers is a problem document."""
    if "summary" not in operation:
        operation["summary"], _, operation["description"] = operation["description"].partition("\n\n")
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    operation["responses"]["default"] = {"description": "Refused, or failed", "content": {MEDIA_TYPE: reference}}


@cache
def description() -> dict[str, Any]:
    """The same for everybody, so it is made once."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(None, public=True)  # type: ignore[no-untyped-call]
    return schema


class SchemaView(PublicView):
    renderer_classes = (OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(description())


class DocsView(PublicView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """A page, whatever is asked for."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return TemplateResponse(request._request, "sessions_app/api_docs.html")
