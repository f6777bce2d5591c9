from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand

from tools_app.capabilities import Capability
from tools_app.registry import registry


class Command(BaseCommand):
    help = "List the tools, resources and prompts of this server, and who may use each."

    def handle(self, *args: Any, **options: Any) -> None:
        capabilities = sorted(registry.capabilities(), key=lambda capability: (capability.kind, capability.name))
        for capability in capabilities:
            self.stdout.write(f"{capability.kind:<9} {capability.name:<28} {capability.permission}")
            self.stdout.write(f"{'':<9} {first_line(capability)}")
            self.stdout.write(f"{'':<9} {', '.join(groups_with(capability)) or 'no group'}\n\n")


def first_line(capability: Capability) -> str:
    return capability.description.partition("\n")[0]


def groups_with(capability: Capability) -> list[str]:
    app_label, codename = capability.permission.split(".", 1)
    groups = Group.objects.filter(permissions__content_type__app_label=app_label, permissions__codename=codename)
    return sorted(groups.distinct().values_list("name", flat=True))
