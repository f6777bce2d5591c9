"""Arguments to begin with, as a tool's input schema asks for them: what is required, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

DEEPEST = 6
"""Levels. A schema may refer to itself."""
ALTERNATIVES = ("anyOf", "oneOf", "allOf")
EMPTY: dict[str, Callable[[Schema], Any]] = {
    "string": lambda schema: "",
    "integer": lambda schema: schema.get("minimum", 0),
    "number": lambda schema: schema.get("minimum", 0),
    "boolean": lambda schema: False,
    "array": lambda schema: [],
    "null": lambda schema: None,
}


def skeleton_of(schema: Schema) -> dict[str, Any]:
    """What the developer gives as an example, or the emptiest value of the right type."""
    return properties(schema, schema, DEEPEST)


def properties(schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    known = schema.get("properties", {})
    return {name: value_of(known.get(name, {}), root, depth - 1) for name in schema.get("required", ())}


def value_of(schema: Any, root: Schema, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth < 0:
        return None
    if schema.get("examples"):
        return schema["examples"][0]
    for said in ("default", "const"):
        if said in schema:
            return schema[said]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return value_of(referred(schema["$ref"], root), root, depth - 1)
    for alternatives in ALTERNATIVES:
        if schema.get(alternatives):
            return value_of(schema[alternatives][0], root, depth - 1)
    return empty(schema, root, depth)


def empty(schema: Schema, root: Schema, depth: int) -> Any:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        return properties(schema, root, depth)
    return EMPTY[kind](schema) if kind in EMPTY else None


def referred(reference: str, root: Schema) -> Any:
    """`#/$defs/Name`: within the schema itself, as pydantic writes it."""
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
