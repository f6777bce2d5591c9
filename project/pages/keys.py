"""What lets one in: API keys, session tokens, and sign-ins for a pair of tokens. Each can be taken back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from sessions_app.admin.api_key_form import scope_choices
from sessions_app.models import ApiKey, SessionToken, TokenFamily, User
from sessions_app.models.credential import Credential
from sessions_app.models.opaque import Opaque

from .asking import Question
from .signed_in import KEYS, MyView

KINDS: dict[str, type[Credential]] = {"key": ApiKey, "token": SessionToken, "sign-in": TokenFamily}
CALLED = {"key": "API key", "token": "session token", "sign-in": "sign-in"}
MOST_VALID, MOST_OVER = 200, 20
"""Of each kind in the list; of what is over, the newest."""


class KeysView(MyView):
    section = KEYS

    def get(self, request: HttpRequest) -> HttpResponse:
        names = dict(scope_choices(None))
        keys, tokens, sign_ins = (listed(kind, self.user, names) for kind in KINDS)
        return self.page("keys", keys=keys, tokens=tokens, sign_ins=sign_ins, most_over=MOST_OVER)


def listed(kind: str, user: User, names: dict[str, str]) -> list[dict[str, Any]]:
    """Those that are valid, and then some that are over."""
    mine = KINDS[kind].objects.filter(user=user).select_related("user").order_by("-pk")
    valid = list(mine.model.objects.valid().filter(user=user).select_related("user").order_by("-pk")[:MOST_VALID])
    over = mine.exclude(pk__in=[credential.pk for credential in valid])[:MOST_OVER]
    return [row(kind, credential, names) for credential in (*valid, *over)]


def row(kind: str, credential: Credential, names: dict[str, str]) -> dict[str, Any]:
    name, scopes = name_of(credential), credential.scopes
    return {
        "kind": kind,
        "credential": credential,
        "name": name,
        "shown": shown(credential),
        "scopes": None if scopes is None else sorted(names.get(scope, scope) for scope in scopes),
        "label": f"Revoke {name}",
        "question": question(kind, credential) if credential.is_valid else None,
    }


def shown(credential: Credential) -> str:
    """What people may see of its secret. A sign-in has many, and is known by its prefix alone."""
    return f"{credential.prefix}…{credential.last_four}" if isinstance(credential, Opaque) else ""


def name_of(credential: Credential) -> str:
    return getattr(credential, "name", "") or credential.prefix


def question(kind: str, credential: Credential) -> Question:
    return Question(
        f"Revoke the {CALLED[kind]} “{name_of(credential)}”?",
        "Whatever uses it is refused from its next call on, and its open streams end at once."
        " This cannot be undone: what it was for needs another one.",
        f"Revoke the {CALLED[kind]}",
    )


class RevokeView(MyView):
    """Asks first, and says what will happen. Another's is as one that there is not."""

    section = KEYS

    def get(self, request: HttpRequest, kind: str, pk: int) -> HttpResponse:
        credential = self._mine(kind, pk)
        if not credential.is_valid:
            return redirect(KEYS.name)
        return self.page("ask", question=question(kind, credential), back=KEYS.name)

    def post(self, request: HttpRequest, kind: str, pk: int) -> HttpResponse:
        credential = self._mine(kind, pk)
        was_standing = credential.revoke(self.reason)
        done = "Revoked" if was_standing else "Revoked before"
        messages.success(request, f"{done}: the {CALLED[kind]} “{name_of(credential)}”.")
        return redirect(KEYS.name)

    def _mine(self, kind: str, pk: int) -> Credential:
        mine = KINDS[kind].objects.select_related("user")
        credential: Credential = get_object_or_404(mine, pk=pk, user=self.user)
        return credential
