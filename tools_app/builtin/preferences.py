"""Small settings that a user keeps between conversations. The seed's `manage-preferences`."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sessions_app.exceptions import PreferenceRefused
from sessions_app.models import Preference
from sessions_app.models.preference import PreferenceQuerySet
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from tools_app.context import ABSENT, CurrentLog, CurrentPrincipal, optional
from tools_app.exceptions import ToolError
from tools_app.registry import tool

Action = Literal["get", "set", "delete"]


class PreferenceResult(BaseModel):
    """What was done, and to what. `preferences` holds what was read or set: one, or all."""

    action: Action
    key: str | None
    preferences: dict[str, Any]

    def to_markdown(self) -> str:
        if self.action != "get":
            return f"Preference '{self.key}' {'updated' if self.action == 'set' else 'deleted'}"
        if self.key is not None:
            return f"Preference '{self.key}': {json.dumps(self.preferences[self.key], ensure_ascii=False)}"
        everything = json.dumps(self.preferences, ensure_ascii=False, indent=2)
        return f"## ⚙️ User Preferences\n\n```json\n{everything}\n```"


@tool(
    "manage-preferences", title="Preferences", groups=(MEMBERS, ADMINISTRATORS), idempotent=True, icon="settings"
)
def manage_preferences(
    action: Annotated[Action, Field(description="What to do.", examples=["get"])],
    key: Annotated[
        str | None, Field(description="Which preference. Without it, get reads all.", examples=["time-zone"])
    ] = None,
    value: Annotated[
        Any, Field(description="Any JSON value, null included; for set.", examples=["Europe/Berlin"])
    ] = optional(),
    *,
    principal: CurrentPrincipal,
    log: CurrentLog,
) -> PreferenceResult:
    """Manage user preferences and settings

    Small settings that the user keeps between conversations, and in all of them: how he likes to be addressed, his
    time zone, language, units. Look here before you ask him; set what he tells you to remember.
    """
    mine = Preference.objects.of(principal.user_id)
    match action:
        case "get" if not key:
            return PreferenceResult(action=action, key=None, preferences=mine.as_dict())
        case "get":
            return PreferenceResult(action=action, key=key, preferences={str(key): existing(mine, key).value})
        case "set":
            key = required(key, "Key required for setting preference")
            if value is ABSENT:
                raise ToolError("Value required for setting preference")
            put(principal.user_id, key, value)
            log.info("User preference updated", userId=principal.user_id, key=key, value=type(value).__name__)
            return PreferenceResult(action=action, key=key, preferences={key: value})
        case "delete":
            key = required(key, "Key required for deleting preference")
            existing(mine, key).delete()
            log.info("User preference deleted", userId=principal.user_id, key=key)
            return PreferenceResult(action=action, key=key, preferences={})


def required(key: str | None, otherwise: str) -> str:
    if not key:
        raise ToolError(otherwise)
    return key


def existing(mine: PreferenceQuerySet, key: str | None) -> Preference:
    preference = mine.filter(key=key).first()
    if preference is None:
        raise ToolError(f"Preference '{key}' not found")
    return preference


def put(user_id: int, key: str, value: Any) -> None:
    try:
        Preference.objects.put(user_id, key, value)
    except PreferenceRefused as refusal:
        raise ToolError(str(refusal)) from None
