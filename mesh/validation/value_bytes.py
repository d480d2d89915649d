"""Expressions over bytes for the values a schema accepts, and for nothing else.

An expression may leave out valid values: what it does not match is judged by the reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from mesh.validation.pattern_bytes import BeyondSubsetError, Piece, pattern_piece
from mesh.validation.ranges import whole_numbers
from mesh.validation.writing import Writing

ANNOTATIONS = frozenset(
    {
        "$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly",
        "examples", "contentEncoding", "contentMediaType", "defaultTimezone", "classification",
        "$schema", "$id", "$defs", "definitions",
    }
)  # fmt: skip
_STRING = frozenset({"type", "minLength", "maxLength", "pattern", "format", "enum", "const"})
_NUMBER = frozenset(
    {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"}
)
_UNASSERTED = frozenset({"password", "binary"})
_MOST_DIGITS = 10**18
_LONGEST = 10_000
_MONTH_DAYS = (
    rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    rb"|(?:0[13578]|1[02])-31)"
)
_LEAP = rb"(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29"
_DATE = rb"(?:[1-9][0-9]{3}-" + _MONTH_DAYS + rb"|" + _LEAP + rb")"
"""Dates from the year 1000 on."""
_TIME = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_OFFSET = rb"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_BYTE = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = rb"[0-9a-fA-F]"
_FORMATS: Mapping[str, Piece] = {
    "date": Piece(_DATE, 10, 10),
    "date-time": Piece(_DATE + b"T" + _TIME + _OFFSET, 20, 35),
    "time": Piece(_TIME + _OFFSET, 9, 24),
    "local-date-time": Piece(_DATE + b"T" + _TIME, 19, 29),
    "local-time": Piece(_TIME, 8, 18),
    "uuid": Piece(_HEX + rb"{8}+-" + (_HEX + rb"{4}+-") * 3 + _HEX + rb"{12}+", 36, 36),
    "ipv4": Piece(_BYTE + rb"(?:\." + _BYTE + rb"){3}", 7, 15),
}


def string_bytes(schema: Mapping[str, Any], writing: Writing, closing: bytes) -> bytes:
    """An expression for the texts, of one character at least, that the schema accepts.

    Args:
        schema: Of a value whose type admits strings.
        writing: How the text is written.
        closing: An expression for what follows it.

    Raises:
        BeyondSubsetError: A keyword that this module leaves to others.
    """
    used = schema.keys() - ANNOTATIONS
    shapes = used & {"pattern", "format", "enum", "const"}
    if used - _STRING or len(shapes) > 1:
        raise BeyondSubsetError
    least, most = max(schema.get("minLength", 0), 1), schema.get("maxLength")
    if least > _LONGEST or (most or 0) > _LONGEST or (most is not None and most < 1):
        raise BeyondSubsetError
    if shapes & {"enum", "const"}:
        if used & {"minLength", "maxLength"}:
            raise BeyondSubsetError
        return _one_of(schema.get("enum", [schema.get("const")]), writing)
    if "pattern" in used:
        piece = pattern_piece(schema["pattern"], writing)
    elif schema.get("format") in {None, *_UNASSERTED}:
        return writing.any_text(least, most)
    else:
        piece = _format(schema["format"], writing)
    fits = piece.least >= least and (most is None or (piece.most or most + 1) <= most)
    if fits or writing.half == "shapes":
        return piece.expression
    if writing.half == "lengths":
        return writing.any_text(least, most)
    return b"(?=" + writing.any_text(least, most) + closing + b")" + piece.expression


def _one_of(values: list[Any], writing: Writing) -> bytes:
    texts = [writing.literal(value) for value in values if isinstance(value, str) and value]
    plain = [text for text in texts if text is not None]
    if not plain:
        raise BeyondSubsetError
    return b"(?:" + b"|".join(plain) + b")"


def _format(name: str, writing: Writing) -> Piece:
    if name == "email":  # the reference asks for an @ and no more
        before = writing.run_of(set(range(128)) - {0x40}) + b"++"
        text = b"(?:" + b"|".join((before, *writing.escaped)) + b")*+@" + writing.any_text(0, None)
        return Piece(text, 1, None)
    if name not in _FORMATS:
        raise BeyondSubsetError
    return _FORMATS[name]


def number_bytes(schema: Mapping[str, Any], types: frozenset[str], mark: bytes = b".") -> bytes:
    """An expression for the numbers that the schema accepts, without exponents.

    Args:
        schema: Of a value whose type admits numbers.
        types: The JSON types it admits.
        mark: The decimal mark.

    Raises:
        BeyondSubsetError: A keyword that this module leaves to others.
    """
    used = schema.keys() - ANNOTATIONS
    if used - _NUMBER or ("enum" in used and used - {"enum", "type"}):
        raise BeyondSubsetError
    if "enum" in used:
        return _whole_choices(schema["enum"])
    low, high = _bounds(schema)
    digits = _fraction_digits(schema.get("multipleOf"))
    if "number" not in types:
        digits = 0
    forms: list[bytes | None] = []
    if digits != 0:
        tail = re.escape(mark) + (b"[0-9]{1,18}" if digits is None else b"[0-9]{1,%d}" % digits)
        forms = _fractions(low, high, tail)
    forms.append(_whole(_ceil(low), _floor(high)))
    kept = [form for form in forms if form]
    if not kept:
        raise BeyondSubsetError
    return b"(?:" + b"|".join(kept) + b")"


def _whole_choices(values: list[Any]) -> bytes:
    whole = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if not whole:
        raise BeyondSubsetError
    return b"(?:" + b"|".join(b"%d" % value for value in whole) + b")"


def _bounds(schema: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """The bounds; an exclusive one is brought in by a hair, which only leaves numbers out."""
    hair = Decimal("1e-9")
    lows = [_exact(schema["minimum"])] if "minimum" in schema else []
    lows += [_exact(schema["exclusiveMinimum"]) + hair] if "exclusiveMinimum" in schema else []
    highs = [_exact(schema["maximum"])] if "maximum" in schema else []
    highs += [_exact(schema["exclusiveMaximum"]) - hair] if "exclusiveMaximum" in schema else []
    return max(lows, default=None), min(highs, default=None)


def _exact(value: Any) -> Decimal:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    limit = Decimal(_MOST_DIGITS)
    return max(min(number, limit), -limit)


def _ceil(value: Decimal | None) -> int:
    return 1 - _MOST_DIGITS if value is None else int(value.to_integral_value(ROUND_CEILING))


def _floor(value: Decimal | None) -> int:
    return _MOST_DIGITS - 1 if value is None else int(value.to_integral_value(ROUND_FLOOR))


def _whole(low: int, high: int) -> bytes | None:
    low, high = max(low, 1 - _MOST_DIGITS), min(high, _MOST_DIGITS - 1)
    expression = whole_numbers(low, high)
    return expression.encode() if expression else None


def _fractions(low: Decimal | None, high: Decimal | None, tail: bytes) -> list[bytes | None]:
    """Numbers with a fraction, by whole parts that leave room for any fraction."""
    forms: list[bytes | None] = []
    positive = _whole(max(_ceil(low), 0), _floor(high) - 1)
    if positive:
        forms.append(positive + b"(?:" + tail + b")?")
    least = 0 if high is None or high >= 0 else -_floor(high)
    negative = _whole(least, -_ceil(low) - 1)
    if negative:
        forms.append(b"-" + negative + tail)
    return forms


def _fraction_digits(multiple_of: Any) -> int | None:
    """How many digits a fraction may have; None when any number of them.

    Raises:
        BeyondSubsetError: Numbers that digits alone do not tell.
    """
    if multiple_of is None:
        return None
    _, digits, exponent = _exact(multiple_of).normalize().as_tuple()
    if digits != (1,) or not isinstance(exponent, int) or not -18 <= exponent <= 0:
        raise BeyondSubsetError
    return -exponent
