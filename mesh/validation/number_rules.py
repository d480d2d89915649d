"""Which numbers of a column the contract accepts, as Polars expressions.

The contract means a number as it is written: of a binary float, its shortest decimal. A rule
accepts only what the reference accepts of that decimal; it may leave out good values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mesh.validation.exact import exact
from mesh.validation.pattern_bytes import BeyondSubsetError

if TYPE_CHECKING:
    import polars as pl

_KEYWORDS = frozenset(
    {
        "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "enum", "const",
    }
)  # fmt: skip
_DIGITS = 15
"""Decimals of so many digits are told apart by doubles, and so is a double's shortest decimal."""
_POWERS = 22
"""Ten to this power is the greatest that a double holds exactly."""
_WHOLE = {"Float64": 2**53, "Float32": 2**24}
_MOST = Decimal(10) ** 300
_INT64 = range(-(2**63), 2**63)
_MOST_INT128 = 10**38
_MOST_CHOICES = 100


def integer_rule(schema: Mapping[str, Any], value: pl.Expr, *, wide: bool) -> pl.Expr:
    """Whether whole numbers are accepted; `wide` ones may need more than 63 bits.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    import polars as pl

    # Beside signed numbers of 64 bits, Polars makes unsigned ones floats.
    return _counted(_numeric(schema), value.cast(pl.Int128 if wide else pl.Int64), 0, whole=False)


def decimal_rule(
    schema: Mapping[str, Any], value: pl.Expr, *, precision: int, scale: int, whole: bool
) -> pl.Expr:
    """Whether decimals are accepted; those with more digits than the type says are not.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    count = value.to_physical()
    if precision <= 18:
        import polars as pl

        count = count.cast(pl.Int64, strict=False)
    most = 10**precision - 1
    fits = (count >= _literal(-most)) & (count <= _literal(most))
    return fits & _counted(_numeric(schema), count, scale, whole=whole)


def float_rule(schema: Mapping[str, Any], value: pl.Expr, *, kind: str, whole: bool) -> pl.Expr:
    """Whether binary floats are accepted.

    Args:
        schema: Of the values, without annotations.
        value: The column.
        kind: `Float64` or `Float32`.
        whole: Whether only whole numbers are.

    Raises:
        BeyondSubsetError: A keyword that is left to the reference.
    """
    plain = _numeric(schema)
    if plain.keys() & {"enum", "const"} or kind not in _WHOLE:
        raise BeyondSubsetError
    rule = value.is_finite()
    if whole:
        rule &= (value.abs() < _WHOLE[kind]) & (value == value.round(0))
    for keyword in plain.keys() & _BOUNDS.keys():
        rule &= _float_bound(keyword, Decimal(plain[keyword]), value, kind)
    if "multipleOf" in plain:
        if kind != "Float64":
            raise BeyondSubsetError
        rule &= _float_multiple(Decimal(plain["multipleOf"]), value)
    return rule


_BOUNDS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


def _numeric(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with exact numbers.

    Raises:
        BeyondSubsetError: There are others.
    """
    if schema.keys() - _KEYWORDS:
        raise BeyondSubsetError
    plain: dict[str, Any] = exact(dict(schema))
    return plain


def _float_bound(keyword: str, bound: Decimal, value: pl.Expr, kind: str) -> pl.Expr:
    """Rounding keeps order, so that a float beyond a rounded bound is a decimal beyond the bound.

    Equal floats are equal decimals where the bound has few enough digits.
    """
    import polars as pl

    _refuse_extreme(bound)
    near = float(bound)
    sign = _BOUNDS[keyword]
    exactly = kind == "Float64" and len(bound.as_tuple().digits) <= _DIGITS
    if kind == "Float32" and near:  # no nearer than a float's own rounding
        near += abs(near) * 2**-20 * (1 if sign[0] == ">" else -1)
        value = value.cast(pl.Float64)
    elif sign in {">=", "<="} and (exactly or not bound):
        return value >= near if sign == ">=" else value <= near
    return value > near if sign[0] == ">" else value < near


def _float_multiple(step: Decimal, value: pl.Expr) -> pl.Expr:
    """Whether a double is the one nearest to some multiple of at most fifteen digits.

    The shortest decimal of that double is then the multiple itself.
    """
    import polars as pl

    unit, scale = _unscaled(step)
    if not 0 <= scale <= _POWERS or unit >= 10**_DIGITS:
        raise BeyondSubsetError
    power = float(10**scale)
    count = (value * power).round(0)
    # A division by a number would be done as a multiplication by its inverse, which rounds twice.
    powers = count * 0 + power
    rule = (count.abs() < float(10**_DIGITS)) & (count / powers == value)
    if unit != 1:
        rule &= count.cast(pl.Int64, strict=False) % unit == 0
    return rule


def _unscaled(step: Decimal) -> tuple[int, int]:
    """Unit and scale: `step` is unit times ten to the power of minus scale."""
    _refuse_extreme(step)
    whole = Fraction(step)
    scale = 0
    while whole.denominator != 1:
        whole, scale = whole * 10, scale + 1
    return int(whole), scale


def _refuse_extreme(number: Decimal) -> None:
    if number and not 1 / _MOST < abs(number) < _MOST:
        raise BeyondSubsetError


def _counted(plain: Mapping[str, Any], count: pl.Expr, scale: int, *, whole: bool) -> pl.Expr:
    """The rule for numbers that are counts of ten to the power of minus scale."""
    import polars as pl

    rule = pl.lit(True)
    for keyword in plain.keys() & _BOUNDS.keys():
        rule &= _count_bound(keyword, Decimal(plain[keyword]), count, scale)
    if whole:
        rule &= _divided(count, 10**scale)
    if "multipleOf" in plain:
        unit, places = _unscaled(Decimal(plain["multipleOf"]))
        if places > scale:
            unit //= math.gcd(unit, 10 ** (places - scale))
        rule &= _divided(count, unit * 10 ** max(scale - places, 0))
    if plain.keys() & {"enum", "const"}:
        rule &= pl.any_horizontal([count == item for item in _choices(plain, scale)])
    return rule


def _choices(plain: Mapping[str, Any], scale: int) -> list[pl.Expr]:
    """The counts that stand in an enumeration.

    Raises:
        BeyondSubsetError: There are none, or too many for one comparison each.
    """
    if scale or {"enum", "const"} <= plain.keys():
        raise BeyondSubsetError
    values = plain["enum"] if "enum" in plain else [plain["const"]]
    found = [item for item in values if isinstance(item, int) and not isinstance(item, bool)]
    if not 0 < len(found) <= _MOST_CHOICES or any(item not in _INT64 for item in found):
        raise BeyondSubsetError
    return [_literal(item) for item in found]


def _count_bound(keyword: str, bound: Decimal, count: pl.Expr, scale: int) -> pl.Expr:
    import polars as pl

    _refuse_extreme(bound)
    sign = _BOUNDS[keyword]
    lower = sign[0] == ">"
    scaled = Fraction(bound) * 10**scale
    limit = math.ceil(scaled) if lower else math.floor(scaled)
    if sign in {">", "<"} and limit == scaled:
        limit += 1 if lower else -1
    if abs(limit) >= _MOST_INT128:
        return pl.lit(lower == (limit < 0))
    return count >= _literal(limit) if lower else count <= _literal(limit)


def _divided(count: pl.Expr, unit: int) -> pl.Expr:
    import polars as pl

    if unit == 1:
        return pl.lit(True)
    if unit >= _MOST_INT128:
        return count == 0
    return count % _literal(unit) == 0


def _literal(number: int) -> pl.Expr:
    import polars as pl

    return pl.lit(number, dtype=pl.Int64 if number in _INT64 else pl.Int128)
