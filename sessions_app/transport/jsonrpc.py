"""JSON-RPC 2.0 messages as MCP allows them on the wire: one request or notification a body, no batch."""

from hashlib import sha256
from typing import Any, NamedTuple

from mcp_types import INVALID_PARAMS, LOG_LEVEL_META_KEY, ProgressToken, RequestId

from sessions_app.exceptions import Refused

from . import strict_json

NOTHING: dict[str, Any] = {}
NOT_ONE_MESSAGE = "The body must be one JSON-RPC message object; a batch is not accepted."


class Message(NamedTuple):
    """`id` is None for a notification."""

    id: RequestId | None
    method: str
    params: dict[str, Any] | None
    body: dict[str, Any]

    @property
    def request_id(self) -> RequestId:
        """The id of what is known to be a request."""
        assert self.id is not None  # noqa: S101 (whoever asks has looked)
        return self.id

    @property
    def meta(self) -> dict[str, Any]:
        """`params._meta`; nothing if it is not there or no object."""
        meta = (self.params or NOTHING).get("_meta")
        return meta if isinstance(meta, dict) else NOTHING

    @property
    def progress_token(self) -> ProgressToken | None:
        return self.meta.get("progressToken")

    @property
    def log_level(self) -> str:
        """The least that its client wants to be told of what is logged (2026-07-28); empty: nothing."""
        level = self.meta.get(LOG_LEVEL_META_KEY)
        return level if isinstance(level, str) else ""

    @property
    def cancelled_id(self) -> RequestId:
        """Of a `notifications/cancelled`: the request that its client wants no reply to. Raises: Refused."""
        cancelled = (self.params or {}).get("requestId")
        if not isinstance(cancelled, str | int) or isinstance(cancelled, bool):
            raise Refused("requestId must be a string or an integer.", code=INVALID_PARAMS)
        return cancelled


class Reply(NamedTuple):
    """A client's response to a request of ours: `body` has `result` or `error`."""

    id: str
    body: dict[str, Any]


def parse(raw: bytes) -> Message | Reply:
    """Raises: Refused (400) with -32700, -32600 or -32602."""
    body = strict_json.loads(raw)
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        raise Refused(NOT_ONE_MESSAGE)
    if "method" not in body:
        return parse_reply(body)
    if not isinstance(body["method"], str):
        raise Refused(NOT_ONE_MESSAGE)
    # `true` is an int to Python and would pass for request 1.
    if "id" in body and type(body["id"]) not in (str, int):
        raise Refused("A request's id must be a string or an integer.")
    params = body.get("params")
    if not isinstance(params, dict | None):
        raise Refused("params must be an object.", code=INVALID_PARAMS)
    meta = (params or {}).get("_meta")
    if isinstance(meta, dict) and type(meta.get("progressToken", "")) not in (str, int):
        raise Refused("A progress token must be a string or an integer.", code=INVALID_PARAMS)
    return Message(body.get("id"), body["method"], params, body)


def parse_reply(body: dict[str, Any]) -> Reply:
    """Ids of ours are strings, so a reply to anything else is to nothing that we asked."""
    failure = body.get("error")
    is_result = isinstance(body.get("result"), dict) and "error" not in body
    is_error = (
        "result" not in body
        and isinstance(failure, dict)
        and type(failure.get("code")) is int
        and isinstance(failure.get("message"), str)
    )
    if not (is_result or is_error) or not isinstance(body.get("id"), str):
        raise Refused(NOT_ONE_MESSAGE)
    return Reply(body["id"], {key: body[key] for key in ("result", "error") if key in body})


def request_digest(request_id: RequestId) -> str:
    """One name for an id that a client chose, however long; 1 and "1" have different ones."""
    return sha256(repr(request_id).encode()).hexdigest()[:32]


def error(code: int, message: str, data: object = None) -> dict[str, Any]:
    return {"code": code, "message": message} if data is None else {"code": code, "message": message, "data": data}
