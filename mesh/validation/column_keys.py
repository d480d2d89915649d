"""Which rows of a file have a key that an earlier row has, found a block at a time by digests."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mesh.validation.column_blocks import ColumnBlock
from mesh.validation.seen_digests import SeenDigests
from mesh.validation.seen_runs import masks_of

if TYPE_CHECKING:
    import polars as pl

    from mesh.validation.seen_runs import Numbers

_IN_MEMORY = 1 << 18
"""Digests of all keys that stand in memory: 8 MiB with their filters."""
_FEWEST = 1 << 14


def column_keys(places: Mapping[int, Sequence[int]]) -> list[ColumnKey]:
    """The keys of the rows of a file, given the positions of each one's columns, by its number."""
    spilled = max(_IN_MEMORY // max(len(places), 1), _FEWEST)
    return [ColumnKey(number, each, spilled) for number, each in places.items()]


class ColumnKey:
    """One key of the rows of a file.

    Args:
        number: Of the key, in the plan.
        places: Positions of its columns.
        spilled: How many digests stand in memory before they go to disk.

    Attributes:
        number: The same.
    """

    def __init__(self, number: int, places: Sequence[int], spilled: int) -> None:
        self.number, self._places = number, places
        self._seen = SeenDigests(spilled)

    def digests(self, block: ColumnBlock) -> tuple[Numbers, Numbers]:
        """The digests of the rows that have the key, and their positions in the block."""
        import numpy as np
        import polars as pl

        frame = block.frame(self._places)
        parts = [_plain(str(place), frame.schema[str(place)]) for place in self._places]
        whole = frame.select(pl.all_horizontal([part.is_not_null() for part in parts])).to_series()
        if not whole.all():
            frame = frame.filter(whole)
        high, low = self._seen.seeds.text
        made = frame.select(high=_mixed(parts, high), low=_mixed(parts, low))
        halves = [made[name].to_numpy() for name in ("high", "low")]
        positions = np.flatnonzero(whole.to_numpy()).astype(np.uint64)
        return np.stack((*halves, masks_of(halves[1]))), positions

    def first_rows(self, digests: Numbers, positions: Numbers, row: int) -> dict[int, int]:
        """Of each position whose key an earlier row has, that row.

        Args:
            digests: See `digests`.
            positions: See `digests`.
            row: The one at position 0.
        """
        import numpy as np

        told = self._seen.first_rows(digests, positions + np.uint64(row))
        return {repeated - row: first for repeated, first in told.items()}


def _mixed(parts: Sequence[pl.Expr], seed: int) -> pl.Expr:
    """One hash of several columns, which do not change places."""
    hashes = (part.hash(seed + place) for place, part in enumerate(parts))
    return functools.reduce(operator.xor, hashes)


def _plain(name: str, kind: pl.DataType) -> pl.Expr:
    """A column whose equal values are equal bits, whichever way they were read."""
    import polars as pl

    column = pl.col(name)
    if kind.is_float():
        return column + 0.0  # minus zero is zero
    return column.to_physical() if kind.is_temporal() or kind.is_decimal() else column
