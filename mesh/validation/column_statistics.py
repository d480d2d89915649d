"""Nulls, extremes and distinct values of a column that goes by in batches."""

from __future__ import annotations

from typing import Any

MOST_DISTINCT = 1000
_TEXT = 256
_REPEATED = 4
_FIRST = 1 << 13
"""Values that mostly tell whether a column has more distinct ones than are counted."""


class ColumnStatistics:
    """What a manifest tells of one column; of a sensitive one only how many nulls it has.

    Args:
        dated: Whether the newest value is wanted, even of a sensitive column.
    """

    def __init__(self, *, sensitive: bool, dated: bool = False) -> None:
        self._nulls = 0
        self._type: Any = None
        self._bounds: tuple[Any, Any] | None = None
        self._distinct: set[Any] | None = None if sensitive else set()
        self._is_told = not sensitive
        self._is_dated = dated

    def add(self, array: Any) -> None:
        """One batch."""
        from pyarrow import compute, types

        self._nulls += array.null_count
        kind = array.type
        changed = self._type is not None and types.is_string(self._type) != types.is_string(kind)
        self._is_told = self._is_told and not types.is_nested(kind) and not changed
        self._is_dated = self._is_dated and not changed
        self._type = kind
        if not (self._is_told or self._is_dated) or array.null_count == len(array):
            return
        plain = array.cast(_counted(kind)) if types.is_temporal(kind) else array
        if self._distinct is not None:
            self._count(compute.unique(plain.slice(0, _FIRST)))
        if self._distinct is not None and len(plain) > _FIRST:
            self._count(compute.unique(plain.slice(_FIRST)))
        if self._distinct is None:
            found = compute.min_max(plain).as_py()
            self._reach(found["min"], found["max"])

    def _count(self, values: Any) -> None:
        assert self._distinct is not None
        if len(values) <= MOST_DISTINCT + 1:
            self._distinct.update(value for value in values.to_pylist() if value is not None)
        if len(values) > MOST_DISTINCT + 1 or len(self._distinct) > MOST_DISTINCT:
            if self._distinct:
                self._reach(min(self._distinct), max(self._distinct))
            self._distinct = None

    def _reach(self, least: Any, most: Any) -> None:
        """Widen the bounds; as long as all distinct values are known, they tell."""
        if self._bounds is not None:
            least, most = min(least, self._bounds[0]), max(most, self._bounds[1])
        self._bounds = least, most

    def summary(self) -> dict[str, Any]:
        """`nulls`, `minimum`, `maximum`, `distinct` and `newest`."""
        known, bounds = self._distinct, self._bounds
        if known and not isinstance(next(iter(known)), bool):
            bounds = min(known), max(known)
        least, most = bounds if self._is_told and bounds else (None, None)
        return {
            "nulls": self._nulls,
            "minimum": _shown(least, self._type),
            "maximum": _shown(most, self._type),
            "distinct": len(known) if self._is_told and known is not None else None,
            "newest": bounds[1] if self._is_dated and bounds else None,
        }


def _counted(kind: Any) -> Any:
    """The integers in which a moment is counted; not every one is a moment to Python."""
    import pyarrow as pa

    return pa.int32() if pa.types.is_date(kind) else pa.int64()


def _shown(value: Any, kind: Any) -> str | None:
    """A bound as text; a long one would be no bound when cut, and is left out."""
    if value is None:
        return None
    import pyarrow as pa

    if pa.types.is_temporal(kind):
        text = pa.scalar(value, _counted(kind)).cast(kind).cast(pa.string()).as_py()
    else:
        text = str(value)
    return text if len(text) <= _TEXT else None


def repetitive(table: Any) -> list[str] | bool:
    """The columns whose values are worth a dictionary; True where their parts cannot be named.

    A dictionary of values that hardly repeat costs time and space, until the writer gives it up.
    """
    from pyarrow import compute, types

    if any(map(types.is_nested, table.schema.types)):
        return True
    some = table.slice(0, _FIRST)
    most = some.num_rows // _REPEATED
    names: list[str] = table.schema.names
    return [name for name in names if compute.count_distinct(some.column(name)).as_py() <= most]
