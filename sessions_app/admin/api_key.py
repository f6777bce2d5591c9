from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sessions_app.connect import lines_with
from sessions_app.exceptions import RotationRefused
from sessions_app.models import ApiKey, Session
from sessions_app.tokens import Token

from .api_key_form import ApiKeyForm
from .asking import Question, asks
from .credential import CredentialAdmin
from .noted import Noted
from .people import is_saved

OVERLAPS = {"24": "24 hours", "1": "1 hour", "72": "3 days", "168": "7 days", "0": "not at all: it ends at once"}
ROTATING = Question(
    title="Rotate a key",
    says="It gets a new secret, which is shown once, on the next page. Its name, scopes, limit and sessions stay.",
    yes="Make the new secret",
    choice="How long is the secret of now good beside the new one?",
    choices=OVERLAPS,
    seen=lambda key: key.rotations,
)
SETTINGS = ("scopes", "rate", "expires_at", "addresses")
KNOWN = (
    "created_at",
    "last_used_at",
    "last_client",
    "previous_until",
    "revoked_at",
    "revoked_reason",
    "revoked_message",
)


def note_last_use(keys: list[ApiKey]) -> None:
    """As `key.last_client`: the client's name, its version, and from where."""
    last = Session.objects.last_with(keys)
    for key in keys:
        session = last.get(key.credential)
        told = "" if session is None else f"{session.client} {session.ip or ''}"
        key.last_client = told.strip()  # type: ignore[attr-defined]


@admin.register(ApiKey)
class ApiKeyAdmin(Noted, CredentialAdmin):
    form = ApiKeyForm
    list_display = (
        "name",
        "shown_prefix",
        "user",
        "status",
        "last_used_at",
        "last_client",
        "expires_at",
        "narrowed",
    )
    search_fields = ("^name", "public_id", "user__username")
    search_help_text = "How a name begins, a whole user name, or a key as lists show it."
    actions = ("revoke", "rotate")

    def note(self, keys: list[ApiKey]) -> None:
        note_last_use(keys)

    @admin.display(description="last used by")
    def last_client(self, key: Any) -> str:
        """And from where."""
        return key.last_client or "—"

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if not is_saved(obj):
            return ("user", "name", *SETTINGS)
        changing = self.has_change_permission(request, obj)
        settings_ = SETTINGS if changing else ("narrowed", "rate", "expires_at", "allowed_from")
        return ("user", "name", "shown_prefix", "status", *settings_, *KNOWN)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return ("user", "shown_prefix", "status", "narrowed", "allowed_from", *KNOWN) if is_saved(obj) else ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        # A new key is followed by its secret, whichever of the buttons was pressed. So there is one.
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, {**context, **only_save}, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            # Handed to response_add within this request, and kept nowhere.
            request.new_token = obj.give_secret()  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self.show_once(request, obj, request.new_token)  # type: ignore[attr-defined]

    def show_once(self, request: HttpRequest, key: ApiKey, token: Token) -> HttpResponse:
        """The one page that ever shows the secret. It is the answer itself, so the secret is stored nowhere."""
        origin = settings.CONFIG.origin
        lines = lines_with(token.value, origin)
        about = {"key": key, "secret": token.value, "endpoint": f"{origin}/mcp", "lines": lines}
        title = f"The secret of {key.name}"
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        page = TemplateResponse(request, "admin/sessions_app/apikey/secret.html", {**context, **about})
        page["Cache-Control"] = "no-store"
        return page

    @admin.action(
        description="Rotate this key",
        permissions=["change"],
        location=[admin.ActionLocation.CHANGE_FORM],
    )
    @asks(ROTATING)
    def rotate(self, request: HttpRequest, keys: list[ApiKey]) -> HttpResponse | None:
        [key] = keys
        hours = request.POST.get("choice", "")
        if hours not in OVERLAPS:
            messages.error(request, "Choose how long the secret of now is good.")
            return None
        try:
            token = key.rotate(timedelta(hours=int(hours)))
        except RotationRefused as refused:
            messages.error(request, str(refused))
            return None
        self.log_change(request, key, f"Rotated. The secret before is good for {OVERLAPS[hours]}.")
        return self.show_once(request, key, token)

    @admin.display(description="key", ordering="public_id")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…{key.last_four}"

    @admin.display(description="addresses")
    def allowed_from(self, key: ApiKey) -> str:
        return ", ".join(key.addresses) or "from anywhere"
