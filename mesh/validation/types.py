"""Which JSON types a schema admits, told without running it where that is certain."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from mesh.model.schema_references import resolve

_ALL = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_COMBINING = ("allOf", "anyOf", "oneOf", "not", "if", "$ref", "$dynamicRef", "enum", "const")
_DEPTH = 16


def json_types(schema: Any, root: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """The types that a value of the schema can have; empty when the schema does not tell."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return frozenset()
    found: list[frozenset[str]] = []
    declared = schema.get("type")
    if declared:
        found.append(frozenset([declared] if isinstance(declared, str) else declared))
    if "enum" in schema:
        found.append(_types_of(schema["enum"]))
    if "const" in schema:
        found.append(_types_of([schema["const"]]))
    if isinstance(schema.get("$ref"), str):
        found.append(json_types(resolve(schema["$ref"], root), root, depth + 1))
    found += [json_types(item, root, depth + 1) for item in schema.get("allOf") or ()]
    for keyword in ("anyOf", "oneOf"):
        branches = [json_types(item, root, depth + 1) for item in schema.get(keyword) or ()]
        if branches and all(branches):
            found.append(frozenset().union(*branches))
    told = [_widened(types) for types in found if types]
    return functools.reduce(frozenset.intersection, told) if told else frozenset()


def admits_null(schema: Any, root: Mapping[str, Any]) -> bool:
    """Whether null is valid under the schema."""
    if isinstance(schema, bool):
        return schema
    if not any(keyword in schema for keyword in _COMBINING):
        declared = schema.get("type")
        return declared is None or "null" in ([declared] if isinstance(declared, str) else declared)
    if set(schema) & set(_COMBINING) == {"enum"}:
        inner = {name: value for name, value in schema.items() if name != "enum"}
        return None in schema["enum"] and admits_null(inner, root)
    from mesh.validation.reference import subschema_validator

    return bool(subschema_validator(schema, root).is_valid(None))


def _widened(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types


def _types_of(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(_type_of(value) for value in values) & _ALL


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, list | tuple) else "number"
