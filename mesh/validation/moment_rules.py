"""Which dates and times of a column the contract accepts, as Polars expressions."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mesh.model.instants import instant
from mesh.validation.pattern_bytes import BeyondSubsetError

if TYPE_CHECKING:
    import polars as pl

_BOUNDS = frozenset(
    {"formatMinimum", "formatMaximum", "formatExclusiveMinimum", "formatExclusiveMaximum"}
)
_INT64 = (-(2**63), 2**63 - 1)
_DAY = 86_400
_EPOCH = dt.date(1970, 1, 1).toordinal()
_YEARS = (1 - _EPOCH, dt.date.max.toordinal() - _EPOCH)
"""The days that four digits of a year can tell, counted from 1970."""


def day_rule(schema: Mapping[str, Any], count: pl.Expr) -> pl.Expr:
    """Whether days are accepted.

    Args:
        schema: Of the values, without annotations.
        count: The column, as days since 1970.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    return _rule(schema, count, "date", (_YEARS[0], _YEARS[1]), Fraction(1, _DAY), _EPOCH * _DAY)


def stamp_rule(schema: Mapping[str, Any], count: pl.Expr, *, per: int, zoned: bool) -> pl.Expr:
    """Whether points in time are accepted.

    Args:
        schema: Of the values, without annotations.
        count: The column, as parts of a second since 1970.
        per: How many of them make a second.
        zoned: Whether they are in UTC; otherwise nobody knows in which zone.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    within = (_YEARS[0] * _DAY * per, (_YEARS[1] + 1) * _DAY * per - 1)
    form = "date-time" if zoned else "local-date-time"
    return _rule(schema, count, form, within, Fraction(per), _EPOCH * _DAY)


def clock_rule(schema: Mapping[str, Any], count: pl.Expr, *, per: int) -> pl.Expr:
    """Whether times of day are accepted; arguments as before, but counted from midnight.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    start = dt.date.min.toordinal() * _DAY
    return _rule(schema, count, "local-time", (0, _DAY * per - 1), Fraction(per), start)


def _rule(
    schema: Mapping[str, Any],
    count: pl.Expr,
    form: str,
    within: tuple[int, int],
    per: Fraction,
    start: int,
) -> pl.Expr:
    """Whether counts are within a range and within the bounds of the contract.

    Args:
        schema: Of the values.
        count: Whole numbers of a unit.
        form: The format that their texts have.
        within: The least count and the most that have a text.
        per: How many units make a second.
        start: The second from which they are counted, as `instant` numbers seconds.
    """
    import polars as pl

    if schema.keys() - _BOUNDS - {"type", "format"} or schema.get("format", form) != form:
        raise BeyondSubsetError
    if "format" not in schema and len(schema) > 1:
        raise BeyondSubsetError
    low, high = within
    for keyword in schema.keys() & _BOUNDS:
        bound = instant(schema[keyword], schema)
        if bound is None:
            continue  # nothing is beyond what is no moment
        at = (bound.seconds - start + Fraction(bound.fraction)) * per
        exclusive = "Exclusive" in keyword
        if keyword.endswith("Minimum"):
            low = max(low, math.floor(at) + 1 if exclusive else math.ceil(at))
        else:
            high = min(high, math.ceil(at) - 1 if exclusive else math.floor(at))
    if low > _INT64[1] or high < _INT64[0]:
        return pl.lit(False)
    return (count >= max(low, _INT64[0])) & (count <= min(high, _INT64[1]))
