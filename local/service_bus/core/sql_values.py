"""Values in the SQL of rules: comparison, arithmetic and patterns, after C#'s conversions.

`None` is unknown, and spreads. Operands that have no common type compare as unknown.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache

from local.service_bus.core.message import Value

_INT64 = range(-(2**63), 2**63)


class SqlEvaluationError(Exception):
    """The expression cannot be evaluated for this message."""


COMPARISONS: Mapping[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]  # operands are checked to be comparable
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}
ARITHMETIC = frozenset("+-*/%")


def _family(value: Value) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def compare(sign: str, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    left, right = _aligned(left, right), _aligned(right, left)
    family = _family(left)
    if family is not _family(right):
        return None
    if family in {bool, uuid.UUID, bytes} and sign not in {"=", "<>"}:
        return None
    return COMPARISONS[sign](left, right)


def _aligned(value: Value, other: Value) -> Value:
    """Read a string as a GUID where it is compared with one: there are no GUID literals."""
    if isinstance(value, str) and isinstance(other, uuid.UUID):
        try:
            return uuid.UUID(value)
        except ValueError:
            return value
    return value


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def with_sign(sign: str, value: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"'{sign}' takes a number"
        raise SqlEvaluationError(message)
    return _fitting(-value) if sign == "-" else value


def calculate(sign: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if sign == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _shown(left) + _shown(right)
    if not (_is_number(left) and _is_number(right)):
        message = f"'{sign}' takes numbers"
        raise SqlEvaluationError(message)
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    try:
        return _fitting(_numeric(sign, left, right))
    except ZeroDivisionError:
        raise SqlEvaluationError("division by zero") from None


def _numeric(sign: str, left: float, right: float) -> float:
    """Calculate as C# does: integers divide towards zero, a remainder has its dividend's sign."""
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        quotient = quotient if (left < 0) == (right < 0) else -quotient
        return quotient if sign == "/" else left - right * quotient
    if sign == "/" and right:
        return left / right
    if sign == "%" and right and math.isfinite(left):
        return math.fmod(left, right)
    return math.copysign(math.inf, left) if sign == "/" and left else math.nan


def _fitting(value: float) -> float:
    if isinstance(value, int) and value not in _INT64:
        raise SqlEvaluationError("the result does not fit 64 bits")
    return value


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return str(value)


@lru_cache(maxsize=1024)
def like_pattern(pattern: str, escape: str) -> re.Pattern[str]:
    parts, characters = [], iter(pattern)
    for character in characters:
        if escape and character == escape:
            parts.append(re.escape(next(characters, escape)))
        elif character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)
