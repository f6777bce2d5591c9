import json
from typing import Any, Self

from django.db import models, transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce, Length
from django.utils import timezone

from sessions_app.exceptions import PreferenceRefused

from .user import User

LONGEST_KEY = 128
LARGEST_VALUE = 16 * 1024
LARGEST_TOTAL = 256 * 1024
MOST_KEYS = 256


class JsonText(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """Any JSON value, kept as its text. PostgreSQL's jsonb would turn 1e22 into an integer, -0.0 into 0, and
    sort the keys of objects; and the text is what is bounded."""

    def from_db_value(self, value: str | None, *context: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str:
        return as_text(value)


def as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class PreferenceQuerySet(models.QuerySet["Preference"]):
    def as_dict(self) -> dict[str, Any]:
        return dict(self.order_by("key").values_list("key", "value"))

    @transaction.atomic
    def put(self, user_id: int, key: str, value: Any) -> None:
        """Set one preference. A row a key: concurrent sets of different keys lose nothing.

        Raises: PreferenceRefused for what is too large, alone or beside the user's others, or a key too many.
        """
        check_size(key, value)
        self.check_room(user_id, key, value)
        self.update_or_create(user_id=user_id, key=key, defaults={"value": value, "updated_at": timezone.now()})

    def check_room(self, user_id: int, key: str, value: Any) -> None:
        """Whether `value` fits beside the user's others; in a transaction, to whose end the answer holds.

        Raises: PreferenceRefused.
        """
        # The user's row is the lock under which this is counted; without it two could both be the last.
        User.objects.select_for_update().get(pk=user_id)
        others = self.filter(user_id=user_id).exclude(key=key)
        kept = others.aggregate(keys=Count("pk"), characters=Coalesce(Sum(Length("value")), 0))
        if kept["keys"] >= MOST_KEYS:
            raise PreferenceRefused(f"A user has at most {MOST_KEYS} preferences; delete one first.")
        if kept["characters"] + len(as_text(value)) > LARGEST_TOTAL:
            raise PreferenceRefused(f"A user's preferences have at most {LARGEST_TOTAL} characters together.")

    def of(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)


class Preference(models.Model):
    """One setting of one user: any JSON value under a key."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="preferences")
    key = models.CharField(max_length=LONGEST_KEY)
    value: "models.Field[Any, Any]" = JsonText(blank=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        db_table = "sessions_preference"
        ordering = ["user", "key"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_value_per_key")]

    def __str__(self) -> str:
        return self.key


def check_size(key: str, value: Any) -> None:
    """Raises: PreferenceRefused."""
    if not 0 < len(key) <= LONGEST_KEY:
        raise PreferenceRefused(f"A preference's key has 1 to {LONGEST_KEY} characters.")
    size = len(as_text(value).encode())
    if size > LARGEST_VALUE:
        raise PreferenceRefused(f"A preference's value has at most {LARGEST_VALUE} bytes as JSON, not {size}.")
