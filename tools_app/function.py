"""A Python function that callers may invoke: its argument model, what is injected, how it is bound."""

import inspect
from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import resolve_arguments, returns_input_required
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp_types import InputRequiredResult
from pydantic import ConfigDict, ValidationError, create_model

from sessions_app.call import Call

from .context import FromCall
from .exceptions import InvalidArguments, ToolError

REFUSE_UNKNOWN = ConfigDict(extra="forbid")
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class AskingContext(Context[Any, Any]):
    """The SDK's, in which a reply that does not fit the question is the client's mistake and not a crash."""

    async def elicit(self, message: str, schema: Any) -> Any:
        try:
            return await super().elicit(message, schema)
        except ValueError:  # pydantic's is one, and repeats the reply
            raise ToolError("The client's reply does not fit the question.") from None


class Function:
    """Schema and dependency resolution are the SDK's; strictness is ours.

    The SDK ignores unknown arguments, parses JSON out of strings and coerces: `"null"` becomes None,
    `"[1,2]"` a list, `"5"` a 5. Here an argument is what the caller sent, or it is refused.
    """

    def __init__(self, fn: Callable[..., Any], name: str, *, structured: bool | None = None) -> None:
        self.fn = fn
        self.name = name
        signature = inspect.signature(fn, eval_str=True)
        if any(parameter.kind in OPEN_ENDED for parameter in signature.parameters.values()):
            raise TypeError(f"{name}: name each argument; *args and **kwargs are no schema")
        tool = SdkTool.from_function(fn, name=name, structured_output=structured)
        self.is_async = tool.is_async
        self.context_name = tool.context_kwarg
        self.description = (fn.__doc__ or "").strip()
        self.metadata = tool.fn_metadata
        self.returns = signature.return_annotation
        self._taken = {
            parameter: marker.take
            for parameter, (marker, _) in tool.resolved_params.items()
            if isinstance(marker, FromCall)
        }
        self._asked = {
            parameter: wanted for parameter, wanted in tool.resolved_params.items() if parameter not in self._taken
        }
        self._plans = tool.resolver_plans
        if any(not plan.is_async for plan in self._plans.values()):
            raise TypeError(f"{name}: a resolver must be async; a sync one would run on a thread that is not ours")
        # Whether a call of it may ask the client something, or wants the SDK's context.
        self.needs_kernel = bool(self._asked) or self.context_name is not None or returns_input_required(fn)
        arguments = tool.fn_metadata.arg_model
        self.arguments: type[ArgModelBase] = create_model(
            arguments.__name__, __base__=type("Strict", (arguments,), {"model_config": REFUSE_UNKNOWN})
        )
        self.metadata.arg_model = self.arguments
        self.input_schema: dict[str, Any] = self.arguments.model_json_schema(by_alias=True)

    def bind(self, call: Call, arguments: bytes) -> dict[str, Any]:
        """The keyword arguments for `fn`, from the caller (in JSON) and the call. Raises: InvalidArguments."""
        kwargs = self.validate(arguments)
        for parameter, take in self._taken.items():
            kwargs[parameter] = take(call)
        return kwargs

    async def resolve(
        self, kwargs: dict[str, Any], ctx: ServerRequestContext[Any, Any], params: Any
    ) -> dict[str, Any] | InputRequiredResult:
        """`kwargs` with what the SDK resolves; or the questions that the client has to answer first."""
        if self._asked or self.context_name is not None:
            context: Context[Any, Any] = AskingContext(request_context=ctx, input_params=params)  # type: ignore[call-arg]  # by pydantic's plugin
            if self._asked:
                answers = await resolve_arguments(self._asked, self._plans, kwargs, context)
                if isinstance(answers, InputRequiredResult):
                    return answers
                kwargs |= answers
            if self.context_name is not None:
                kwargs[self.context_name] = context
        return kwargs

    def validate(self, arguments: bytes) -> dict[str, Any]:
        # In JSON mode strict still reads a date from a string, and never a number from one.
        try:
            return self.arguments.model_validate_json(arguments, strict=True).model_dump_one_level()
        except ValidationError as error:
            raise InvalidArguments(f"Invalid arguments for {self.name}: {spell_out(error)}") from None


def spell_out(error: ValidationError) -> str:
    """Each problem and where it is. Not the value: it may be a secret that went to the wrong field."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )
