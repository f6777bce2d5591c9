from .api_key import ApiKey
from .preference import Preference
from .server_request import ServerRequest
from .session import Session
from .subscription import Subscription
from .user import User

__all__ = ["ApiKey", "Preference", "ServerRequest", "Session", "Subscription", "User"]
