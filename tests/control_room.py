"""The admin as its users meet it: signed in, page by page, form by form."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client

from sessions_app.models import User
from tests.conftest import make_user

SELECTED = "_selected_action"


class ControlRoom:
    """A browser with `user` signed in, if there is one."""

    def __init__(self, user: User | None = None, **kwargs: Any) -> None:
        self.client = Client(**kwargs)
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query)

    def post(self, path: str, **data: Any) -> Any:
        return self.client.post(path, data)

    def read(self, path: str, **query: Any) -> str:
        """The page, which must be there."""
        response = self.get(path, **query)
        assert response.status_code == 200, (path, response.status_code)
        html: str = response.text
        return html

    def act(self, action: str, *objects: Model, **data: Any) -> Any:
        """Run an action on the selected rows of a list, with its question answered."""
        selected = [str(obj.pk) for obj in objects]
        answered = {"confirmed": "yes", **data}
        return self.post(list_of(type(objects[0])), action=action, **{SELECTED: selected}, **answered)

    def act_on_page(self, action: str, obj: Model, **data: Any) -> Any:
        """Run an action on the page of one object, with its question answered."""
        sent = {"CHANGE_FORM-action": action, SELECTED: str(obj.pk), "confirmed": "yes", **data}
        return self.post(page_of(obj), **sent)

    def save(self, obj: Model, **changes: Any) -> Any:
        """Send the object's form as its page shows it, with `changes`."""
        return self.post(page_of(obj), **{**filled_in(self.read(page_of(obj))), **changes})


def list_of(model: type[Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def form_for(model: type[Model]) -> str:
    return f"{list_of(model)}add/"


def page_of(obj: Model) -> str:
    return f"{list_of(type(obj))}{obj.pk}/change/"


def deletion_of(obj: Model) -> str:
    return f"{list_of(type(obj))}{obj.pk}/delete/"


def history_of(obj: Model) -> str:
    return f"{list_of(type(obj))}{obj.pk}/history/"


def registered_models() -> list[type[Model]]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def make_superuser(name: str = "operator") -> User:
    return User.objects.create_superuser(name, f"{name}@example.com", "correct horse")


def make_staff(name: str, *groups: str, may: str) -> User:
    """Staff who may do what the regular expression `may` says, of codenames."""
    user = make_user(name, *groups)
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__regex=may))
    return user


FACT = re.compile(r'<label [^>]*>([^<]*)</label>(?:(?!<label).)*?<div class="readonly[^>]*>(.*?)</div>', re.DOTALL)
TAGS = re.compile(r"<[^>]*>|\s+")


def text_of(html: str) -> str:
    return " ".join(unescape(TAGS.sub(" ", html)).split())


def cells(html: str, name: str) -> list[str]:
    """What a list says in the column `name`, row by row, as markup."""
    return re.findall(rf'<t[dh] class="field-{name}[ "][^>]*>(.*?)</t[dh]>', html, re.DOTALL)


def column(html: str, name: str) -> list[str]:
    """The same, as text."""
    return [text_of(cell) for cell in cells(html, name)]


def facts(html: str) -> dict[str, str]:
    """What cannot be changed on a page: what is written beside each name."""
    rows = re.findall(
        r"<label [^>]*>([^<]*)</label>(?:(?!<label).)*?<div class=\"readonly[^>]*>(.*?)</div>", html, re.DOTALL
    )
    return {text_of(name): text_of(value) for name, value in rows}


def is_data(script: dict[str, str | None]) -> bool:
    return script.get("type") == "application/json"


class Page(HTMLParser):
    """What a page would run, and what its forms hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        """Every script, style and event handler that is in the page itself."""
        self.fields: dict[str, Any] = {}
        self._open: str | None = None
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.inline += [f"{tag} {name}" for name in values if name.startswith("on") or name == "style"]
        self.inline += [f"{tag} {name}" for name, value in attrs if (value or "").startswith("javascript:")]
        if tag == "style" or (tag == "script" and "src" not in values and not is_data(values)):
            self.inline.append(tag)
        self._note_field(tag, values)

    def _note_field(self, tag: str, values: dict[str, str | None]) -> None:
        name = values.get("name")
        if tag == "textarea" and name:
            self._open, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in values:
            self.fields[self._select] = values.get("value") or ""
        elif tag == "input" and name:
            kind = values.get("type", "text")
            if kind == "checkbox" and "checked" in values:
                self.fields.setdefault(name, []).append(values.get("value") or "on")
            elif name.startswith("initial-"):  # what several boxes were when the page was made
                self.fields.setdefault(name, []).append(values.get("value") or "")
            elif kind not in ("checkbox", "submit", "button"):
                self.fields[name] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._open = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.fields[self._open] += data


def filled_in(html: str) -> dict[str, Any]:
    """The form of a page as a browser would send it untouched."""
    fields = Page(html).fields
    unsent = ("_selected_action", "CHANGE_FORM-action", "CHANGE_FORM-select_across")
    return {
        # A browser drops the one newline after <textarea>.
        name: value.removeprefix("\n") if isinstance(value, str) else value
        for name, value in fields.items()
        if name not in unsent
    }
