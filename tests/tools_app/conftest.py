"""What these tests share with those of the sessions."""

from tests.sessions_app.conftest import attached, quick

__all__ = ["attached", "quick"]
