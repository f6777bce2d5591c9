"""A shop for tests: tools, resources and prompts of every shape that the gate has to take."""

import asyncio
import os
import time
from collections import deque
from decimal import Decimal
from itertools import repeat
from threading import Event
from typing import Annotated, Any, Literal, get_args

from django.db import transaction
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    Icon,
    InputRequiredResult,
    LoggingLevel,
    ResourceLink,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from sessions_app.limits import Limit
from sessions_app.models import Preference
from sessions_app.permissions import ADMINISTRATORS, EVERYONE
from sessions_app.rates import HOUR
from tools_app.context import ABSENT, CurrentPreferences, CurrentPrincipal, CurrentProgress, optional
from tools_app.exceptions import ToolError
from tools_app.registry import completion, operation, prompt, resource, tool

finished: list[str] = []
"""What ran to its end, for tests of what must not."""
SECRET = "hunter2-in-the-crash"


class Order(BaseModel):
    number: int
    item: str

    def to_markdown(self) -> str:
        return f"**Order {self.number}**: {self.item}"


@tool("echo", groups=EVERYONE, read_only=True)
async def echo(text: str) -> str:
    """Say it back."""
    return text


@tool("recite", groups=EVERYONE, read_only=True)
async def recite(text: str, times: int) -> str:
    """Say it often."""
    return text * times


@tool("rationed", groups=EVERYONE, limit=Limit("rationed", 3, HOUR))
def rationed(*, principal: CurrentPrincipal) -> str:
    """Only so often."""
    finished.append(f"rationed for {principal.username}")
    return "granted"


@tool("rationed-restock", groups=[ADMINISTRATORS], read_only=True, limit=Limit("restock", 1, HOUR))
async def rationed_restock() -> str:
    """Only so often, and only for some."""
    return "restocked"


@tool("worker", groups=EVERYONE, read_only=True)
async def worker() -> int:
    """Say which process answers."""
    return os.getpid()


@tool("preferred", groups=EVERYONE, read_only=True)
def preferred(*, preferences: CurrentPreferences) -> dict[str, Any]:
    """What the caller prefers."""
    return {"drink": preferences.get("drink", "water"), "known": sorted(preferences), "many": len(preferences)}


@tool("any-value", groups=EVERYONE, read_only=True)
async def any_value(value: Any = optional()) -> dict[str, Any]:
    """Say what arrived, and whether anything did."""
    return {"absent": value is ABSENT, "value": None if value is ABSENT else value}


@tool("typed", groups=EVERYONE, read_only=True)
async def typed(number: int, tags: list[str], flag: bool = False, note: str | None = None) -> str:
    """Take exact types."""
    return repr((number, tags, flag, note))


@tool("order", groups=EVERYONE, read_only=True)
def order(number: int) -> Order:
    """Find an order."""
    return Order(number=number, item="tea")


@tool("restock", groups=[ADMINISTRATORS])
def restock() -> str:
    """Hidden from all but administrators."""
    return "restocked"


@tool("close-shop", permission="sessions_app.delete_user", destructive=True)
def close_shop() -> str:
    """Needs a permission that exists already."""
    return "closed"


@tool("crash", groups=EVERYONE, read_only=True)
async def crash() -> str:
    """Fail in a way that nobody foresaw."""
    raise RuntimeError(SECRET)


@tool("crash-on", groups=EVERYONE)
def crash_on(text: str) -> str:
    """Fail in a way that nobody foresaw, knowing a text."""
    raise RuntimeError("of no text")


@tool("refuse", groups=EVERYONE)
def refuse(*, principal: CurrentPrincipal) -> str:
    """Write, then fail in a way that was foreseen."""
    Preference.objects.put(principal.user_id, "refused", 1)
    raise ToolError("Out of tea")


slow_write_left = Event()


@tool("slow-write", groups=EVERYONE, timeout=0.2)
def slow_write(seconds: float, *, principal: CurrentPrincipal) -> str:
    """Write, and take too long."""
    Preference.objects.put(principal.user_id, "slow", seconds)
    try:
        time.sleep(seconds)
    finally:
        slow_write_left.set()
    return "written"


@tool("wait", groups=EVERYONE, read_only=True, timeout=5)
async def wait(seconds: float, name: str = "wait") -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    finished.append(name)
    return "waited"


@tool("brief", groups=EVERYONE, read_only=True, timeout=0.1)
async def brief() -> str:
    """Take longer than allowed."""
    await asyncio.sleep(5)
    return "never"


@tool("brief-with", groups=EVERYONE, read_only=True, timeout=0.1)
async def brief_with(text: str) -> str:
    """Take longer than allowed, knowing a text."""
    await asyncio.sleep(5)
    return text


gate_open = Event()


@tool("block", groups=EVERYONE, read_only=True, timeout=5)
def block() -> str:
    """Hold a pool thread until the test lets go."""
    gate_open.wait(5)
    return "released"


@tool("stuck", groups=EVERYONE, read_only=True, timeout=0.1)
def stuck() -> str:
    """Hold a pool thread for a minute, whatever happens."""
    time.sleep(60)
    return "let go"


@tool("keep-the-lock", groups=EVERYONE, read_only=True)
def keep_the_lock() -> str:
    """Keep Python's lock for minutes, as one long computation in C does."""
    deque(repeat(None, 10**11), maxlen=0)
    return "let go"


@tool("count", groups=EVERYONE, read_only=True)
async def count(to: int, ctx: Context[Any, Any]) -> str:
    """Count aloud."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return f"counted to {to}"


@tool("count-in-thread", groups=EVERYONE, read_only=True)
def count_in_thread(to: int, *, progress: CurrentProgress) -> str:
    """Count aloud, from a pool thread."""
    for number in range(1, to + 1):
        progress(number, to)
    return f"counted to {to}"


@tool("by-region", groups=EVERYONE, read_only=True)
async def by_region(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Mirror an argument into a header."""
    return region


class Confirmation(BaseModel):
    sure: bool


async def confirm() -> Elicit[Confirmation]:
    return Elicit("Really?", Confirmation)


@tool("ask", groups=EVERYONE, read_only=True)
async def ask(text: str, confirmation: Annotated[Confirmation, Resolve(confirm)]) -> str:
    """Ask before answering."""
    return f"{text}: {'yes' if confirmation.sure else 'no'}"


@tool("ask-and-write", groups=EVERYONE)
def ask_and_write(
    text: str, confirmation: Annotated[Confirmation, Resolve(confirm)], *, principal: CurrentPrincipal
) -> str:
    """Ask before changing something."""
    Preference.objects.put(principal.user_id, "asked", text)
    return "written" if confirmation.sure else "written all the same"


@tool("ask-briefly", groups=EVERYONE, read_only=True, timeout=0.15)
async def ask_briefly(ctx: Context[Any, Any], then: float = 0) -> str:
    """Ask, with little time of its own."""
    answer = await ctx.elicit("Really?", Confirmation)
    await asyncio.sleep(then)
    return answer.action


@tool("ask-by", groups=EVERYONE, read_only=True)
async def ask_by(mode: Literal["form", "url"], ctx: Context[Any, Any]) -> str:
    """Ask in a form, or on a page."""
    if mode == "form":
        return (await ctx.elicit("Really?", Confirmation)).action
    return (await ctx.elicit_url("Really?", "https://shop.example/pay", "payment-7")).action


@tool("sample", groups=EVERYONE, read_only=True)
async def sample(ctx: Context[Any, Any]) -> str:
    """Ask the client's model."""
    question = SamplingMessage(role="user", content=TextContent(text="Tea?"))
    answer = await ctx.session.create_message([question], max_tokens=9, related_request_id=ctx.request_id)
    return answer.content.text if isinstance(answer.content, TextContent) else "not a text"


@tool("roots", groups=EVERYONE, read_only=True)
async def roots(ctx: Context[Any, Any]) -> str:
    """Ask where the client works."""
    return " ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)


@tool("chatter", groups=EVERYONE, read_only=True)
async def chatter(ctx: Context[Any, Any]) -> str:
    """Log at every level there is."""
    for level in get_args(LoggingLevel):
        await ctx.session.send_log_message(level, f"it is {level}", related_request_id=ctx.request_id)
    return "logged"


@tool("announce", groups=EVERYONE, read_only=True)
async def announce(uri: str, ctx: Context[Any, Any]) -> str:
    """Say that a resource changed."""
    await ctx.session.send_resource_updated(uri)
    return "announced"


@tool("announce-list", groups=EVERYONE, read_only=True)
async def announce_list(ctx: Context[Any, Any]) -> str:
    """Say that the list of tools changed for this client."""
    await ctx.session.send_tool_list_changed()
    return "announced"


@tool("hold", groups=EVERYONE, read_only=True, timeout=5)
async def hold(ctx: Context[Any, Any], name: str = "hold") -> str:
    """Say that it began, and go on."""
    await ctx.report_progress(1)
    await asyncio.sleep(5)
    finished.append(name)
    return "held"


write_began, write_may_end = Event(), Event()


@tool("held-write", groups=EVERYONE, timeout=5)
def held_write(*, principal: CurrentPrincipal) -> str:
    """Write, and wait until the test lets go."""
    Preference.objects.put(principal.user_id, "held", 1)
    write_began.set()
    write_may_end.wait(5)
    return "written"


@tool("linked", groups=EVERYONE, read_only=True)
async def linked() -> CallToolResult:
    """Return what came to the protocol piece by piece."""
    link = ResourceLink(
        uri="shop://menu", name="menu", title="Menu", icons=[Icon(src="https://example.com/i.png")]
    )
    return CallToolResult(content=[link, TextContent(text="x", _meta={"a": 1})], structured_content={"a": [1]})


@tool("lie", groups=EVERYONE)
def lie(*, principal: CurrentPrincipal) -> list[int]:
    """Write, and return what was not promised."""
    Preference.objects.put(principal.user_id, "lied", 1)
    return "not a list"  # type: ignore[return-value]


@tool("hook", groups=EVERYONE)
def hook(*, principal: CurrentPrincipal) -> str:
    """Write, with a hook after the commit that fails."""
    Preference.objects.put(principal.user_id, "hooked", 1)
    transaction.on_commit(crash_in_hook)
    return "written"


def crash_in_hook() -> None:
    raise RuntimeError(SECRET)


@tool("odd-error", groups=EVERYONE, read_only=True)
async def odd_error() -> str:
    """Want a protocol error that JSON has no words for."""
    raise MCPError(-32000, "odd", {"value": Decimal(1)})


async def never() -> int:
    await asyncio.Event().wait()
    return 1


@tool("unresolved", groups=EVERYONE, read_only=True, timeout=0.1)
async def unresolved(number: Annotated[int, Resolve(never)]) -> int:
    """Wait for a resolver that never comes back."""
    return number


@resource("shop://items/{item}/secret", name="item-secret", groups=[ADMINISTRATORS])
def item_secret(item: str) -> str:
    """Not for everybody."""
    return item


@resource("shop://items/today/secret", name="todays-secret", groups=EVERYONE)
def todays_secret() -> str:
    """For everybody, though a template that is not would match it too."""
    return "cake"


@resource("shop://menu", name="menu", groups=EVERYONE, mime_type="application/json")
def menu() -> dict[str, Any]:
    """What there is."""
    return {"tea": 3}


@resource("shop://items/{item}", name="item", groups=EVERYONE)
def item(item: str, *, principal: CurrentPrincipal) -> str:
    """One item."""
    return f"{item} for {principal.username}"


@resource("shop://ledger", name="ledger", groups=[ADMINISTRATORS])
def ledger() -> bytes:
    """Not for everybody."""
    return b"\x00\x01"


@prompt("suggest", groups=EVERYONE)
def suggest(drink: Annotated[str, Field(description="What you like")], mood: str = "calm") -> str:
    """Suggest a drink."""
    return f"Suggest something like {drink} for someone {mood}."


@prompt("audit", groups=[ADMINISTRATORS])
def audit() -> str:
    """Not for everybody."""
    return "Audit the shop."


def asked_name(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    """The name that the client was asked for; or the question."""
    answer = (ctx.input_responses or {}).get("name")
    if isinstance(answer, ElicitResult) and answer.content and ctx.request_state == "asked":
        return str(answer.content["name"])
    params = ElicitRequestFormParams(message="Whom for?", requested_schema={"type": "object", "properties": {}})
    return InputRequiredResult(input_requests={"name": ElicitRequest(params=params)}, request_state="asked")


@prompt("greet-guest", groups=EVERYONE)
async def greet_guest(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    """Ask for whom, then say it."""
    return asked_name(ctx)


@resource("shop://card", name="card", groups=EVERYONE)
async def card(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    """Ask for whom, then write it."""
    return asked_name(ctx)


@completion("suggest", "drink")
def drinks(value: str) -> list[str]:
    """Drinks that start so."""
    return [drink for drink in ("tea", "tonic", "coffee") if drink.startswith(value)]


@operation("count-the-till", groups=[ADMINISTRATORS], title="Count the till")
def count_the_till(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """Count what is in it."""
    Preference.objects.put(principal.user_id, "till", 42)
    return {"counted": 42}


@operation("drop-the-till", groups=[ADMINISTRATORS], title="Drop the till")
def drop_the_till(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """Fail after writing."""
    Preference.objects.put(principal.user_id, "till", 0)
    raise ToolError("The till fell down")
