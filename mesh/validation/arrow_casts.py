"""Casts of Arrow columns that hold, for each value, what its JSON would be read as; or none."""

from __future__ import annotations

from typing import Any

from mesh.validation.arrow_text import is_text

_WHOLE = 2**53
_DIGITS = 15
_POWERS = 22


def same_values(column: Any, kind: Any) -> Any:
    """The column in another type.

    Args:
        column: Of a file; its values are known to be good.
        kind: The type that the contract wants them in.

    Returns:
        None where it is not sure that each value is its JSON's: some does not fit, or has to be
        rounded.
    """
    import pyarrow as pa
    from pyarrow import types

    held = column.type
    try:
        if types.is_null(held):
            return pa.nulls(len(column), kind)
        if types.is_boolean(held):
            return column if types.is_boolean(kind) else None
        if types.is_integer(held) or types.is_decimal(held):
            return _of_exact(column, kind)
        if types.is_floating(held):
            return _of_floats(column, kind)
        if types.is_temporal(held) and types.is_temporal(kind):
            return _of_moments(column, kind)
    except pa.ArrowException:
        return None
    return None


def plain_texts(column: Any) -> Any:
    """A column of texts, once each is written out; None of a column of anything else."""
    import pyarrow as pa
    from pyarrow import types

    held = column.type
    if is_text(held.value_type if types.is_dictionary(held) else held):
        return column.cast(pa.string())
    return None


def _of_exact(column: Any, kind: Any) -> Any:
    """Arrow refuses to cast what does not fit; to doubles it rounds decimals badly."""
    from pyarrow import types

    if types.is_integer(kind) or types.is_decimal(kind):
        return column.cast(kind)
    if types.is_floating(kind) and types.is_integer(column.type):
        return column.cast(kind)
    return None


def _of_floats(column: Any, kind: Any) -> Any:
    """Of doubles; a shorter float's decimal is not that of the double with its value."""
    import pyarrow as pa
    from pyarrow import compute, types

    if column.type != pa.float64():
        return None
    column = compute.add(column, 0.0)  # minus zero is zero in JSON
    if types.is_floating(kind):
        return column
    most = compute.max(compute.abs(column)).as_py() or 0.0
    if types.is_integer(kind):
        return column.cast(kind) if most < _WHOLE else None
    if not types.is_decimal128(kind) or kind.scale > _POWERS:
        return None
    power = float(10**kind.scale)
    count = compute.round(compute.multiply(column, power))
    if most * power >= 10**_DIGITS or not _all_equal(compute.divide(count, power), column):
        return None
    whole = count.cast(pa.int64()).cast(pa.decimal128(38, 0))
    return pa.Array.from_buffers(kind, len(whole), whole.buffers(), offset=whole.offset)


def _all_equal(one: Any, other: Any) -> bool:
    from pyarrow import compute

    return compute.all(compute.equal(one, other)).as_py() is not False


def _of_moments(column: Any, kind: Any) -> Any:
    from pyarrow import types

    held = column.type
    if types.is_timestamp(held):
        if not types.is_timestamp(kind) or (held.tz is None) != (kind.tz is None):
            return None
        return column.cast(kind)
    same = types.is_date if types.is_date(held) else types.is_time
    return column.cast(kind) if same(held) and same(kind) else None
