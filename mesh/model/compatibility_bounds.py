"""Bounds and units of two schemas compared: which of them admits more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

Direction = tuple[str, str, bool, bool]
"""A keyword, what became of it, and whether that tightens and loosens."""


class _Range(NamedTuple):
    """Two keywords that bound the same from one side; `sign` is 1 for lower bounds."""

    keyword: str
    exclusive: str
    sign: int


_RANGES = (
    _Range("minimum", "exclusiveMinimum", 1),
    _Range("maximum", "exclusiveMaximum", -1),
    *(_Range(f"min{what}", "", 1) for what in ("Length", "Items", "Properties")),
    *(_Range(f"max{what}", "", -1) for what in ("Length", "Items", "Properties")),
)
_DATES = (
    _Range("formatMinimum", "formatExclusiveMinimum", 1),
    _Range("formatMaximum", "formatExclusiveMaximum", -1),
)
NUMERIC = frozenset(name for pair in _RANGES for name in (pair.keyword, pair.exclusive) if name)
TEMPORAL = frozenset(name for pair in _DATES for name in (pair.keyword, pair.exclusive))


def bound_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Direction]:
    """How the bounds of numbers, lengths and counts moved, and those of plain dates."""
    for pair in _RANGES:
        yield from _moved(pair, old, new, exact)
    plain = old.get("format") == new.get("format") == "date"
    for pair in _DATES:
        if plain:
            yield from _moved(pair, old, new, _ordinal)
        else:
            yield from _other(pair, old, new)


def unit_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Direction]:
    """How `multipleOf` changed."""
    before, after = old.get("multipleOf"), new.get("multipleOf")
    if before == after:
        return
    tightens = before is None or (after is not None and not _divides(after, before))
    loosens = after is None or (before is not None and not _divides(before, after))
    if tightens or loosens or before is None or after is None:
        text = f"has its multipleOf changed from {_or_none(before)} to {_or_none(after)}"
        yield "multipleOf", text, tightens, loosens


def exact(value: Any) -> Fraction:
    """A number of a contract, in decimal arithmetic."""
    return Fraction(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))


def _moved(
    pair: _Range, old: Mapping[str, Any], new: Mapping[str, Any], value: Any
) -> Iterator[Direction]:
    before, after = (_strictest(pair, schema, value) for schema in (old, new))
    if before == after:
        return
    tightens = before is None or (after is not None and after[0] > before[0])
    keyword = (after or before or (None, pair.keyword, None))[1]
    verb = "tightened" if tightens else "loosened"
    texts = [_or_none(entry and entry[2]) for entry in (before, after)]
    yield keyword, f"has its {keyword} {verb} from {texts[0]} to {texts[1]}", tightens, not tightens


def _strictest(
    pair: _Range, schema: Mapping[str, Any], value: Any
) -> tuple[tuple[Any, bool], str, Any] | None:
    """The bound that counts; larger is stricter."""
    found = [
        ((value(schema[name]) * pair.sign, name == pair.exclusive), name, schema[name])
        for name in (pair.keyword, pair.exclusive)
        if name and schema.get(name) is not None
    ]
    return max(found, key=lambda entry: entry[0], default=None)


def _other(pair: _Range, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Direction]:
    """Bounds in a layout of their own: not compared, unless one is new or gone."""
    for name in (pair.keyword, pair.exclusive):
        before, after = old.get(name), new.get(name)
        if before != after:
            text = f"has its {name} changed from {_or_none(before)} to {_or_none(after)}"
            yield name, text, after is not None, before is not None


def _ordinal(text: str) -> int:
    """A date (`yyyy-MM-dd`) as a number that orders as the date does."""
    digits = "".join(letter for letter in str(text) if letter.isdigit())
    return int(digits or "0")


def _divides(unit: Any, number: Any) -> bool:
    return (exact(number) / exact(unit)).denominator == 1


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)
