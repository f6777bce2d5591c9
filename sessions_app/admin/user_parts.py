"""What a user's page shows of what is his: each a tab, the newest first, and each row leads to its own page."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sessions_app.models import ApiKey, Preference, Session, SessionToken, TokenFamily
from sessions_app.plain_text import visible

from .history import link
from .part import FirstOnes, Part, moment
from .preference import shortened


class Newest(FirstOnes):
    most = 25


class OfUser(Part):
    tab = True
    fk_name = "user"
    formset = Newest
    newest_first: ClassVar[tuple[str, ...]] = ("-created_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.select_related("user").order_by(*self.newest_first)

    @admin.display(description="status")
    def status(self, credential: Any) -> str:
        return str(credential.status)

    @admin.display(description="created")
    def created(self, credential: Any) -> str:
        return moment(credential.created_at)

    @admin.display(description="last used")
    def last_used(self, credential: Any) -> str:
        return moment(credential.last_used_at)

    @admin.display(description="expires")
    def expires(self, credential: Any) -> str:
        return moment(credential.expires_at)


class Keys(OfUser):
    model = ApiKey
    fields = readonly_fields = ("key", "status", "created", "last_used", "expires")

    @admin.display(description="key")
    def key(self, key: ApiKey) -> str:
        return link(ApiKey, key.pk, visible(str(key)))


class Tokens(OfUser):
    model = SessionToken
    fields = readonly_fields = ("token", "status", "created", "last_used", "expires", "ip")

    @admin.display(description="token")
    def token(self, token: SessionToken) -> str:
        return link(SessionToken, token.pk, f"{token.prefix}…{token.last_four}")


class Families(OfUser):
    model = TokenFamily
    fields = readonly_fields = ("family", "status", "created", "last_used", "expires", "ip")

    @admin.display(description="sign-in")
    def family(self, family: TokenFamily) -> str:
        return link(TokenFamily, family.pk, family.prefix)


class Sessions(OfUser):
    model = Session
    newest_first = ("-last_activity_at", "-pk")
    fields = readonly_fields = (
        "session",
        "client",
        "protocol_version",
        "is_live",
        "opened",
        "active",
        "calls",
        "errors",
    )

    @admin.display(description="session")
    def session(self, session: Session) -> str:
        return link(Session, session.pk, visible(session.label))

    @admin.display(description="client")
    def client(self, session: Session) -> str:
        return session.client or "—"

    @admin.display(description="live", boolean=True)
    def is_live(self, session: Session) -> bool:
        return session.is_live

    @admin.display(description="since")
    def opened(self, session: Session) -> str:
        return moment(session.opened_at)

    @admin.display(description="last activity")
    def active(self, session: Session) -> str:
        return moment(session.last_activity_at)


class Preferences(OfUser):
    model = Preference
    newest_first = ("key",)
    fields = readonly_fields = ("preference", "value_", "changed")

    @admin.display(description="key")
    def preference(self, preference: Preference) -> str:
        return link(Preference, preference.pk, visible(preference.key))

    @admin.display(description="value")
    def value_(self, preference: Preference) -> str:
        return shortened(preference.value)

    @admin.display(description="changed")
    def changed(self, preference: Preference) -> str:
        return moment(preference.updated_at)


PARTS = (Keys, Tokens, Families, Sessions, Preferences)
