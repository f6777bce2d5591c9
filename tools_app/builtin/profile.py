"""Who am I here? The seed's `get-user-profile`."""

from datetime import datetime

from sessions_app.models import Session, User
from sessions_app.permissions import EVERYONE, words_of
from sessions_app.principal import Principal
from tools_app.context import CurrentLog, CurrentPrincipal, CurrentSession
from tools_app.registry import tool
from tools_app.wire_model import WireModel


class UserProfile(WireModel):
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


@tool("get-user-profile", title="User Profile", groups=EVERYONE, read_only=True, idempotent=True, icon="user")
def get_user_profile(*, principal: CurrentPrincipal, session: CurrentSession, log: CurrentLog) -> UserProfile:
    """Get current user's profile information

    Who you act for on this server, in which group, what you may do here, and since when this session lasts.
    """
    log.info("Retrieving user profile", userId=principal.account)
    return profile_of(principal, session)


def profile_of(principal: Principal, session: Session) -> UserProfile:
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
