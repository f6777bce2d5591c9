"""A request, as bytes."""

import re

from .given import Headers


def request(method: str, path: str, headers: Headers, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body or method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def on_one_line(text: str) -> str:
    """As much of it as leaves a request with one beginning and one end."""
    return re.sub(r"[\r\n]", " ", text)


def bearer(key: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {key}")
