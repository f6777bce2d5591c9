"""Whether rooms are as their methods leave them."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Exists, F, Func, IntegerField, Max, Min, OuterRef, Q
from django.db.models.functions import Coalesce

from tools_app.integrity import integrity_check

from .models import Membership, Room, SharedState


class Bytes(Func):
    """How long a text is in UTF-8."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


@integrity_check("the messages of a room are numbered without a gap")
def numbered() -> Iterator[str]:
    """In one query, so that what is written meanwhile is in it whole or not at all. Without rooms that are being
    deleted: their messages go before them."""
    kept = Room.objects.exclude(pk__in=Room.objects.past().order_by())
    counted = kept.annotate(
        said=Count("messages"),
        first=Coalesce(Min("messages__sequence"), 1),
        newest=Coalesce(Max("messages__sequence"), 0),
    )
    wrong = counted.exclude(first=1, said=F("last_sequence"), newest=F("last_sequence"))
    for room in wrong.order_by("pk").values("pk", "said", "first", "newest", "last_sequence"):
        numbers = f"{room['said']} messages from {room['first']} to {room['newest']}"
        yield f"Room {room['pk']} is at message {room['last_sequence']}, and there are {numbers}"


@integrity_check("an open room has a member who owns it")
def owned() -> Iterator[str]:
    owner = Membership.objects.present().filter(room=OuterRef("pk"), role=Membership.Role.OWNER)
    for pk in Room.objects.open().exclude(Exists(owner)).order_by("pk").values_list("pk", flat=True):
        yield f"Room {pk} is open, and nobody in it owns it"


@integrity_check("nobody is in a closed room")
def left() -> Iterator[str]:
    there = Membership.objects.counted().filter(room__in=Room.objects.closed().order_by())
    for pk, room in there.order_by("pk").values_list("pk", "room"):
        yield f"Membership {pk} is of room {room}, which is closed, and was not ended"


@integrity_check("shared state is as large as it says")
def measured() -> Iterator[str]:
    """What a room may hold is counted by these sizes."""
    rows = SharedState._default_manager.annotate(bytes=Bytes("value")).filter(~Q(size=F("bytes")))
    for pk, size, found in rows.order_by("pk").values_list("pk", "size", "bytes"):
        yield f"Shared state {pk} says {size} bytes, and has {found}"
