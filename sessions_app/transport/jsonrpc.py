"""JSON-RPC 2.0 messages as MCP allows them on the wire: one request or notification a body, no batch."""

from typing import Any, NamedTuple

from mcp_types import INVALID_PARAMS, RequestId

from sessions_app.exceptions import Refused

from . import strict_json

NOT_ONE_MESSAGE = "The body must be one JSON-RPC request or notification object."


class Message(NamedTuple):
    """`id` is None for a notification."""

    id: RequestId | None
    method: str
    params: dict[str, Any] | None
    body: dict[str, Any]


def parse(raw: bytes) -> Message:
    """Raises: Refused (400) with -32700, -32600 or -32602."""
    body = strict_json.loads(raw)
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
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


def error(code: int, message: str, data: object = None) -> dict[str, Any]:
    return {"code": code, "message": message} if data is None else {"code": code, "message": message, "data": data}
