"""Examples of whole bodies, put together from the examples of their fields."""

from collections.abc import Mapping
from typing import Any

Schemas = Mapping[str, dict[str, Any]]

_EMPTY: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "object": {}, "null": None}


def example_of(schema: dict[str, Any], schemas: Schemas) -> Any:
    """A value that fits `schema`; `schemas` are those that it may refer to."""
    given = schema.get("examples") or schema.get("enum") or [schema.get("default")]
    if given[0] is not None:
        return given[0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    choices = schema.get("anyOf")
    if choices:
        return None if {"type": "null"} in choices else example_of(choices[0], schemas)
    return _made_up(schema, schemas)


def _made_up(schema: dict[str, Any], schemas: Schemas) -> Any:
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    if "properties" in schema:
        fields = schema["properties"].items()
        return {name: example_of(field, schemas) for name, field in fields if _is_shown(field)}
    return _EMPTY.get(schema.get("type", ""))


def _is_shown(field: dict[str, Any]) -> bool:
    """All but what only few need: fields that may be left out and have no example of their own."""
    return field.get("default", ...) is not None or bool(field.get("examples"))
