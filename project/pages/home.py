"""What this server is, and how to get in. It tells strangers nothing of who uses it, or of its version."""

from typing import Any

from django.conf import settings
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from sessions_app.connect import PLACEHOLDER, instructions


@method_decorator(never_cache, name="dispatch")
class HomeView(TemplateView):
    template_name = "pages/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        origin = settings.CONFIG.origin
        here = {
            "endpoint": f"{origin}/mcp",
            "guest_endpoint": f"{origin}/mcp/guest" if settings.CONFIG.guests else None,
            "line": instructions("claude-code", origin, PLACEHOLDER),
        }
        return super().get_context_data(**kwargs) | here
