"""What somebody else wrote, made harmless to look at: in a log, a terminal, a table or a page."""

import re
import unicodedata

LINE_BREAK = re.compile("\r\n|\r|\n")


def visible(text: str) -> str:
    """`text` with line breaks, escapes and direction marks spelled out, so that none of them acts."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if is_plain(char) else char.encode("unicode_escape").decode() for char in text)


def one_line(text: str, most: int) -> str:
    """The same on one line, and no longer than that."""
    return visible(" ".join(text.split()))[:most]


def visible_lines(text: str) -> list[str]:
    """The same line by line, for where a text may have several."""
    return [visible(line.expandtabs(4)) for line in LINE_BREAK.split(text)]


def is_plain(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"
