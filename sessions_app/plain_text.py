"""What somebody else wrote, made harmless to look at: in a log, a terminal, a table or a page."""

import unicodedata


def visible(text: str) -> str:
    """`text` with line breaks, escapes and direction marks spelled out, so that none of them acts."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if is_plain(char) else char.encode("unicode_escape").decode() for char in text)


def is_plain(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"
