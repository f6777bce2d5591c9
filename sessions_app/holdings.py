"""What this app holds about a person. Digests, and what a credential is made of, are nobody's to read."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

from .holding import holding
from .models import (
    ApiKey,
    FamiliarNetwork,
    OutsideIdentity,
    Preference,
    Session,
    SessionToken,
    TokenFamily,
    User,
    WebSocketTicket,
)

KNOWN = (
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "revoked_reason",
    "revoked_message",
    "scopes",
    "rate",
)


@holding(
    "account", "username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser",
    "date_joined", "last_login", "tokens_valid_after",
)  # fmt: skip
def account(user: User) -> QuerySet[User]:
    return User.objects.filter(pk=user.pk)


@holding("groups", "name")
def groups(user: User) -> QuerySet[Group]:
    return user.groups.all()


@holding("permissions", "content_type__app_label", "codename")
def permissions(user: User) -> QuerySet[Permission]:
    return user.user_permissions.all()


@holding("preferences", "key", "value", "updated_at")
def preferences(user: User) -> QuerySet[Preference]:
    return user.preferences.all()


@holding("api-keys", "name", "public_id", "addresses", "previous_until", *KNOWN)
def api_keys(user: User) -> QuerySet[ApiKey]:
    return user.api_keys.all()


@holding("session-tokens", "public_id", "ip", "user_agent", *KNOWN)
def session_tokens(user: User) -> QuerySet[SessionToken]:
    return user.session_tokens.all()


@holding("token-families", "public_id", "ip", "user_agent", *KNOWN)
def token_families(user: User) -> QuerySet[TokenFamily]:
    return user.token_families.all()


@holding("outside-identities", "issuer", "subject")
def outside_identities(user: User) -> QuerySet[OutsideIdentity]:
    return user.outside_identities.all()


@holding(
    "sessions", "credential", "label", "client_name", "client_version", "transport", "protocol_version", "ip",
    "user_agent", "client_info", "capabilities",
    "opened_at", "last_activity_at", "ended_at", "end_reason", "end_message", "calls", "errors", "total_ms",
)  # fmt: skip
def sessions(user: User) -> QuerySet[Session]:
    return user.mcp_sessions.all()


@holding("websocket-tickets", "expires_at")
def websocket_tickets(user: User) -> QuerySet[WebSocketTicket]:
    return user.websocket_tickets.all()


@holding("familiar-networks", "seen_at")
def familiar_networks(user: User) -> QuerySet[FamiliarNetwork]:
    return FamiliarNetwork.objects.filter(user=user)


@holding("admin-history", "action_time", "object_repr", "change_message")
def admin_history(user: User) -> QuerySet[LogEntry]:
    return LogEntry.objects.filter(user=user)
