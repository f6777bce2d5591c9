"""What people type on the page of their rooms. What a room refuses is said beside the form that asked for it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from sessions_app.exceptions import Refused
from sessions_app.models import User

from .exceptions import RoomNotFound
from .models import Room
from .models.room_queryset import LONGEST_NAME

LONGEST_ID = 64


class RoomForm(forms.Form):
    """One thing to do. How many characters there may be is the room's to say, and the browser's to hint at."""

    do: ClassVar[str]
    refusal: Refused | None = None

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id=f"{self.do}-%s", label_suffix="")

    def run(self, user: User) -> Room:
        """The room in which it was done. Raises: Refused."""
        raise NotImplementedError

    def refuse(self, refusal: Refused) -> None:
        self.refusal = refusal
        self.add_error(None, refusal.message)

    @property
    def status(self) -> int:
        """Of the page that shows what was wrong."""
        return 400 if self.refusal is None else self.refusal.status


class CreateForm(RoomForm):
    do = "create"

    name = forms.CharField(widget=forms.TextInput({"maxlength": LONGEST_NAME, "autocomplete": "off"}))
    public_id = forms.CharField(
        label="Id",
        required=False,
        help_text="Optional: letters, digits and . _ ~ -. Whoever knows it may join; left empty, it is one"
        " that nobody can guess.",
        widget=forms.TextInput(
            {"maxlength": LONGEST_ID, "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    by_invitation = forms.BooleanField(
        label="By invitation only", required=False, help_text="Nobody joins by knowing the id."
    )

    def run(self, user: User) -> Room:
        wanted = self.cleaned_data
        return Room.objects.start(user, wanted["name"], wanted["public_id"], by_invitation=wanted["by_invitation"])


class JoinForm(RoomForm):
    """Of a room whose id one was told, or to which one was invited."""

    do = "join"

    public_id = forms.CharField(
        label="Room id",
        widget=forms.TextInput(
            {"maxlength": LONGEST_ID, "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def run(self, user: User) -> Room:
        room = Room.objects.open_by_id(self.cleaned_data["public_id"])
        room.join(user)
        return room


class DeclineForm(JoinForm):
    do = "decline"

    def run(self, user: User) -> Room:
        public_id = self.cleaned_data["public_id"]
        room = Room.objects.inviting(user.pk).filter(public_id=public_id).first()
        if room is None:
            raise RoomNotFound(public_id)
        room.leave(user)
        return room
