"""Which era a request is of; and in that of 2026-07-28, who its client says it is, in `params._meta`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import orjson
from mcp.server.connection import Connection
from mcp.shared.dispatcher import Outbound
from mcp.shared.inbound import (
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
)
from mcp_types import (
    CLIENT_INFO_META_KEY,
    INVALID_PARAMS,
    PROTOCOL_VERSION_META_KEY,
    ClientCapabilities,
    Implementation,
    InitializeRequestParams,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from sessions_app.exceptions import Refused

from .jsonrpc import Message, Reply

LONGEST_NAME, LONGEST_VERSION = 200, 100
LARGEST_REMEMBERED = 4096
"""Bytes of JSON. A larger description is read anew each time: a thousand of a megabyte would fill the memory."""

NO_CHANNEL = Connection.from_envelope(LATEST_MODERN_VERSION, None, None).outbound


@dataclass(frozen=True, slots=True)
class Client:
    """A client program as it describes itself. Never a reason to trust it."""

    name: str
    version: str
    protocol_version: str
    capabilities: ClientCapabilities
    params: InitializeRequestParams | None

    def connection(self, outbound: Outbound = NO_CHANNEL, session_id: str | None = None) -> Connection:
        """A born-ready SDK connection; new for each request, as it holds state."""
        connection = Connection(
            outbound, protocol_version=self.protocol_version, session_id=session_id, client_params=self.params
        )
        connection.client_capabilities = self.capabilities
        connection.initialized.set()
        return connection


def is_stateless(headers: Mapping[str, str], message: Message | Reply | None) -> bool:
    """Whether a request is of the 2026 era: by its header, or by the envelope of its body. If they disagree,

    that era says what is wrong.
    """
    if headers.get(MCP_PROTOCOL_VERSION_HEADER) in MODERN_PROTOCOL_VERSIONS:
        return True
    return isinstance(message, Message) and message.method != "initialize" and has_envelope(message)


def has_envelope(message: Message) -> bool:
    """Whether `params._meta` names a revision, as it does since 2026-07-28: half an envelope is one, too."""
    meta = (message.params or {}).get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


def client_name(message: Message) -> str:
    """What its client calls itself in the envelope of 2026-07-28, as sessions know it; not checked otherwise."""
    info = message.meta.get(CLIENT_INFO_META_KEY)
    name = info.get("name") if isinstance(info, dict) else None
    return fitting(name, LONGEST_NAME) if isinstance(name, str) else ""


def check_version(headers: Mapping[str, str], negotiated: str) -> None:
    """The header may be absent, as it was in 2025-03-26; the session knows. Raises: Refused."""
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER, negotiated)
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise rejected(unsupported_protocol_version_rejection(version))
    if version != negotiated:
        raise Refused(f"The MCP-Protocol-Version header is not {negotiated}, which was negotiated.")


def read_client(message: Message, headers: Mapping[str, str] | None) -> Client:
    """Check the headers against the body, on a wire where a request has any, and read who calls.

    Raises: Refused with -32020 (they disagree), -32022 (a revision of another era) or -32602.
    """
    version = (headers or {}).get(MCP_PROTOCOL_VERSION_HEADER)
    if version is not None and version not in MODERN_PROTOCOL_VERSIONS:
        raise rejected(unsupported_protocol_version_rejection(version))
    route = classify_inbound_request(message.body, headers=headers)
    if isinstance(route, InboundLadderRejection):
        raise rejected(route)
    try:
        info, capabilities = orjson.dumps(route.client_info), orjson.dumps(route.client_capabilities)
        return typed_client(route.protocol_version, info, capabilities)
    except ValidationError:
        raise Refused("The client's part of params._meta is malformed.", code=INVALID_PARAMS) from None


def typed_client(protocol_version: str, info_json: bytes, capabilities_json: bytes) -> Client:
    """Clients say the same of themselves again and again, so what is usual is read once.

    Raises: ValidationError.
    """
    is_usual = len(info_json) + len(capabilities_json) <= LARGEST_REMEMBERED
    return (read_usual if is_usual else read_description)(protocol_version, info_json, capabilities_json)


def read_description(protocol_version: str, info_json: bytes, capabilities_json: bytes) -> Client:
    capabilities = ClientCapabilities.model_validate(orjson.loads(capabilities_json), by_name=False)
    raw_info = orjson.loads(info_json)
    if raw_info is None:
        return Client("", "", protocol_version, capabilities, None)
    info = Implementation.model_validate(raw_info, by_name=False)
    params = InitializeRequestParams(
        protocol_version=protocol_version, capabilities=capabilities, client_info=info
    )
    name, client_version = fitting(info.name, LONGEST_NAME), fitting(info.version, LONGEST_VERSION)
    return Client(name, client_version, protocol_version, capabilities, params)


read_usual = lru_cache(maxsize=1024)(read_description)


def fitting(text: str, length: int) -> str:
    """What a client says of itself, cut to its column and free of what would act in a terminal or page."""
    if len(text) <= length and text.isprintable():
        return text  # as nearly all are, at a tenth of the cost
    return "".join(islice((char for char in text if char.isprintable()), length))


def rejected(rejection: InboundLadderRejection | None) -> Refused:
    assert rejection is not None  # noqa: S101 (both callers know that it is one)
    return Refused(rejection.message, code=rejection.code, data=rejection.data)
