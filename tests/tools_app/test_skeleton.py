"""Arguments that a page suggests: what the schema requires, and nothing else."""

from typing import Any

import pytest

from tools_app.registry import registry
from tools_app.skeleton import skeleton_of


@pytest.mark.parametrize(
    ("property_", "value"),
    [
        ({"type": "string"}, ""),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number"}, 0),
        ({"type": "boolean"}, False),
        ({"type": "array"}, []),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, ""),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": ""}),
        ({"type": "string", "examples": ["tea", "coffee"]}, "tea"),
        ({"type": "string", "default": "x"}, "x"),
        ({"const": 7}, 7),
        ({"enum": ["get", "set"]}, "get"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"$ref": "#/$defs/Name"}, {"first": ""}),
        ({"$ref": "#/$defs/Nowhere"}, None),
        ({}, None),
        (True, None),
    ],
)
def test_what_is_required_has_the_emptiest_value_that_fits(property_: Any, value: Any) -> None:
    name = {"type": "object", "properties": {"first": {"type": "string"}}, "required": ["first"]}
    schema = {"properties": {"x": property_, "y": {"type": "string"}}, "required": ["x"], "$defs": {"Name": name}}
    assert skeleton_of(schema) == {"x": value}


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    schema: dict[str, Any] = {"properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert str(skeleton_of(schema)).count("next") < 10


def test_there_is_one_for_every_tool() -> None:
    for tool in registry.tools.values():
        schema = tool.function.input_schema
        assert set(skeleton_of(schema)) == set(schema.get("required", ()))
