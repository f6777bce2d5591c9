from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules


class ToolsConfig(AppConfig):
    """What callers may do: the registry, the gate, the built-in tools, the record."""

    name = "tools_app"
    verbose_name = "Tools"

    def ready(self) -> None:
        autodiscover_modules("holdings", "integrity", "tools")
        from . import signals  # noqa: F401 (connects itself)

        post_migrate.connect(make_permissions, sender=self)
        post_migrate.connect(make_policies, sender=self)


def make_permissions(**signal: Any) -> None:
    """After migrate: a permission row for each capability that names no existing one."""
    from django.contrib.contenttypes.models import ContentType

    from sessions_app.permissions import make_permission

    from .models import ToolCall
    from .registry import registry

    ContentType.objects.clear_cache()  # a flush gives the rows new ids
    for capability in registry.capabilities():
        if capability.owns_permission:
            make_permission(ToolCall, capability.codename, capability.permission_label, capability.groups)


def make_policies(apps: Apps = global_apps, **signal: Any) -> None:
    """After migrate: a row for each tool that has none, so that operators find it. It decides nothing.

    `apps` as they were migrated to: that may be to an earlier state, which has no such rows, or others.
    """
    from .registry import registry

    try:
        policy = apps.get_model("tools_app", "ToolPolicy")
    except LookupError:
        return
    policy._default_manager.bulk_create([policy(tool=name) for name in registry.tools], ignore_conflicts=True)
