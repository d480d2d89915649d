"""JSON as RFC 8259 means it, without what parsers let pass."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

_LONG = 4000
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonFaultError(ValueError):
    """Text that is no JSON, or JSON on whose meaning two readers could differ."""

    def __init__(self, rule: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.rule, self.field = rule, field


def parse_json(text: str) -> Any:
    """The value of a JSON text: numbers as `int` and `Decimal`, exact.

    Raises:
        JsonFaultError: No JSON; NaN or Infinity; an object with the same key twice; half of a
            surrogate pair; nested beyond what can be read; an exponent beyond all reason.
    """
    try:
        value = _DECODER.decode(text)
    except JsonFaultError:
        raise
    except json.JSONDecodeError as error:
        message = f"The record is not JSON: {error.msg.lower()} at character {error.pos + 1}."
        raise JsonFaultError("json", message) from None
    except RecursionError:
        raise JsonFaultError("json", "The record is nested too deeply to be read.") from None
    if "\\u" in text and _has_surrogate(value):
        message = (
            "The record holds half of a surrogate pair (\\ud800 to \\udfff), which is no text."
        )
        raise JsonFaultError("surrogate", message)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise JsonFaultError("duplicateKey", f"{name} stands twice in one object.", name)
        seen.add(name)
    return made


def _int(text: str) -> Any:
    return int(text) if len(text) < _LONG else Decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        message = "A number of the record has an exponent beyond all reason."
        raise JsonFaultError("json", message) from None


def _constant(text: str) -> NoReturn:
    raise JsonFaultError("json", f"The record is not JSON: {text} is no JSON number.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_int, parse_float=_decimal, parse_constant=_constant
)


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogate(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(map(_has_surrogate, value))
