"""What a bad value was meant to be, where only one thing can have been meant.

A fix changes how a value is written and never what it says: spaces around it, a sign or zeros in
front of a number, the case of a choice, the punctuation of a date that begins with its year. It is
told only when the contract accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mesh.model.contract_profile import Dialect

_RULES = frozenset({"type", "enum", "pattern", "format", "dateTimeFormat", "maxLength"})
_LONG = 200
_NUMBER = re.compile(r"(?:\+|(-))?0*([0-9]+)((?:\.[0-9]+)?)", re.ASCII)
_DATE = re.compile(
    r"([0-9]{4})([-/.]?)([0-9]{1,2})\2([0-9]{1,2})(?:[Tt ]00:00(?::00(?:\.0+)?)?)?", re.ASCII
)
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})((?::[0-9]{2}(?:\.[0-9]+)?)?) ?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)


def fix_of(
    error: Any, accepts: Callable[[Any, Any], bool], dialect: Dialect
) -> str | bool | int | Decimal | None:
    """What is to stand there; None where that is not certain.

    Args:
        error: What the reference says of a value, a `ValidationError`.
        accepts: Whether a schema accepts a value.
        dialect: How numbers and booleans are written in delimited text.
    """
    text, schema = error.instance, error.schema
    if error.validator not in _RULES or not isinstance(text, str) or len(text) > _LONG:
        return None
    bare = text.strip()
    if not bare or not isinstance(schema, Mapping):
        return None
    found = _meant(bare, schema, dialect)
    return None if found is None or found == text or not accepts(schema, found) else found


def _meant(
    text: str, schema: Mapping[str, Any], dialect: Dialect
) -> str | bool | int | Decimal | None:
    """The one value that may have been meant."""
    if "enum" in schema:
        return _choice(text, schema["enum"])
    kinds = schema.get("type")
    types = {kinds} if isinstance(kinds, str) else set(kinds or ())
    if types & {"number", "integer"}:
        return _number(text, points=dialect.decimal_mark == ".")
    if "boolean" in types:
        plain = "true" in dialect.true_tokens and "false" in dialect.false_tokens
        return {"true": True, "false": False}.get(text.lower()) if plain else None
    if types - {"null"} != {"string"}:
        return None
    form = schema.get("format") if "dateTimeFormat" not in schema else None
    return _date(text) if form == "date" else _moment(text, form)


def _choice(text: str, choices: Any) -> str | None:
    like = [one for one in choices if isinstance(one, str) and one.lower() == text.lower()]
    return like[0] if len(like) == 1 else None


def _number(text: str, *, points: bool) -> int | Decimal | None:
    found = _NUMBER.fullmatch(text)
    if found is None or (found[3] and not points):
        return None
    written = f"{found[1] or ''}{found[2]}{found[3]}"
    return Decimal(written) if found[3] else int(written)


def _date(text: str) -> str:
    found = _DATE.fullmatch(text)
    if found is None or (not found[2] and len(found[3] + found[4]) < 4):
        return text
    return f"{found[1]}-{found[3]:0>2}-{found[4]:0>2}"


def _moment(text: str, form: object) -> str:
    """A date with a time, where its offset stands there; else the text."""
    found = _MOMENT.fullmatch(text) if form in {"date-time", "local-date-time"} else None
    if found is None or bool(found[4]) is (form == "local-date-time"):
        return text
    offset = (found[4] or "").upper()
    if len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    return f"{found[1]}T{found[2]}{found[3] or ':00'}{offset}"
