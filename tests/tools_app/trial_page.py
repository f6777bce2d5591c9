"""A page on which whoever is signed in tries a tool, as small as one can be."""

from dataclasses import asdict

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path

from sessions_app.addresses import address_of
from tools_app.trial import try_tool


def page(request: HttpRequest, tool: str) -> HttpResponseBase:
    assert request.session.session_key is not None
    arguments = request.GET.get("arguments", "")
    return JsonResponse(asdict(try_tool(request.session.session_key, address_of(request), tool, arguments)))


urlpatterns = [path("try/<str:tool>", page)]
