"""Which texts of a column the contract accepts, as Polars expressions.

A rule accepts only what the reference accepts; it may leave out good values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.rust_pattern import rust_pattern

if TYPE_CHECKING:
    import polars as pl

_KEYWORDS = frozenset({"type", "minLength", "maxLength", "pattern", "format", "enum", "const"})
_UNASSERTED = frozenset({"password", "binary"})
_YEAR = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_MONTH_DAYS = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
_LEAP = (
    r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    r"|(?:0[48]|[2468][048]|[13579][26])00)-02-29"
)
_DATE = rf"(?:{_YEAR}-{_MONTH_DAYS}|{_LEAP})"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = "[0-9a-fA-F]"
_FORMATS: Mapping[str, str] = {
    "date": _DATE,
    "date-time": f"{_DATE}T{_TIME}{_OFFSET}",
    "time": f"{_TIME}{_OFFSET}",
    "local-date-time": f"{_DATE}T{_TIME}",
    "local-time": _TIME,
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    "ipv4": rf"{_BYTE}(?:\.{_BYTE}){{3}}",
}


def text_rule(schema: Mapping[str, Any], value: pl.Expr) -> pl.Expr:
    """Whether texts are accepted.

    Args:
        schema: Of the values, without annotations.
        value: The column.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    import polars as pl

    if schema.keys() - _KEYWORDS:
        raise BeyondSubsetError
    rules = [pl.lit(True)]
    if "minLength" in schema:
        rules.append(value.str.len_chars() >= schema["minLength"])
    if "maxLength" in schema:
        rules.append(value.str.len_chars() <= schema["maxLength"])
    if "pattern" in schema:
        rules.append(_matching(value, rust_pattern(schema["pattern"])))
    if "format" in schema:
        rules.append(_format(schema["format"], value))
    if "enum" in schema or "const" in schema:
        texts = [item for item in schema.get("enum", [schema.get("const")]) if _is_text(item)]
        if "const" in schema and "enum" in schema:
            raise BeyondSubsetError
        rules.append(value.is_in(texts) if texts else pl.lit(False))
    return pl.all_horizontal(rules[1:]) if len(rules) > 1 else rules[0]


def _is_text(item: object) -> bool:
    return isinstance(item, str)


def _format(name: str, value: pl.Expr) -> pl.Expr:
    import polars as pl

    if name in _UNASSERTED:
        return pl.lit(True)
    if name == "email":  # the reference asks for an @ and no more
        return value.str.contains("@", literal=True)
    if name not in _FORMATS:
        raise BeyondSubsetError
    return _matching(value, f"^(?:{_FORMATS[name]})$")


def _matching(value: pl.Expr, expression: str) -> pl.Expr:
    """Whether the expression is found; tried once, for one may be too large for the matcher."""
    import polars as pl

    try:
        pl.Series("tried", [""]).str.contains(expression)
    except pl.exceptions.ComputeError:
        raise BeyondSubsetError from None
    return value.str.contains(expression)
