"""Pictures of what there is, which clients fetch as they fetch any static file."""

import mcp_types as types
from django.conf import settings


def icon_of(name: str) -> list[types.Icon]:
    """The file of that name below static/tools_app/icons/, where clients fetch it. None for an empty name."""
    if not name:
        return []
    src = f"{settings.CONFIG.origin}{settings.STATIC_URL}tools_app/icons/{name}.svg"
    return [types.Icon(src=src, mime_type="image/svg+xml", sizes=["any"])]
