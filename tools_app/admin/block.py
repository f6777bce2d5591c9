"""A long text of somebody else's on a page: all of it, or as much as a person reads and a note of the rest."""

import json
from typing import Any

from django.utils.html import format_html

from sessions_app.plain_text import visible_lines

MOST_SHOWN = 20_000
"""Characters."""


def block(text: str) -> str:
    """HTML. Line by line, with what would act on a page spelled out."""
    shown = format_html('<pre class="block" tabindex="0">{}</pre>', plain(text[:MOST_SHOWN]))
    if len(text) <= MOST_SHOWN:
        return shown
    return format_html(
        '{}<p class="note">The first {} of {} characters.</p>', shown, f"{MOST_SHOWN:,}", f"{len(text):,}"
    )


def plain(text: str) -> str:
    return "\n".join(visible_lines(text))


def json_block(value: Any) -> str:
    return block(pretty(value))


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
