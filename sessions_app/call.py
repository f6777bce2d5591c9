"""One call: who makes it, in which session, and the way back. What the gate and tools are handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .principal import Principal

if TYPE_CHECKING:
    from .models import Session
    from .transport.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Call:
    principal: Principal
    session: "Session"
    headers: Mapping[str, str]
    """By lower-case name."""
    exchange: "Exchange"
