"""Binding expressions: `{name}`, `{data.member}`, `{rand-guid}`, `{DateTime:yyyy-MM}` in paths."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_EXPRESSION = re.compile(r"\{([^{}]+)\}")
_NET_PARTS = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S",
}  # fmt: skip
_NET_FORMAT = re.compile("|".join(_NET_PARTS))


class UnknownExpressionError(LookupError):
    """A binding uses an expression that its trigger does not provide."""


def expand(template: str, properties: Mapping[str, Any], where: str) -> str:
    """Fill a template in.

    Raises:
        UnknownExpressionError: the trigger provides no such property.
    """

    def _value(match: re.Match[str]) -> str:
        return _evaluate(match.group(1), properties, where)

    return _EXPRESSION.sub(_value, template)


def _evaluate(expression: str, properties: Mapping[str, Any], where: str) -> str:
    name, _, form = expression.partition(":")
    lowered = name.strip().lower()
    if lowered == "rand-guid":
        return _guid(form)
    if lowered in ("datetime", "sys.utcnow"):
        return _date(form)
    value: Any = {key.lower(): entry for key, entry in properties.items()}
    for part in lowered.split("."):
        if not isinstance(value, Mapping):
            value = None
            break
        value = {str(key).lower(): entry for key, entry in value.items()}.get(part)
    if value is None:
        raise UnknownExpressionError(
            f"{where}: '{{{expression}}}' does not resolve. The trigger provides: "
            f"{', '.join(sorted(properties)) or 'nothing'}, rand-guid, DateTime."
        )
    return str(value)


def _guid(form: str) -> str:
    made = str(uuid.uuid4())
    return made.replace("-", "") if form.upper() == "N" else made


def _date(form: str) -> str:
    now = datetime.now(UTC)
    if not form:
        return now.strftime("%Y-%m-%dT%H-%M-%SZ")
    return now.strftime(_NET_FORMAT.sub(lambda part: _NET_PARTS[part.group()], form))
