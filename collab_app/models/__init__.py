from .attendance import Attendance
from .membership import Membership
from .message import Message
from .room import Room
from .shared_state import SharedState

__all__ = ["Attendance", "Membership", "Message", "Room", "SharedState"]
