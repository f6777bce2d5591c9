from . import membership, message, room

__all__ = ["membership", "message", "room"]
