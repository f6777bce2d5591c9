"""Resources: a text, bytes, a template, and one to subscribe to."""

import base64
import json

from sessions_app.permissions import EVERYONE
from tools_app.registry import resource

from .samples import PNG


@resource("test://static-text", name="static-text", groups=EVERYONE)
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@resource("test://static-binary", name="static-binary", groups=EVERYONE, mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return base64.b64decode(PNG)


@resource("test://template/{id}/data", name="template", groups=EVERYONE, mime_type="application/json")
def template(id: str) -> str:
    """What the URI says."""
    return json.dumps({"id": id, "data": f"Data for {id}"})


@resource("test://watched-resource", name="watched-resource", groups=EVERYONE)
def watched() -> str:
    """A text to subscribe to."""
    return "Watched"
