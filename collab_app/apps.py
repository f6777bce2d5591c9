from django.apps import AppConfig


class CollabConfig(AppConfig):
    """What callers do together: rooms."""

    name = "collab_app"
    verbose_name = "Rooms"

    def ready(self) -> None:
        from . import signals  # noqa: F401 (connects itself)
