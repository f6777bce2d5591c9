"""The one low-level MCP `Server`, built from the registry. Its handlers find, list and translate."""

from collections.abc import Awaitable, Hashable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, get_args

import mcp_types as types
from django.conf import settings
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.exceptions import ToolError as SdkToolError
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged
from mcp_types import SERVER_INFO_META_KEY
from mcp_types.methods import CacheableMethod

from sessions_app.call import Call
from sessions_app.limits import Bucket
from sessions_app.pool import background_pool, tool_pool
from sessions_app.principal import Principal
from sessions_app.state import Epoch
from sessions_app.tracing import tracing
from sessions_app.transport.jsonrpc import Message
from sessions_app.transport.kernel import HostedServer
from sessions_app.transport.listener import Lists
from sessions_app.transport.spans import MessageSpans

from .capabilities import Capability, Tool, names, visible
from .completions import Completions
from .context import call_of
from .digest import digest_of_call
from .exceptions import Failed, NotFound
from .gate import Gate, Resolve
from .pages import Entry, page
from .plain import is_plain
from .policies import policies
from .recorder import Kind, recorder
from .registry import Registry
from .request_state import request_state_security
from .results import (
    as_before_structure,
    error_result,
    prompt_result,
    resource_result,
    tool_result,
)
from .subscriptions import Subscriptions

NAME = "concierge"
INSTRUCTIONS = (
    "A team's MCP server. What is listed is what you may use; get-user-profile says who you are here,"
    " manage-preferences keeps small settings of yours between conversations."
)


FIRST_STRUCTURED_VERSION = "2025-06-18"
"""Before it a result had no structured content, and the kernel lets it pass."""
NOTHING: dict[str, Any] = {}

Context = ServerRequestContext[Any, Call]


class McpServer(HostedServer):
    """The SDK's server with our handlers: per-caller lists, paging, protocol errors for unknown names."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(
            NAME,
            version=settings.VERSION,
            title="Concierge",
            instructions=INSTRUCTIONS,
            # What is listed depends on who asks, so no cache may share it.
            cache_hints=dict.fromkeys(get_args(CacheableMethod), CacheHint(ttl_ms=0, scope="private")),
        )
        self.registry = registry
        self.gate = Gate(recorder)
        self.subscriptions = Subscriptions(self)
        self.completions = Completions(self)
        # The SDK's OpenTelemetry middleware costs 15 µs a call even where nothing is exported.
        self.middleware[:] = [MessageSpans()] if tracing.is_on else []
        self.middleware.append(RequestStateBoundary(request_state_security(), default_audience=NAME))
        add = self.add_request_handler
        add("tools/list", types.PaginatedRequestParams, self.list_tools)
        add("tools/call", types.CallToolRequestParams, self.call_tool)
        add("resources/list", types.PaginatedRequestParams, self.list_resources)
        add("resources/templates/list", types.PaginatedRequestParams, self.list_resource_templates)
        add("resources/read", types.ReadResourceRequestParams, self.read_resource)
        add("prompts/list", types.PaginatedRequestParams, self.list_prompts)
        add("prompts/get", types.GetPromptRequestParams, self.get_prompt)
        add("completion/complete", types.CompleteRequestParams, self.completions.complete)
        add("subscriptions/listen", types.SubscriptionsListenRequestParams, self.subscriptions.listen)
        add("resources/subscribe", types.SubscribeRequestParams, self.subscriptions.subscribe)
        add("resources/unsubscribe", types.UnsubscribeRequestParams, self.subscriptions.unsubscribe)
        add("logging/setLevel", types.SetLevelRequestParams, self.set_log_level)

    def create_initialization_options(self, *args: Any, **kwargs: Any) -> InitializationOptions:
        """What `initialize` answers. Every client with a GET stream is told of its lists' changes."""
        changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return super().create_initialization_options(changes)

    @cached_property
    def server_info_stamp(self) -> dict[str, Any]:
        """Goes into every result. The SDK copies it deeply each time, for who might change a result later."""
        return super().server_info_stamp

    # --- Tools ---

    async def list_tools(self, ctx: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return page("tools", visible(self.registry.tools.values(), call_of(ctx).principal), params.cursor)

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        call = call_of(ctx)
        arguments = params.arguments or {}
        tool = self.gate.authorize(self.registry.tools.get(params.name), call, Kind.TOOL, params.name, arguments)
        self.gate.check_headers(tool, call, arguments)
        result = await self.run_tool(call, tool, arguments, resolver(tool, ctx, params))
        if call.session.protocol_version < FIRST_STRUCTURED_VERSION and isinstance(result, dict):
            return as_before_structure(result)
        return result

    async def run_tool(self, call: Call, tool: Tool, arguments: Mapping[str, Any], resolve: Resolve | None) -> Any:
        try:
            return await self.gate.run(call, tool, arguments, lambda value: tool_result(tool, value), resolve)
        except SdkToolError as error:
            return error_result(error)

    def shortcut(self, call: Call, method: str, params: Mapping[str, Any]) -> Awaitable[dict[str, Any]] | None:
        """The plain call of a tool that asks nothing and wants no context: `plain.py`. Tests compare both."""
        if not is_plain(method, params) or call.session.protocol_version < FIRST_STRUCTURED_VERSION:
            return None
        name, arguments = params.get("name"), params.get("arguments", NOTHING)
        tool = self.registry.tools.get(name) if isinstance(name, str) else None
        if tool is None or tool.function.needs_kernel or not isinstance(arguments, dict):
            return None
        return self.call_plainly(call, tool, arguments)

    async def call_plainly(self, call: Call, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
        self.gate.authorize(tool, call, Kind.TOOL, tool.name, arguments)
        self.gate.check_headers(tool, call, arguments)
        result: dict[str, Any] = await self.run_tool(call, tool, arguments, None)
        if call.session.is_durable:
            result.pop("resultType", None)
        else:
            result["_meta"] = {**result.get("_meta", NOTHING), SERVER_INFO_META_KEY: self.server_info_stamp}
        return result

    # --- Resources ---

    async def list_resources(self, ctx: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        """Those that are there for everybody, and of templates those that this caller has."""
        principal = call_of(ctx).principal
        mine = visible(self.registry.resources.values(), principal)
        entries = [Entry(resource.name, resource.wire) for resource in mine if not resource.is_template]
        for template in mine:
            if (instances := self.registry.instances.get(template.name)) is not None:
                found = await tool_pool.run(partial(instances, principal))
                entries += [Entry(instance.name, instance.wire_as(template)) for instance in found]
        return page("resources", entries, params.cursor)

    async def list_resource_templates(self, ctx: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        templates = [resource for resource in self.registry.resources.values() if resource.is_template]
        return page("resourceTemplates", visible(templates, call_of(ctx).principal), params.cursor)

    async def read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        uri = str(params.uri)
        found, variables = self.registry.find_resource(uri, call_of(ctx).principal)
        asked_for = variables if found else {"uri": uri}
        resource = self.gate.authorize(found, call_of(ctx), Kind.RESOURCE, uri, asked_for, uri=uri)
        try:
            return await self.gate.run(
                call_of(ctx),
                resource,
                variables,
                lambda value: resource_result(resource, uri, value),
                resolver(resource, ctx, params),
            )
        except ResourceNotFoundError:
            raise NotFound(call_of(ctx), "resource", uri, uri=uri) from None
        except SdkToolError as error:
            raise Failed(error) from None

    # --- Prompts ---

    async def list_prompts(self, ctx: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return page("prompts", visible(self.registry.prompts.values(), call_of(ctx).principal), params.cursor)

    async def get_prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> Any:
        arguments = params.arguments or {}
        prompt = self.gate.authorize(
            self.registry.prompts.get(params.name), call_of(ctx), Kind.PROMPT, params.name, arguments
        )
        try:
            return await self.gate.run(
                call_of(ctx),
                prompt,
                arguments,
                lambda value: prompt_result(prompt, value),
                resolver(prompt, ctx, params),
            )
        except SdkToolError as error:
            raise Failed(error) from None

    # --- What clients are told ---

    async def set_log_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        session = call_of(ctx).session
        await background_pool.run(lambda: session.want_logs(params.level))
        return types.EmptyResult()

    def limits(self, principal: Principal, message: Message) -> Sequence[Bucket]:
        """A tool's own, if its caller may see it: a limit must not tell that there is a hidden one."""
        if message.method != "tools/call":
            return ()
        name = (message.params or {}).get("name")
        tool = self.registry.tools.get(name) if isinstance(name, str) else None
        return policies.buckets(tool, principal) if tool is not None and tool.is_open_to(principal) else ()

    def digest(self, principal: Principal, message: Message) -> str:
        return digest_of_call(principal, message.params or NOTHING) if message.method == "tools/call" else ""

    async def refresh(self, epoch: Epoch) -> bool:
        return await policies.refresh(epoch)

    async def look(self) -> None:
        await policies.look()

    @property
    def offer(self) -> Hashable:
        return policies.off

    def listed(self, principal: Principal) -> Lists:
        return {
            ToolsListChanged(): names(visible(self.registry.tools.values(), principal)),
            PromptsListChanged(): names(visible(self.registry.prompts.values(), principal)),
            ResourcesListChanged(): names(visible(self.registry.resources.values(), principal)),
        }

    async def may_follow(self, principal: Principal, uri: str) -> bool:
        resource, variables = self.registry.find_resource(uri, principal)
        return resource is not None and await resource.lets_follow(principal, uri, variables)


def resolver(capability: Capability, ctx: Context, params: Any) -> Resolve:
    return lambda kwargs: capability.function.resolve(kwargs, ctx, params)
