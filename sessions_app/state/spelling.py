"""How what is kept is spelled in Redis."""

from sessions_app.limits import Bucket

from .base import Operation, whose_epoch

PREFIX = "concierge:"
EVERYBODY = f"{PREFIX}epoch"


def epoch_key(owner: str) -> str:
    return f"{EVERYBODY}:{whose_epoch(owner)}"


def running_key(owner: str) -> str:
    return f"{PREFIX}running:{owner}"


def bucket_key(bucket: Bucket) -> str:
    return f"{PREFIX}limit:{bucket.key}"


def member(operation: Operation) -> str:
    session = operation.session.replace(" ", "")  # which only a wrong one has
    return f"{operation.id}:{operation.digest} {operation.started_at:.6f} {session} {operation.name}"


def operation_of(text: str) -> Operation:
    identifiers, started_at, session, name = text.split(" ", 3)
    identifier, _, digest = identifiers.partition(":")
    return Operation(identifier, name, session, float(started_at), digest)
