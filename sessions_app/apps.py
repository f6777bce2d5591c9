from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SessionsConfig(AppConfig):
    """Who is calling, for how long, how much; and the wire they call on."""

    name = "sessions_app"
    verbose_name = "People and sessions"

    def ready(self) -> None:
        from . import (
            sign_in_log,
            signals,  # noqa: F401 (connects itself)
        )
        from .permissions import make_groups, make_words

        sign_in_log.connect()
        post_migrate.connect(make_groups, sender=self)
        post_migrate.connect(make_words, sender=self)
