"""Whether the tables are those that this release works with, and the rows that migrating makes are there."""

from collections.abc import Iterator

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from project.pages.states import shipped_migrations
from tools_app.models import ToolPolicy
from tools_app.registry import registry

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, warning
from .hurried import hurry
from .shell import manage


@examination("migrations", needs=("database",))
def migrations(case: Case) -> Iterator[Finding]:
    hurry()
    applied = frozenset(MigrationRecorder(connection).applied_migrations())
    labels = {config.label for config in apps.get_app_configs()}
    missing = sorted(shipped_migrations() - applied)
    newer = sorted(name for name in applied - shipped_migrations() if name[0] in labels)
    if not applied:
        raise Away(problem("applied", "The database is empty: no migration was applied.", manage("migrate")))
    if newer:
        says = f"The database is of a newer release, which applied {named(newer)}."
        raise Away(problem("newer", says, "Run that release here, or restore the backup from before it"))
    if missing:
        says = f"{len(missing)} to be applied: {named(missing)}."
        raise Away(problem("applied", says, f"{manage('migrate')} (serving does it, too)"))
    yield ok("applied", f"All {len(applied)} are applied, and none is of a newer release.")
    yield permissions()
    yield policies()


def named(names: list[tuple[str, str]]) -> str:
    shown = ", ".join(".".join(name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def permissions() -> Finding:
    """Those of the models and those of the tools: without its row, nobody can be given one."""
    rows = frozenset(Permission.objects.order_by().values_list("content_type__app_label", "codename"))
    there = {".".join(row) for row in rows}
    missing = sorted((permissions_of_models() | {each.permission for each in registry.capabilities()}) - there)
    if not missing:
        return ok("permissions", "Every model and every tool has its permission.")
    shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
    says = f"{len(missing)} permissions are missing, so nobody can be given them: {shown}"
    return problem("permissions", says, manage("migrate"))


def permissions_of_models() -> set[str]:
    found: set[str] = set()
    for meta in (model._meta for model in apps.get_models()):
        if meta.proxy or not meta.managed:
            continue
        names = [f"{action}_{meta.model_name}" for action in meta.default_permissions]
        names += [codename for codename, _ in meta.permissions]
        found |= {f"{meta.app_label}.{name}" for name in names}
    return found


def policies() -> Finding:
    missing = sorted(registry.tools.keys() - set(ToolPolicy.objects.values_list("tool", flat=True)))
    if not missing:
        return ok("tools", f"Each of {len(registry.tools)} tools has its row in the control room.")
    says = f"Tools without a row in the control room, where they could be switched off: {', '.join(missing[:5])}."
    return warning("tools", says, manage("migrate"))
