"""What a room refuses. Each message is for whoever asked; to REST they are answers, to tools sentences."""

import json
from typing import Any

from sessions_app.exceptions import Refused
from sessions_app.plain_text import visible

LONGEST_SHOWN = 1000
"""Characters of a value, in a sentence."""


class RoomRefused(Refused):
    """Nothing was changed."""


class RoomNotFound(RoomRefused):
    """Unknown, closed, or not this caller's to see: the same answer."""

    status = 404

    def __init__(self, public_id: str) -> None:
        super().__init__(f"Room {public_id} not found")


class RoomExists(RoomRefused):
    status = 409

    def __init__(self, public_id: str) -> None:
        super().__init__(f"There is an open room {public_id} already; choose another id.")


class StateConflict(RoomRefused):
    """Somebody else changed it meanwhile."""

    status = 409

    def __init__(self, key: str, value: Any, version: int) -> None:
        now = f"is at version {version}, with the value {shortened(value)}" if version else "is not there"
        super().__init__(
            f"Shared state '{key}' {now}: not as expected, so nothing was changed. Decide anew.",
            data={"key": key, "value": value, "version": version},
        )
        self.key, self.value, self.version = key, value, version


def shortened(value: Any) -> str:
    """Enough to decide by, as a rule; the whole is beside the sentence."""
    text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


class StateNotFound(RoomRefused):
    status = 404

    def __init__(self, key: str) -> None:
        super().__init__(f"Shared state '{key}' not found")


class TooMuch(RoomRefused):
    """More than a room may hold."""

    status = 413

    def __init__(self, sentence: str, limit: str, most: int, wanted: int) -> None:
        data = {"limit": limit, "most": most, "wanted": wanted}
        super().__init__(f"{sentence} ({limit}: {most}, and not {wanted})", data=data)
