"""Who am I here? The seed's `get-user-profile`."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sessions_app.models import User
from sessions_app.permissions import EVERYONE, words_of
from tools_app.context import CurrentPrincipal, CurrentSession
from tools_app.registry import tool


class UserProfile(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    user_id: str
    username: str
    label: str
    permissions: list[str]
    """The seed's words first, then each by its exact name."""
    login_time: datetime
    last_activity: datetime
    email: str
    role: str
    created: datetime | None
    """None for a guest, who has no account."""

    def to_markdown(self) -> str:
        return (
            "## 👤 User Profile\n\n"
            f"**User ID:** {self.user_id}\n"
            f"**Username:** {self.username}\n"
            f"**Permissions:** {', '.join(self.permissions)}\n"
            f"**Login Time:** {self.login_time.isoformat()}\n"
            f"**Last Activity:** {self.last_activity.isoformat()}\n\n"
            "**Additional Details:**\n"
            f"- Email: {self.email}\n"
            f"- Role: {self.role}\n"
            f"- Created: {self.created.isoformat() if self.created else 'never'}\n"
        )


@tool("get-user-profile", title="User Profile", groups=EVERYONE, read_only=True, idempotent=True)
def get_user_profile(*, principal: CurrentPrincipal, session: CurrentSession) -> UserProfile:
    """Get current user's profile information"""
    user = None if principal.account is None else User.objects.get(pk=principal.account)
    return UserProfile(
        user_id="guest" if user is None else str(user.pk),
        username=principal.username,
        label=principal.label,
        permissions=[*words_of(principal.permissions), *sorted(principal.permissions)],
        login_time=session.opened_at,
        last_activity=session.last_activity_at,
        email="" if user is None else user.email,
        role="guest" if user is None else user.role,
        created=None if user is None else user.date_joined,
    )
