"""What operators do to a user, each asked about first."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from sessions_app.exceptions import LinkRefused
from sessions_app.models import User
from sessions_app.password_link import PasswordLink, masked
from sessions_app.unfolded import ModelAdmin

from .asking import Question, asks, reason_of, typed_reason

BOTH = (admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM)
WHY = "Why? (optional; operators read it)"
DEACTIVATING = Question(
    title="Deactivate users and end everything",
    says="They cannot sign in any more. All their API keys, session tokens and sign-ins are revoked for good, and"
    " their sessions end at once. What they wrote and what the record says of them stays.",
    yes="Deactivate",
    reason=WHY,
)
ENDING_ALL = Question(
    title="End everything of users",
    says="All their API keys, session tokens and sign-ins are revoked for good, and their sessions end at once."
    " They can sign in again, and make new keys.",
    yes="End everything",
    reason=WHY,
)
RESETTING = Question(
    title="Reset passwords",
    says="Their passwords stop working and they are signed out everywhere; API keys stay. A link to choose a new"
    " one goes to each one's address; where it cannot be mailed, you can show it once, on the user's page.",
    yes="Reset",
    reason=WHY,
)


class UserActions(ModelAdmin):
    """Mixed into the page of users, which says who may act on whom."""

    @admin.action(
        description="Deactivate, and end everything",
        description_plural="Deactivate the selected users, and end everything of theirs",
        permissions=["change"],
        location=BOTH,
    )
    @asks(DEACTIVATING)
    def deactivate(self, request: HttpRequest, users: list[User]) -> None:
        others = [user for user in users if user.pk != request.user.pk]
        if len(others) < len(users):
            messages.error(request, "You cannot deactivate yourself.")
        for user in others:
            user.deactivate(reason_of(request))
            self.log_change(request, user, f"Deactivated, and everything ended. {typed_reason(request)}".strip())
        if others:
            messages.success(request, f"Deactivated, and everything ended: {len(others)}.")

    @admin.action(
        description="End everything",
        description_plural="End everything of the selected users",
        permissions=["change"],
        location=BOTH,
    )
    @asks(ENDING_ALL)
    def end_everything(self, request: HttpRequest, users: list[User]) -> None:
        for user in users:
            user.end_everything(reason_of(request))
            self.log_change(request, user, f"Everything ended. {typed_reason(request)}".strip())
        messages.success(request, f"Everything ended of: {len(users)}.")

    @admin.action(
        description="Reset the password",
        description_plural="Reset the passwords of the selected users",
        permissions=["change"],
        location=BOTH,
    )
    @asks(RESETTING)
    def reset_password(self, request: HttpRequest, users: list[User]) -> None:
        for user in users:
            try:
                said = reset(user, reason_of(request))
            except LinkRefused as refused:
                messages.error(request, f"{user}: {refused}")
                continue
            self.log_change(request, user, f"Password reset. {typed_reason(request)}".strip())
            messages.success(request, f"{user}: {said}")


def reset(user: User, reason: str) -> str:
    """What comes next. Raises: LinkRefused, when nothing has changed."""
    if user.is_service:
        raise LinkRefused("nobody signs in to a service account, so it has no password.")
    link: Any = None
    if user.email and settings.MAIL_IS_SENT:
        link = PasswordLink(user)
        link.send()
    with transaction.atomic():
        # Not a stronger lock: who says something in a room holds that, and refers to his own row.
        locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if link is not None:
            link.apply(locked, reason)
            return f"a link to choose a new password was sent to {masked(user.email)}."
        locked.take_password(make_password(None), reason)
        locked.leave_link_to_operators()
        return "the link to choose a new password waits on the user's page, to be shown once."
