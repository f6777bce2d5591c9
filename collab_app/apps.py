from django.apps import AppConfig


class CollabConfig(AppConfig):
    """What callers do together: rooms. Nothing is in here yet but its place in the order of imports."""

    name = "collab_app"
    verbose_name = "Rooms"
