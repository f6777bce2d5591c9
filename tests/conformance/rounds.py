"""Tools that answer with questions, and are called again with the answers (2026-07-28, SEP-2322)."""

import json
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from sessions_app.permissions import EVERYONE
from tools_app.registry import tool

Ctx = Context[Any, Any]


def question(message: str, **fields: str) -> ElicitRequest:
    """For the person at the client: a form of required fields, each with its JSON type."""
    properties = {name: {"type": kind} for name, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def thought(prompt: str) -> CreateMessageRequest:
    """For the client's model."""
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=50))


def answer_to(ctx: Ctx, key: str, field: str) -> Any:
    """What the person put into `field`; None if that question was not answered, or not so."""
    answer = (ctx.input_responses or {}).get(key)
    return (answer.content or {}).get(field) if isinstance(answer, ElicitResult) else None


@tool("test_input_required_result_elicitation", groups=EVERYONE, read_only=True)
async def elicitation(ctx: Ctx) -> str | InputRequiredResult:
    """Ask for a name. An answer to another question, or of another shape, is no answer."""
    name = answer_to(ctx, "user_name", "name")
    if not isinstance(name, str):
        return InputRequiredResult(input_requests={"user_name": question("What is your name?", name="string")})
    return f"Hello, {name}!"


@tool("test_input_required_result_sampling", groups=EVERYONE, read_only=True)
async def sampling(ctx: Ctx) -> str | InputRequiredResult:
    """Ask the client's model."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult) or not isinstance(answer.content, TextContent):
        return InputRequiredResult(input_requests={"capital_question": thought("What is the capital of France?")})
    return f"The model says: {answer.content.text}"


@tool("test_input_required_result_list_roots", groups=EVERYONE, read_only=True)
async def list_roots(ctx: Ctx) -> str | InputRequiredResult:
    """Ask which directories the client works in."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return f"Roots: {len(answer.roots)}"


@tool("test_input_required_result_request_state", groups=EVERYONE, read_only=True)
async def request_state(ctx: Ctx) -> str | InputRequiredResult:
    """Ask, and know one's own state when it comes back."""
    if answer_to(ctx, "confirm", "ok") is None or ctx.request_state != "asked":
        return InputRequiredResult(
            input_requests={"confirm": question("Please confirm", ok="boolean")}, request_state="asked"
        )
    return "state-ok"


@tool("test_input_required_result_multiple_inputs", groups=EVERYONE, read_only=True)
async def multiple_inputs(ctx: Ctx) -> str | InputRequiredResult:
    """Ask the person, the model and the client at once."""
    wanted: dict[str, InputRequest] = {
        "user_name": question("What is your name?", name="string"),
        "greeting": thought("Greet somebody."),
        "client_roots": ListRootsRequest(),
    }
    if wanted.keys() - (ctx.input_responses or {}).keys():
        return InputRequiredResult(input_requests=wanted, request_state="asked")
    return "All inputs received"


@tool("test_input_required_result_multi_round", groups=EVERYONE, read_only=True)
async def multi_round(ctx: Ctx) -> str | InputRequiredResult:
    """Ask for a name, then for a colour. What is known so far travels in the state."""
    known = json.loads(ctx.request_state or "{}")
    if known.get("asked") == "step2" and (colour := answer_to(ctx, "step2", "color")) is not None:
        return f"{known['name']} likes {colour}."
    if known.get("asked") == "step1" and (name := answer_to(ctx, "step1", "name")) is not None:
        return round_of("step2", question("Which colour do you like?", color="string"), name=name)
    return round_of("step1", question("What is your name?", name="string"))


def round_of(step: str, asked: InputRequest, **known: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests={step: asked}, request_state=json.dumps({"asked": step, **known}))


@tool("test_input_required_result_tampered_state", groups=EVERYONE, read_only=True)
async def tampered_state(ctx: Ctx) -> str | InputRequiredResult:
    """Ask, with a state that the client will change. It must not come to this function again."""
    if ctx.request_state is None:
        return InputRequiredResult(
            input_requests={"confirm": question("Please confirm", ok="boolean")}, request_state="round-1"
        )
    return f"state-ok: {ctx.request_state}"


@tool("test_input_required_result_capabilities", groups=EVERYONE, read_only=True)
async def capabilities(ctx: Ctx) -> InputRequiredResult:
    """Ask only what the client can answer."""
    able = ctx.client_capabilities
    asked: dict[str, InputRequest] = {}
    if able is not None and able.sampling is not None:
        asked["sample"] = thought("Say hello.")
    if able is not None and able.elicitation is not None:
        asked["ask"] = question("What is your name?", name="string")
    return InputRequiredResult(input_requests=asked, request_state="asked")
