"""What a model that has to choose a tool, and to call it, would miss in how the tool describes itself."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .capabilities import Tool

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""MCP, SEP-986. Some clients refuse others."""
REFERENCE = "#/$defs/"


def problems_of(tool: Tool) -> list[str]:
    """In words, the most visible first; none is best."""
    return [*about(tool), *about_arguments(tool.function.input_schema)]


def about(tool: Tool) -> Iterator[str]:
    if not NAME.fullmatch(tool.name):
        yield f"the name is not 1 to 64 of A-Z a-z 0-9 _ . - ({NAME.pattern})"
    if not tool.title:
        yield "no title"
    if not tool.description:
        yield "no description: the function has no docstring"
    if tool.function.metadata.output_schema is None:
        yield "no output schema: the function's return type is none, or is no schema"


def about_arguments(schema: Mapping[str, Any]) -> Iterator[str]:
    arguments: Mapping[str, Any] = schema.get("properties", {})
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    for name, argument in arguments.items():
        if not is_described(argument, definitions):
            yield f"no description of the argument {name}"
    if arguments and not (schema.get("examples") or any(has_example(argument) for argument in arguments.values())):
        yield "no example: no argument has any in its schema"


def is_described(argument: Any, definitions: Mapping[str, Any]) -> bool:
    """By itself, or by the model that it refers to."""
    if not isinstance(argument, dict):
        return False
    if argument.get("description"):
        return True
    reference = str(argument.get("$ref", ""))
    return bool(definitions.get(reference.removeprefix(REFERENCE), {}).get("description"))


def has_example(argument: Any) -> bool:
    return isinstance(argument, dict) and bool(argument.get("examples"))
