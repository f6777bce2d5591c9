from .api_key import ApiKey
from .familiar_network import FamiliarNetwork
from .outside_identity import OutsideIdentity
from .preference import Preference
from .refresh_token import RefreshToken
from .refusal import RefusalHour
from .revoked_token import RevokedToken
from .server_request import ServerRequest
from .session import Session
from .session_token import SessionToken
from .subscription import Subscription
from .ticket import WebSocketTicket
from .token_family import TokenFamily
from .user import User
from .worker import Worker

__all__ = [
    "ApiKey", "FamiliarNetwork", "OutsideIdentity", "Preference", "RefreshToken", "RefusalHour",
    "RevokedToken", "ServerRequest",
    "Session", "SessionToken", "Subscription", "TokenFamily", "User", "WebSocketTicket", "Worker",
]  # fmt: skip
