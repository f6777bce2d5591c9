from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """One process: configuration, routes, the ASGI application, serving, health."""

    name = "project"

    def ready(self) -> None:
        from . import checks  # noqa: F401
