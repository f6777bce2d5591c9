"""Requests to pages and the control room, by their own links and forms."""

from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, urlsplit

from tests.failure.chance import NAMES, Chance

from .given import TOKEN, Form, Given, Headers
from .http import request
from .rest import encoded


class Seen(HTMLParser):
    """A page's forms, and the queries of its links."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.path, self.forms, self.queries = path, list[Form](), list[tuple[str, list[tuple[str, str]]]]()
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            path = urlsplit(about.get("action", "")).path or self.path
            self.forms.append(Form(path, about.get("method", "get").upper(), []))
        elif tag == "a" and (parts := urlsplit(about.get("href", ""))).query and not parts.netloc:
            self.queries.append((parts.path or self.path, parse_qsl(parts.query, keep_blank_values=True)))
        elif tag == "select":
            self._select = about.get("name", "")
        elif self.forms and tag in ("input", "textarea", "button") and "name" in about:
            self.forms[-1].fields.append((about["name"], about.get("value", "")))
        elif self.forms and tag == "option" and self._select:
            self.forms[-1].fields.append((self._select, about.get("value", "")))


def pages(chance: Chance, given: Given) -> bytes:
    """A page that is asked for oddly, or a form that is filled in oddly; as one who is signed in, or not."""
    sent: Headers = [("Host", given.host)]
    if not chance.one_in(10):
        cookie = chance.choice(given.cookies) if chance.one_in(4) else given.cookies[-1]  # all is open to him
        sent.append(("Cookie", f"sessionid={cookie}; csrftoken={TOKEN}"))
    if chance.one_in(2) and given.forms:
        form = chance.choice(given.forms)
        fields = filled_oddly(chance, form.fields)
        if form.method == "POST":
            return posted(chance, form.path, sent, [*fields, ("csrfmiddlewaretoken", TOKEN)])
        return request("GET", f"{form.path}?{encoded(fields)}", sent)
    path, query = chance.choice(given.paths), list[tuple[str, str]]()
    if chance.one_in(2) and given.queries:
        path, query = chance.choice(given.queries)
    query = filled_oddly(chance, query)
    path = path.partition("?")[0]
    if chance.one_in(4):
        parts = path.split("/")
        parts[chance.randrange(len(parts))] = quote(chance.text().encode("utf-8", "surrogatepass"), safe="")
        path = "/".join(parts)
    path = f"/{path.lstrip('/')}"
    method = (
        "GET" if not chance.one_in(12) else chance.choice(("HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"))
    )
    return request(method, f"{path}?{encoded(query)}" if query else path, sent)


def filled_oddly(chance: Chance, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    fields = [each for each in fields if not chance.one_in(8)]
    for _ in range(chance.randrange(4)):
        if fields:
            at = chance.randrange(len(fields))
            fields[at] = (fields[at][0], chance.text(str(chance.choice((0, 1, -1, 2**31, 2**63, 10**30)))))
    if chance.one_in(6):
        asked = (
            "q",
            "p",
            "o",
            "e",
            "all",
            "page",
            "action",
            "_popup",
            "_to_field",
            "next",
            "cursor",
            "days",
            "id__exact",
        )
        fields.append(
            (chance.choice((*asked, *NAMES)), chance.text("1", "-1", "1.-1.0", "x.y", "99999999999999999999"))
        )
    return fields


def posted(chance: Chance, path: str, sent: Headers, fields: list[tuple[str, str]]) -> bytes:
    if not chance.one_in(4):
        body = encoded(fields).encode()
        return request("POST", path, [*sent, ("Content-Type", "application/x-www-form-urlencoded")], body)
    parts = (
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    body = ("".join(parts) + "--xyz--\r\n").encode("utf-8", "surrogatepass")
    body = chance.damaged(body) if chance.one_in(2) else body
    return request("POST", path, [*sent, ("Content-Type", "multipart/form-data; boundary=xyz")], body)
