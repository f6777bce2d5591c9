"""How long does an operator wait, with ten million calls on record? `python -m tests.bench --only admin`.

It fills a PostgreSQL database of its own, or the one that BENCH_DATABASE_URL names, and keeps that. Every list of
the admin (its first page, the next, the last, a search for something that is there and for something that is not,
each choice of each filter), one row's page, the form for a new one, and the home. Asked in this process as a
superuser, so that the figures are the server's own time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from tests.bench.contest import clean_environ, manage
from tests.bench.servers import ROOT
from tests.services import own_database, postgres_url

CALLS = 10_000_000
MOST_MS, MOST_QUERIES = 300, 20
KEPT = "BENCH_DATABASE_URL"
"""Names a database that is filled if it is empty, and kept."""
NOT_THERE = "zzz-nothing"
TYPED = {"tool": "collaboration", "user": "user-77", "client": "client 7", "since": "2026-01-01T00:00"}
"""What filters of the record are typed and not chosen."""


@dataclass
class Page:
    """One address."""

    where: str
    what: str
    path: str
    took: list[float] = field(default_factory=list)
    """Milliseconds."""
    queries: int = 0
    status: int = 0

    @property
    def is_met(self) -> bool:
        return self.status == 200 and max(self.took) <= MOST_MS and self.queries <= MOST_QUERIES

    def row(self) -> str:
        figures = f"{median(self.took):>9.0f}{max(self.took):>9.0f}{self.queries:>9}"
        return f"{self.where:<18}{self.what:<44}{figures}  {'' if self.is_met else f'! {self.status}'}"


def main(*, check: bool, calls: int = CALLS, runs: int = 5) -> int:
    """In a process of its own, whose settings are those of a server."""
    with TemporaryDirectory(prefix="concierge-bench-") as scratch, database() as url:
        environ = clean_environ() | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "CONCIERGE_DATA_DIR": scratch,
            "DATABASE_URL": url,
            "CONCIERGE_LOG_LEVEL": "WARNING",
        }
        manage(environ, "migrate", "--verbosity=0")
        arguments = [f"--calls={calls}", f"--runs={runs}", *(["--check"] if check else [])]
        command = [sys.executable, "-m", "tests.bench.control_room", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


@contextmanager
def database() -> Iterator[str]:
    if KEPT in os.environ:
        yield os.environ[KEPT]
    elif postgres_url() is None:
        raise SystemExit("The benchmark needs a PostgreSQL whose user may create databases (TEST_DATABASE_URL).")
    else:
        with own_database(f"concierge_bench_{os.getpid()}") as url:
            yield url


def work(calls: int, runs: int, only: str) -> list[Page]:
    import django

    django.setup()
    from sessions_app.models import User
    from tests.bench import crowd

    if not User.objects.filter(username=crowd.OPERATOR).exists():
        began = time.monotonic()
        crowd.fill(calls)
        print(f"{calls:,} calls and what belongs to them: {time.monotonic() - began:.0f} s", flush=True)
    operator = User.objects.get(username=crowd.OPERATOR)
    pages = [page for page in all_pages(operator) if only in page.where]
    for page in pages:
        ask(page, operator, runs)
        print(page.row(), flush=True)
    return pages


def ask(page: Page, operator: Any, runs: int) -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    client.force_login(operator)
    with CaptureQueriesContext(connection) as queries:
        page.status = client.get(page.path).status_code
    page.queries = len(queries)
    for _ in range(runs):
        began = time.perf_counter()
        client.get(page.path)
        page.took.append((time.perf_counter() - began) * 1000)
        if page.took[0] > 10 * MOST_MS:
            return  # once is enough


def all_pages(operator: Any) -> Iterator[Page]:
    from django.contrib import admin
    from django.urls import reverse

    yield Page("home", "", reverse("admin:index"))
    for model, model_admin in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        yield from pages_of(model, model_admin, operator)


def pages_of(model: Any, model_admin: Any, operator: Any) -> Iterator[Page]:
    from django.urls import reverse

    name, label = f"admin:{model._meta.app_label}_{model._meta.model_name}", model.__name__
    address = reverse(f"{name}_changelist")
    changelist = changelist_of(model_admin, address, operator)
    yield Page(label, "first page", address)
    yield from (Page(label, what, address + query) for what, query in next_pages(changelist))
    middle = row_in_the_middle(model)
    if model_admin.search_fields:
        for found in model_admin.search_fields:
            text = value_of(middle, found)
            yield Page(label, f"search {found}", f"{address}?{urlencode({'q': text})}")
        yield Page(label, "search for what is not there", f"{address}?{urlencode({'q': NOT_THERE})}")
    for title, query in choices_of(changelist):
        yield Page(label, title, address + query)
    if middle is not None:
        yield Page(label, "a row's page", reverse(f"{name}_change", args=[middle.pk]))
    if model_admin.has_add_permission(changelist.request):
        yield Page(label, "a new one", reverse(f"{name}_add"))


def changelist_of(model_admin: Any, address: str, operator: Any) -> Any:
    from django.test import RequestFactory

    request = RequestFactory(SERVER_NAME="127.0.0.1").get(address)
    request.user = operator
    changelist = model_admin.get_changelist_instance(request)
    changelist.request = request
    return changelist


def next_pages(changelist: Any) -> Iterator[tuple[str, str]]:
    if older := getattr(changelist, "older", None):
        yield "next page", older
    elif changelist.multi_page:
        yield "next page", "?p=2"
        yield "last page", f"?p={changelist.paginator.num_pages}"


def row_in_the_middle(model: Any) -> Any:
    rows = model._default_manager.order_by("pk")
    first, last = rows.first(), rows.last()
    if first is None or not isinstance(first.pk, int):
        return first
    return rows.filter(pk__gte=(first.pk + last.pk) // 2).first()


def value_of(row: Any, lookup: str) -> str:
    """What is typed to find this row by that field."""
    for name in lookup.lstrip("=^@").split("__"):
        row = getattr(row, name, None)
    return str(row)


def choices_of(changelist: Any) -> Iterator[tuple[str, str]]:
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            if "query_string" in choice and not choice["selected"]:
                yield f"{spec.title}: {choice['display']}"[:43], choice["query_string"]
        for name in getattr(spec, "parameters", ()):
            if name in TYPED:
                yield f"{spec.title}: {name}", f"?{urlencode({name: TYPED[name]})}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(f"{'':<18}{'milliseconds':<44}{'median':>9}{'max':>9}{'queries':>9}")
    asked = work(options.calls, options.runs, options.only)
    missed = [page for page in asked if not page.is_met]
    print(
        f"target: {MOST_MS} ms and {MOST_QUERIES} queries:"
        f" {'met' if not missed else f'missed by {len(missed)}'} of {len(asked)} pages"
    )
    sys.exit(1 if options.check and missed else 0)
