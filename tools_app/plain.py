"""Which calls are so plain that the SDK's kernel would only validate them again: three in four.

It would validate their parameters twice and their result once, for half of the call's time.
"""

from collections.abc import Mapping
from typing import Any

from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

MEMBERS = frozenset({"name", "arguments", "_meta"})
META_MEMBERS = frozenset(
    {PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY, "progressToken"}
)
NOTHING: dict[str, Any] = {}


def is_plain(method: str, params: Mapping[str, Any]) -> bool:
    """A tools/call with no member that the kernel might see in another way."""
    if method != "tools/call" or not params.keys() <= MEMBERS:
        return False
    meta = params.get("_meta", NOTHING)
    return isinstance(meta, dict) and meta.keys() <= META_MEMBERS
