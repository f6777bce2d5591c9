"""The client's part of a 2026-07-28 request: who it says it is and what it can do, in `params._meta`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import orjson
from mcp.server.connection import Connection
from mcp.shared.inbound import (
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
)
from mcp_types import INVALID_PARAMS, ClientCapabilities, Implementation, InitializeRequestParams
from mcp_types.version import LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from sessions_app.exceptions import Refused

from .jsonrpc import Message

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

    def connection(self) -> Connection:
        """A born-ready SDK connection without a back-channel; new for each request, as it holds state."""
        connection = Connection(NO_CHANNEL, protocol_version=self.protocol_version, client_params=self.params)
        connection.client_capabilities = self.capabilities
        connection.initialized.set()
        return connection


def read_client(message: Message, headers: Mapping[str, str]) -> Client:
    """Check the headers against the body, and read who calls.

    Raises: Refused with -32020 (they disagree), -32022 (a revision we do not speak) or -32602.
    """
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if version not in MODERN_PROTOCOL_VERSIONS and (message.method == "initialize" or version is not None):
        wanted = version or (message.params or {}).get("protocolVersion") or "2025-11-25"
        raise rejected(unsupported_protocol_version_rejection(str(wanted)))
    route = classify_inbound_request(message.body, headers=headers)
    if isinstance(route, InboundLadderRejection):
        raise rejected(route)
    try:
        info, capabilities = orjson.dumps(route.client_info), orjson.dumps(route.client_capabilities)
        is_usual = len(info) + len(capabilities) <= LARGEST_REMEMBERED
        read = typed_client if is_usual else typed_client.__wrapped__
        return read(route.protocol_version, info, capabilities)
    except ValidationError:
        raise Refused("The client's part of params._meta is malformed.", code=INVALID_PARAMS) from None


@lru_cache(maxsize=1024)
def typed_client(protocol_version: str, info_json: bytes, capabilities_json: bytes) -> Client:
    """Clients send the same description with every call, so it is read once."""
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


def fitting(text: str, length: int) -> str:
    """What a client says of itself, cut to its column and free of what would act in a terminal or page."""
    return "".join(islice((char for char in text if char.isprintable()), length))


def rejected(rejection: InboundLadderRejection | None) -> Refused:
    assert rejection is not None  # noqa: S101 (both callers know that it is one)
    return Refused(rejection.message, code=rejection.code, data=rejection.data)
