"""Requests to the REST API, by its own description."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.failure.chance import NAMES, Chance

from .given import TOKEN, Given, Headers
from .headers import POOL
from .http import bearer, request


def rest(chance: Chance, given: Given) -> bytes:
    """Any operation of the OpenAPI document, with arguments that fit, or not."""
    path = chance.choice(list(given.api["paths"]))
    operations = given.api["paths"][path]
    method = chance.choice(list(operations)).upper()
    operation = operations[method.lower()]
    query = []
    for parameter in operation.get("parameters", ()):
        likely = given.rooms if "{id}" in path else given.likely
        value = plain(chance.fitting(parameter["schema"], given.api, likely))
        value = chance.text() if chance.one_in(6) else value
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(value.encode("utf-8", "surrogatepass"), safe=""))
        elif chance.one_in(2):
            query.append((parameter["name"], value))
    if chance.one_in(6):
        query.append((chance.choice(NAMES), chance.text()))
    if query:
        path += "?" + encoded(query)
    if chance.one_in(8):
        method = chance.choice(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "FOO"))
    sent = [("Host", given.host), *visitor(chance, given)]
    body = b""
    if content := operation.get("requestBody", {}).get("content", {}).get("application/json"):
        wanted = chance.fitting(content["schema"], given.api, given.likely)
        body = chance.written(chance.changed(wanted) if chance.one_in(2) else wanted)
        sent.append(
            ("Content-Type", "application/json" if not chance.one_in(9) else chance.choice(POOL["Content-Type"]))
        )
    return request(method, path, sent, body)


def visitor(chance: Chance, given: Given) -> Headers:
    match chance.randrange(10):
        case 0:
            return []
        case 1 | 2:
            cookie = f"sessionid={chance.choice(given.cookies)}; csrftoken={TOKEN}"
            return [("Cookie", cookie), ("X-CSRFToken", TOKEN)]
    return [bearer(given.key(chance))]


def plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def encoded(pairs: list[tuple[str, str]]) -> str:
    """As a query, or as a form."""
    return urlencode(
        [(one.encode("utf-8", "surrogatepass"), two.encode("utf-8", "surrogatepass")) for one, two in pairs]
    )
