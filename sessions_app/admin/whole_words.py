"""Searching for what somebody typed whole, or from its beginning: what an index can find among a million rows."""

from collections.abc import Iterator, Sequence
from functools import reduce
from ipaddress import ip_address
from operator import or_
from typing import Any

from django.db.models import GenericIPAddressField, Model, Q, QuerySet
from django.http import HttpRequest

from sessions_app.models.credential import Credential
from sessions_app.unfolded import ModelAdmin

MOST_OTHERS = 100
"""Rows of another table, such as users, by which rows are found."""
BEGINNING = "^"


class WholeWords(ModelAdmin):
    """`search_fields` are asked for the whole text, or with `^` for its beginning; case counts.

    An OR over many columns and joins would read the whole table. So each is asked first whether it knows
    the text, which costs a look-up each, and as a rule one does.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        return found(queryset, self.get_search_fields(request), text), False


def found(rows: QuerySet[Any], fields: Sequence[str], text: str) -> QuerySet[Any]:
    """Those of `rows` in which one of `fields` is `text`."""
    everything = rows.model._default_manager
    questions = [question for field in fields for question in questions_of(rows.model, field, text)]
    known = [question for question in questions if everything.filter(question).exists()]
    return rows.filter(reduce(or_, known)) if known else rows.none()


def questions_of(model: type[Model], field: str, text: str) -> Iterator[Q]:
    """One; none where `text` cannot be in that field."""
    name, _, of_other = field.removeprefix(BEGINNING).partition("__")
    column = model._meta.get_field(name)
    if of_other:
        other = column.related_model
        assert isinstance(other, type)  # noqa: S101 (a relation's)
        for question in questions_of(other, field.replace(f"{name}__", "", 1), text):
            pks = other._default_manager.filter(question).order_by("pk").values_list("pk", flat=True)
            yield Q((f"{name}__in", list(pks[:MOST_OTHERS])))
    elif isinstance(column, GenericIPAddressField):
        if is_address(text):
            yield Q((name, text))
    elif "\x00" not in text:
        yield Q((f"{name}__startswith" if field.startswith(BEGINNING) else name, spelled(model, name, text)))


def spelled(model: type[Model], name: str, text: str) -> str:
    """A credential is known by what people see of it: with its prefix, or pasted whole."""
    if name == "public_id" and issubclass(model, Credential):
        return text.removeprefix(f"{model.PREFIX}_").split("_")[0].split("…")[0]
    return text


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
