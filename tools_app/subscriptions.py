"""What clients of either era want to be told of."""

from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ServerEvent, ToolsListChanged

from sessions_app.call import Call
from sessions_app.exceptions import TooManySubscriptions
from sessions_app.models.session import MOST_SUBSCRIPTIONS
from sessions_app.models.subscription import LONGEST_URI
from sessions_app.pool import background_pool
from sessions_app.transport.ends import ends
from sessions_app.transport.listener import Listener
from sessions_app.transport.response import event_of

from .context import call_of
from .exceptions import NotFound

if TYPE_CHECKING:
    from .server import McpServer

Context = ServerRequestContext[Any, Call]


class Subscriptions:
    """`subscriptions/listen` of 2026-07-28, and `resources/subscribe` of the handshake era."""

    def __init__(self, server: "McpServer") -> None:
        self._server = server

    async def listen(self, ctx: Context, params: types.SubscriptionsListenRequestParams) -> Any:
        """Honours only what this caller may read; the acknowledgement says which that is."""
        call, wanted = call_of(ctx), params.notifications
        uris = wanted.resource_subscriptions or []
        if len(uris) > MOST_SUBSCRIPTIONS:
            raise MCPError(types.INVALID_PARAMS, f"At most {MOST_SUBSCRIPTIONS} resources in one subscription")
        readable = [uri for uri in uris if await self._server.may_follow(call.principal, uri)]
        meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        honoured = acknowledgement(wanted, readable)
        listener = Listener(self._server, call, lists_of(wanted), frozenset(readable))
        with ends.listener(listener):
            acknowledged = "notifications/subscriptions/acknowledged"
            await call.exchange.notify(acknowledged, {"_meta": meta, "notifications": honoured})
            async for event in listener.events():
                method, about = event_of(event)
                await call.exchange.notify(method, {"_meta": meta, **(about or {})})
        return {"_meta": meta, "resultType": "complete"}

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Kept with the session: whichever process holds its stream will tell."""
        call, uri = call_of(ctx), str(params.uri)
        if not await self._server.may_follow(call.principal, uri):
            raise NotFound(call, "resource", uri, uri=uri)
        if len(uri) > LONGEST_URI:
            raise MCPError(
                types.INVALID_PARAMS, f"A URI that is subscribed to has at most {LONGEST_URI} characters"
            )
        try:
            await background_pool.run(lambda: call.session.subscribe(uri))
        except TooManySubscriptions as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """From what was never subscribed to, too: then there is nothing to do."""
        call = call_of(ctx)
        await background_pool.run(lambda: call.session.unsubscribe(str(params.uri)))
        return types.EmptyResult()


def lists_of(wanted: types.SubscriptionFilter) -> frozenset[ServerEvent]:
    asked: dict[ServerEvent, bool | None] = {
        ToolsListChanged(): wanted.tools_list_changed,
        PromptsListChanged(): wanted.prompts_list_changed,
        ResourcesListChanged(): wanted.resources_list_changed,
    }
    return frozenset(event for event, is_wanted in asked.items() if is_wanted)


def acknowledgement(wanted: types.SubscriptionFilter, readable: list[str]) -> dict[str, Any]:
    honoured = wanted.model_copy(update={"resource_subscriptions": readable or None})
    return {
        name: value
        for name, value in honoured.model_dump(mode="json", by_alias=True, exclude_none=True).items()
        if value is not False
    }
