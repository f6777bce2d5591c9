"""What is sent and answered, for the OpenAPI document and for reading what was sent."""

from typing import Any

from rest_framework import serializers

from collab_app.models.room_queryset import LONGEST_NAME
from sessions_app.api.strict import StrictSerializer, Text

ANSWER = serializers.Serializer[Any]


class ListedRoomSerializer(ANSWER):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    by_invitation = serializers.BooleanField(help_text="Else whoever knows its id may join.")
    participants = serializers.IntegerField()
    unread = serializers.IntegerField(help_text="Messages that you have not seen in a browser yet.")
    active_at = serializers.DateTimeField(help_text="When something was last written in it.")


class InvitationsSerializer(ANSWER):
    results = ListedRoomSerializer(many=True)


class MemberSerializer(ANSWER):
    username = serializers.CharField()
    role = serializers.ChoiceField(["owner", "member", "invited"])


class MembersSerializer(ANSWER):
    results = MemberSerializer(many=True)


class AttendanceSerializer(ANSWER):
    username = serializers.CharField()
    client = serializers.CharField(help_text="Empty: in a browser.")


class RoomSerializer(ANSWER):
    id = serializers.CharField()
    name = serializers.CharField()
    by_invitation = serializers.BooleanField()
    created_at = serializers.DateTimeField(help_text="Of another time, it is another room that has the id now.")
    last_sequence = serializers.IntegerField(help_text="The number of the newest message.")
    members = MemberSerializer(many=True)
    here = AttendanceSerializer(many=True, help_text="Who was seen in the last minute, and by what.")


class MessageSerializer(ANSWER):
    sequence = serializers.IntegerField(help_text="Its number in the room: 1, 2, 3, without a gap.")
    author = serializers.CharField(allow_null=True, help_text="Null: a former user.")
    client = serializers.CharField(help_text="By what; empty: in a browser.")
    text = serializers.CharField()
    posted_at = serializers.DateTimeField()


class MessagesSerializer(ANSWER):
    results = MessageSerializer(many=True, help_text="Oldest first.")
    has_more = serializers.BooleanField(help_text="There are messages after the last of these.")


class StateSerializer(ANSWER):
    key = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    version = serializers.IntegerField(help_text="Grows with each change, and never comes again.")
    changed_by = serializers.CharField(allow_null=True, help_text="Null: a former user.")
    client = serializers.CharField()
    changed_at = serializers.DateTimeField()


class StatesSerializer(ANSWER):
    results = StateSerializer(many=True)


class WantedRoomSerializer(StrictSerializer):
    name = Text(max_length=LONGEST_NAME)
    id = Text(max_length=64, required=False, help_text="Absent: one that nobody guesses.")
    by_invitation = serializers.BooleanField(required=False, default=False)


class WantedMessageSerializer(StrictSerializer):
    text = Text()


class WantedStateSerializer(StrictSerializer):
    value = serializers.JSONField(allow_null=True)
    expected_version = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**63 - 1,
        help_text="Only while it is at this version; 0: not there.",
    )


class WantedMemberSerializer(StrictSerializer):
    username = Text(max_length=150)
