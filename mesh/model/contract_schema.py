"""ODCS properties as JSON Schema 2020-12: what one record of an object must look like.

Some keywords are ours, because JSON Schema has no words for them; validators that do not know
them pass them by: `dateTimeFormat` (a pattern of Java's `DateTimeFormatter`, as ODCS prescribes)
and `formatMinimum`, `formatMaximum`, `formatExclusiveMinimum`, `formatExclusiveMaximum` (bounds
of dates and times in the field's own format; the names are Ajv's). So are two formats,
`local-date-time` and `local-time`: RFC 3339 without the offset, for `timezone: false`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_TYPES: Mapping[str, str] = {
    "string": "string",
    "date": "string",
    "timestamp": "string",
    "time": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
    "map": "object",
    "vector": "array",
}
_ANY_TYPE = ("string", "number", "boolean", "object", "array")
_TEMPORAL = frozenset({"date", "timestamp", "time"})
_STRING_FORMATS = frozenset({"password", "binary"})
_KEY_TEXTS = {
    "integer": r"^(?:0|-?[1-9][0-9]*)$",
    "number": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$",
    "boolean": r"^(?:true|false)$",
}
BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
ISO_LAYOUT = re.compile(r"(?:yyyy|uuuu|YYYY)-MM-(?:dd|DD)THH:mm:ss(?:\.S+)?(?:Z|X{1,3})?")
"""Timestamps as the standard's own examples write their layout, which is none of Java's.

They are those of RFC 3339, with an offset or without one.
"""

_FLOAT_BOUND = {"f32": 3.4028234663852886e38, "f64": 1.7976931348623157e308}
_VECTOR_INTEGER = {"int8": (-128, 127), "uint8": (0, 255), "binary": (0, 1)}


def column_name(element: Mapping[str, Any]) -> str:
    """The name a property has in files: its `physicalName`, else its `name`."""
    return str(element.get("physicalName") or element["name"])


def is_required(element: Mapping[str, Any]) -> bool:
    """Whether null is refused; a primary key has no nulls."""
    return bool(element.get("required") or element.get("primaryKey"))


def object_schema(element: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object: closed, so that an unknown field is a violation."""
    properties: Sequence[Mapping[str, Any]] = element.get("properties") or ()
    options = element.get("logicalTypeOptions") or {}
    schema: dict[str, Any] = {"type": "object"}
    if properties:
        schema["properties"] = {column_name(item): property_schema(item) for item in properties}
    required = [column_name(item) for item in properties if is_required(item)]
    called = {str(item.get("name")): column_name(item) for item in properties}
    also = (called.get(name, name) for name in options.get("required") or ())
    required += [name for name in also if name not in required]
    if required:
        schema["required"] = required
    if properties:
        schema["additionalProperties"] = False
    for option in ("minProperties", "maxProperties"):
        if option in options:
            schema[option] = options[option]
    return schema


def property_schema(element: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one property, element of an array, or key or value of a map."""
    logical_type = element.get("logicalType")
    schema = _typed(logical_type, element)
    if element.get("enum"):
        schema["enum"] = [entry["value"] for entry in element["enum"]]
    if element.get("description"):
        schema = {"description": element["description"], **schema}
    if is_required(element):
        return schema
    if "type" in schema:
        schema["type"] = [schema["type"], "null"] if logical_type else [*schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _typed(logical_type: str | None, element: Mapping[str, Any]) -> dict[str, Any]:
    options = element.get("logicalTypeOptions") or {}
    if logical_type is None:
        return {"type": list(_ANY_TYPE)}
    if logical_type == "object":
        return object_schema(element)
    if logical_type == "array":
        return _array(element, options)
    if logical_type == "map":
        return _map(element)
    if logical_type == "vector":
        return _vector(options)
    schema: dict[str, Any] = {"type": _TYPES[logical_type]}
    if logical_type in _TEMPORAL:
        return schema | _temporal(logical_type, options)
    if logical_type == "string":
        return schema | _string(options)
    return schema | _numeric(options)


def _string(options: Mapping[str, Any]) -> dict[str, Any]:
    schema = {name: options[name] for name in ("minLength", "maxLength") if name in options}
    patterns = [options["pattern"]] if "pattern" in options else []
    match options.get("format"):
        case "byte":
            patterns.append(BASE64)
            schema["contentEncoding"] = "base64"
        case str(name) if name not in _STRING_FORMATS:
            schema["format"] = name
        case _:
            pass
    if patterns:
        schema["pattern"] = patterns[0]
    if len(patterns) > 1:
        schema["allOf"] = [{"pattern": pattern} for pattern in patterns[1:]]
    return schema


def _temporal(logical_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    layout = options.get("format")
    zoned = options.get("timezone", logical_type == "timestamp")
    if layout and ISO_LAYOUT.fullmatch(layout):
        schema["format"] = "date-time" if layout[-1] in "XZ" else "local-date-time"
    elif logical_type == "date" and layout in {None, "yyyy-MM-dd", "uuuu-MM-dd"}:
        schema["format"] = "date"
    elif layout:
        schema["dateTimeFormat"] = layout
    elif logical_type == "timestamp":
        schema["format"] = "date-time" if zoned else "local-date-time"
    else:
        schema["format"] = "time" if zoned else "local-time"
    if options.get("defaultTimezone"):
        schema["defaultTimezone"] = options["defaultTimezone"]
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        limit = options.get(bound)
        if limit is None or isinstance(limit, bool):
            continue
        exclusive = options.get("exclusive" + bound.capitalize()) is True
        name = "exclusive" + bound.capitalize() if exclusive else bound
        schema["format" + name[0].upper() + name[1:]] = limit
    return schema


def _numeric(options: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        limit = options.get(bound)
        if limit is None or isinstance(limit, bool):
            continue
        # ODCS 3.0: `exclusiveMinimum: true` makes `minimum` exclusive.
        exclusive = options.get("exclusive" + bound.capitalize()) is True
        schema["exclusive" + bound.capitalize() if exclusive else bound] = limit
    if "multipleOf" in options:
        schema["multipleOf"] = options["multipleOf"]
    low, high = _width(options.get("format"))
    if low is not None and high is not None:
        ranged = {"minimum": low, "maximum": high}
        if {"minimum", "maximum"} & schema.keys():
            schema["allOf"] = [ranged]
        else:
            schema |= ranged
    return schema


def _width(name: str | None) -> tuple[float | None, float | None]:
    """The range of a numeric `format` (`i8` … `u128`, `f32`, `f64`)."""
    if name is None:
        return None, None
    if name in _FLOAT_BOUND:
        return -_FLOAT_BOUND[name], _FLOAT_BOUND[name]
    bits = int(name[1:])
    if name[0] == "u":
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _array(element: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array"}
    if element.get("items"):
        schema["items"] = property_schema(element["items"])
    for option in ("minItems", "maxItems", "uniqueItems"):
        if option in options:
            schema[option] = options[option]
    return schema


def _map(element: Mapping[str, Any]) -> dict[str, Any]:
    entry = element.get("map") or {}
    schema: dict[str, Any] = {"type": "object"}
    if entry.get("key"):
        schema["propertyNames"] = _key(entry["key"])
    if entry.get("value"):
        schema["additionalProperties"] = property_schema(entry["value"])
    return schema


def _key(element: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the keys of a map, which are texts, whatever they stand for."""
    text = _KEY_TEXTS.get(element.get("logicalType") or "")
    schema = property_schema({**element, "required": True})
    if text is not None:
        schema |= {"type": "string", "pattern": text}
        if "enum" in schema:
            schema["enum"] = [json.dumps(value) for value in schema["enum"]]
    return schema


def _vector(options: Mapping[str, Any]) -> dict[str, Any]:
    size = options["dimensions"]
    item: dict[str, Any] = {"type": "number"}
    if options.get("elementType") in _VECTOR_INTEGER:
        low, high = _VECTOR_INTEGER[options["elementType"]]
        item = {"type": "integer", "minimum": low, "maximum": high}
    return {"type": "array", "items": item, "minItems": size, "maxItems": size}
