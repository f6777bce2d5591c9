"""The shared, fast state: who called how often, what runs now, and whether authority changed.

One interface, two backends: memory for a single process, Redis for several.
"""

from django.conf import settings

from .base import Admission, Epoch, Operation, State, Ticket, Usage
from .memory import MemoryState
from .redis import RedisState

__all__ = ["Admission", "Epoch", "Operation", "State", "Ticket", "Usage", "state"]

state: State = RedisState(settings.REDIS_URL) if settings.REDIS_URL else MemoryState()
