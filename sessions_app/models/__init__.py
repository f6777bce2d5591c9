from .api_key import ApiKey
from .preference import Preference
from .session import Session
from .user import User

__all__ = ["ApiKey", "Preference", "Session", "User"]
