"""Suggestions for the arguments of prompts and resource templates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver.exceptions import ToolError as SdkToolError

from sessions_app.call import Call

from .capabilities import Capability
from .context import call_of
from .exceptions import Failed
from .recorder import Kind
from .results import completion_result

if TYPE_CHECKING:
    from .server import McpServer

Context = ServerRequestContext[Any, Call]


class Completions:
    """`completion/complete`, for whoever may use what the argument belongs to."""

    def __init__(self, server: "McpServer") -> None:
        self._server = server

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> Any:
        value = {"value": params.argument.value}
        owner = self._owner(params.ref, call_of(ctx), value)
        completion = self._server.registry.completions.get((owner.name, params.argument.name))
        if completion is None:
            return completion_result([])
        arguments: dict[str, Any] = dict(value)
        if "context" in completion.function.input_schema["properties"]:
            arguments["context"] = (params.context.arguments if params.context else None) or {}
        try:
            return await self._server.gate.run(call_of(ctx), completion, arguments, completion_result)
        except SdkToolError as error:
            raise Failed(error) from None

    def _owner(
        self, ref: types.PromptReference | types.ResourceTemplateReference, call: Call, value: Mapping[str, str]
    ) -> Capability:
        if isinstance(ref, types.PromptReference):
            return self._server.gate.authorize(
                self._server.registry.prompts.get(ref.name), call, Kind.PROMPT, ref.name, value
            )
        templates = (resource for resource in self._server.registry.resources.values() if resource.uri == ref.uri)
        return self._server.gate.authorize(next(templates, None), call, Kind.RESOURCE, ref.uri, value, uri=ref.uri)
