"""Violations in sentences a business user understands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

_VALUE = 256
_SHORT = 60
_DIGITS = 4096
"""Bits of an integer, more digits of which Python may refuse to write."""
_NAMES: Mapping[str, str] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "empty",
}
_FORMATS: Mapping[str, str] = {
    "date": "a date as in 2026-09-08",
    "date-time": "a date and time with offset as in 2026-09-08T12:30:00Z",
    "time": "a time with offset as in 12:30:00Z",
    "local-date-time": "a date and time without offset as in 2026-09-08T12:30:00",
    "local-time": "a time as in 12:30:00",
    "email": "an e-mail address",
    "uuid": "a UUID",
    "uri": "a URI with a scheme",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
}
Template = Callable[[Any, Any], str]
_TEMPLATES: Mapping[str, Template] = {
    "type": lambda limit, _: f"must be {_types(limit)}",
    "enum": lambda limit, _: f"must be one of {_choices(limit)}",
    "const": lambda limit, _: f"must be {shown(limit)}",
    "minLength": lambda limit, text: f"must have at least {limit} characters, not {len(text)}",
    "maxLength": lambda limit, text: f"must have at most {limit} characters, not {len(text)}",
    "pattern": lambda limit, _: f"must match the pattern {limit}",
    "format": lambda limit, _: f"must be {_FORMATS.get(limit, f'of the format {limit}')}",
    "dateTimeFormat": lambda limit, _: f"must be a date or time written as {limit}",
    "minimum": lambda limit, _: f"must be at least {limit}",
    "maximum": lambda limit, _: f"must be at most {limit}",
    "exclusiveMinimum": lambda limit, _: f"must be more than {limit}",
    "exclusiveMaximum": lambda limit, _: f"must be less than {limit}",
    "formatMinimum": lambda limit, _: f"must not be before {limit}",
    "formatMaximum": lambda limit, _: f"must not be after {limit}",
    "formatExclusiveMinimum": lambda limit, _: f"must be after {limit}",
    "formatExclusiveMaximum": lambda limit, _: f"must be before {limit}",
    "multipleOf": lambda limit, _: f"must be a multiple of {limit}",
    "minItems": lambda limit, items: f"must have at least {limit} entries, not {len(items)}",
    "maxItems": lambda limit, items: f"must have at most {limit} entries, not {len(items)}",
    "uniqueItems": lambda _, __: "must not hold the same entry twice",
    "minProperties": lambda limit, _: f"must have at least {limit} fields",
    "maxProperties": lambda limit, _: f"must have at most {limit} fields",
    "additionalProperties": lambda _, __: "is not a field of the contract",
    "unevaluatedProperties": lambda _, __: "has a field that the contract does not know",
    "required": lambda _, __: "is required and missing",
}


def sentence(error: Any, field: str, *, secret: bool, absent: bool, fix: Any = None) -> str:
    """What a `ValidationError` means, with the value unless it is secret, and what to write."""
    subject = field or "The record"
    template = _TEMPLATES.get(error.validator)
    if template is None:
        said = f"breaks the contract's rule {error.validator!r}"
    else:
        said = template(error.validator_value, error.instance)
    if absent or secret or error.validator in {"additionalProperties", "uniqueItems"}:
        return f"{subject} {said}."
    remedy = "" if fix is None else f" Write {_short(fix)}."
    return f"{subject} {said}; it is {_short(error.instance)}.{remedy}"


def shown(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON; 256 characters at most."""
    return _beginning(value, _VALUE)


def _beginning(value: Any, most: int) -> str:
    """The same of any length; of a record of megabytes no more is written than is shown."""
    if isinstance(value, str):
        return clipped(value, most)
    text = ""
    for piece in _pieces(value, most):
        text += piece
        if len(text) > most:
            break
    return clipped(text, most)


def _pieces(value: Any, most: int) -> Iterator[str]:
    """`to_json`, piece by piece; of a text no more than could be shown."""
    if isinstance(value, Mapping):
        mark = "{"
        for name in value:
            yield f"{mark}{json.dumps(name[: most + 1], ensure_ascii=False)}: "
            yield from _pieces(value[name], most)
            mark = ", "
        yield "}" if value else "{}"
    elif isinstance(value, list):
        mark = "["
        for item in value:
            yield mark
            yield from _pieces(item, most)
            mark = ", "
        yield "]" if value else "[]"
    else:
        yield to_json(value[: most + 1] if isinstance(value, str) else value)


def clipped(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def to_json(value: Any) -> str:
    """JSON of a value whose numbers may be `Decimal`, digit for digit."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value if value.bit_length() <= _DIGITS else Decimal(value))
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        parts = (f"{to_json(name)}: {to_json(value[name])}" for name in value)
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    if value is None:
        return "empty"
    text = _beginning(value, _SHORT)
    return f"{text!r}" if isinstance(value, str) else text


def _types(limit: Any) -> str:
    names = [limit] if isinstance(limit, str) else [name for name in limit if name != "null"]
    return " or ".join(_NAMES.get(name, name) for name in names)


def _choices(values: Any) -> str:
    texts = [shown(value) for value in values if value is not None]
    most = 12
    return ", ".join(texts[:most]) + (f", … ({len(texts)} in all)" if len(texts) > most else "")


def field_path(parts: Sequence[Any]) -> str:
    """`lines[2].sku` for the path of an error."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
