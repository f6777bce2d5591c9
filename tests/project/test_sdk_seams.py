"""What we use of the SDK that it does not promise to keep. If one goes, this says which, before users do."""

import inspect
from functools import cached_property

from mcp.server.connection import Connection
from mcp.server.lowlevel.server import Server
from mcp.server.mcpserver.resolve import find_resolved_parameters, resolve_arguments, returns_input_required
from mcp.server.mcpserver.tools import Tool
from mcp.server.runner import ServerRunner


def test_a_connection_is_made_from_what_the_client_said() -> None:
    parameters = inspect.signature(Connection).parameters
    assert {"outbound", "protocol_version", "client_params"} <= parameters.keys()
    assert isinstance(inspect.getattr_static(Connection, "client_params"), property)


def test_the_runner_caches_a_bound_method_of_itself() -> None:
    assert isinstance(inspect.getattr_static(ServerRunner, "on_request"), cached_property)


def test_the_server_stamps_its_identity_through_a_property() -> None:
    assert isinstance(inspect.getattr_static(Server, "server_info_stamp"), property)
    assert isinstance(Server("x").middleware, list)


def test_a_tool_tells_what_it_resolves() -> None:
    assert {"resolved_params", "resolver_plans", "context_kwarg", "fn_metadata"} <= Tool.model_fields.keys()
    for function in (find_resolved_parameters, resolve_arguments, returns_input_required):
        assert callable(function)
