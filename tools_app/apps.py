from typing import Any

from django.apps import AppConfig
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
