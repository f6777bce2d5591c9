"""Who am I here? The seed's `get-user-profile`."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sessions_app.models import User
from sessions_app.permissions import EVERYONE
from tools_app.context import CurrentPrincipal, CurrentSession
from tools_app.registry import tool


class UserProfile(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    user_id: str
    username: str
    label: str
    permissions: list[str]
    login_time: datetime
    last_activity: datetime
    email: str
    role: str
    created: datetime

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
            f"- Created: {self.created.isoformat()}\n"
        )


@tool("get-user-profile", title="User Profile", groups=EVERYONE, read_only=True, idempotent=True)
def get_user_profile(*, principal: CurrentPrincipal, session: CurrentSession) -> UserProfile:
    """Get current user's profile information"""
    user = User.objects.get(pk=principal.user_id)
    return UserProfile(
        user_id=str(user.pk),
        username=user.get_username(),
        label=principal.label,
        permissions=sorted(principal.permissions),
        login_time=session.opened_at,
        last_activity=session.last_activity_at,
        email=user.email,
        role=user.role,
        created=user.date_joined,
    )
