"""What these tests share with those of the sessions."""

from collections.abc import Callable

from sessions_app.models import User
from sessions_app.state import state
from sessions_app.state.memory import MemoryState
from tests.sessions_app.conftest import quick

__all__ = ["quick", "running_of"]


def running_of(user: User) -> Callable[[], object]:
    """Whether anything runs for this user."""
    assert isinstance(state, MemoryState)
    running = state._running
    return lambda: running.get(f"user:{user.pk}")
