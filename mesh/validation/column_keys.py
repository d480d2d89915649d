"""Which rows of a file may share a key with another row: told by hashes, before rows are judged.

Rows with equal keys have equal hashes, so that a row whose hash no other row has need not be
remembered. The others, few in a good file, are looked at exactly, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesh.validation.column_blocks import ColumnBlock, ParquetColumns

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE = 1 << 23
"""Hashes that are compared at once: 64 MiB, and as much again for their order."""
_MOST_REPEATED = 1 << 20


class RepeatedKeys:
    """The hashes of one key that several rows have.

    Args:
        places: Positions of the key's columns.
        columns: The file; its key is read once per eight million rows.
    """

    def __init__(self, places: Sequence[int], columns: ParquetColumns) -> None:
        import polars as pl

        self._places = places
        self._all = False
        self._hashes = pl.Series("", [], pl.UInt64)
        passes = max(-(-columns.rows // _AT_ONCE), 1)
        for number in range(passes):
            parts = [_hashes(frame, places, number, passes) for frame in columns.frames(places)]
            self._hashes = pl.concat([self._hashes, _repeated(parts)])
            if len(self._hashes) > _MOST_REPEATED:
                self._all = True
                break

    def among(self, block: ColumnBlock) -> pl.Series | None:
        """Whether each row may share its key; None where no row does."""
        import polars as pl

        if self._all:
            return pl.repeat(value=True, n=block.rows, eager=True)
        if not len(self._hashes):
            return None
        frame = block.frame(self._places)
        hashes = frame.select(_hash(frame, self._places)).to_series()
        return hashes.is_in(self._hashes.implode()).fill_null(value=False)


def _hash(frame: pl.DataFrame, places: Sequence[int]) -> pl.Expr:
    """The hash of a key; null where a part of it is."""
    import polars as pl

    parts = [_plain(str(place), frame.schema[str(place)]) for place in places]
    mixed = parts[0].hash(seed=0)
    for seed, part in enumerate(parts[1:], start=1):
        mixed = mixed.xor(part.hash(seed=seed))
    whole = pl.all_horizontal([part.is_not_null() for part in parts])
    return pl.when(whole).then(mixed).otherwise(None)


def _plain(name: str, kind: pl.DataType) -> pl.Expr:
    """A column whose equal values are equal bits, whichever way they were read."""
    import polars as pl

    column = pl.col(name)
    if kind.is_float():
        return column + 0.0  # minus zero is zero
    return column.to_physical() if kind.is_temporal() or kind.is_decimal() else column


def _hashes(frame: pl.DataFrame, places: Sequence[int], part: int, parts: int) -> pl.Series:
    hashes = frame.select(_hash(frame, places)).to_series().drop_nulls()
    return hashes if parts == 1 else hashes.filter(hashes % parts == part)


def _repeated(hashes: list[pl.Series]) -> pl.Series:
    """Those that stand there more than once, each once."""
    import polars as pl

    whole = pl.concat(hashes) if hashes else pl.Series("", [], pl.UInt64)
    ordered = whole.sort()
    return ordered.filter((ordered == ordered.shift()).fill_null(value=False)).unique()
