from . import (
    api_key,
    group,
    history,
    outside_identity,
    preference,
    revoked_token,
    session,
    session_token,
    token_family,
    user,
)  # fmt: skip

__all__ = [
    "api_key", "group", "history", "outside_identity", "preference", "revoked_token", "session", "session_token",
    "token_family", "user",
]  # fmt: skip
