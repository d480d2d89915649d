"""Many keys in little memory: 128 bits of each, and the row that had it first.

Digests come from polars' hash with random seeds, so that nobody can aim at them: two keys of a file
of a hundred million are taken for one with a probability of 10⁻²². Some stand in memory; more
go to a temporary file, sorted. A filter knows most new keys to be new: of 64 bits a key while they
are in memory, of 12 on disk. Eight files become one, so that there are few to look at.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mesh.validation.seen_runs import COLUMNS, Filter, RunOnDisk, in_order, masks_of, one_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_MERGED = 8
_FILTER_BITS = 64
_REPEATED = 1 << 16
"""Keys that were repeated and are looked up first: most of them will be again."""


class DigestSeeds:
    """What turns the keys of one file into digests."""

    def __init__(self) -> None:
        self.text, self.other = ((_seed(), _seed()), (_seed(), _seed()))

    def digests(self, keys: Sequence[bytes], rows: Sequence[int]) -> pl.DataFrame:
        """The digests of canonical keys (see `mesh.validation.keys`), with their rows."""
        import polars as pl

        frame = pl.DataFrame(
            {"key": keys, "row": rows}, schema={"key": pl.Binary, "row": pl.UInt64}
        )
        is_text = pl.col("key").bin.starts_with(b"s")
        text = self.of(pl.col("key").bin.slice(1), self.text)
        other = self.of(pl.col("key"), self.other)
        chosen = [
            pl.when(is_text).then(t).otherwise(o).alias(name)
            for t, o, name in zip(text, other, COLUMNS, strict=False)
        ]
        return frame.select(*chosen, "row")

    @staticmethod
    def of(cell: pl.Expr, seeds: tuple[int, int]) -> tuple[pl.Expr, pl.Expr]:
        """Both halves of the digests of some cells, as binaries."""
        return cell.hash(seeds[0]), cell.hash(seeds[1])


class SeenDigests:
    """A map from digests to the rows that had them first.

    Args:
        spilled: How many digests stand in memory before they go to disk.
    """

    def __init__(self, spilled: int) -> None:
        self.seeds = DigestSeeds()
        self._spilled = spilled
        self._begin()
        self._tiers: list[list[RunOnDisk]] = []
        self._repeated: dict[tuple[int, int], int] = {}

    def _begin(self) -> None:
        self._filter: Filter | None = None
        self._blocks: list[pl.DataFrame] = []
        self._count = 0

    @property
    def runs(self) -> int:
        """How many files there are to look at."""
        return len(self._files())

    def rows(self, keys: Sequence[bytes]) -> list[int | None]:
        """The first rows of canonical keys; None for each that is new. Nothing is added."""
        asked = self.seeds.digests(keys, range(len(keys)))
        known = self._known(asked)
        return [known.get((high, low)) for high, low, _ in asked.iter_rows()]

    def take(self, keys: Sequence[bytes], rows: Sequence[int]) -> None:
        """Add canonical keys that are new and differ from each other."""
        self._keep(self.seeds.digests(keys, rows))

    def first_rows(self, digests: pl.DataFrame) -> dict[int, int]:
        """Add digests (`high`, `low`, `row`, in the order of rows), those that are not here yet.

        Returns:
            For the row of each that was here already, or stands here twice, the row that had it
            first.
        """
        import polars as pl

        digests = digests.select(COLUMNS)
        perhaps = pl.Series(self._may_have(digests))
        if digests["high"].n_unique() < len(digests):
            perhaps |= digests["high"].is_duplicated()
        if not perhaps.any():
            self._keep(digests)
            return {}
        told: dict[int, int] = {}
        again: list[int] = []
        asked = digests.filter(perhaps)
        first = self._firsts(asked)
        for high, low, row in asked.iter_rows():
            had = first.setdefault((high, low), row)
            if had != row:
                told[row] = had
                again.append(row)
                if len(self._repeated) < _REPEATED:
                    self._repeated[high, low] = had
        self._keep(digests.filter(~pl.col("row").is_in(again)))
        return told

    def _firsts(self, asked: pl.DataFrame) -> dict[tuple[int, int], int]:
        """The first rows of digests that are here."""
        import polars as pl

        if not self._repeated:
            return self._known(asked)
        known = [(high, low) in self._repeated for high, low, _ in asked.iter_rows()]
        rest = self._known(asked.filter(~pl.Series(known, dtype=pl.Boolean)))
        told = asked.filter(pl.Series(known, dtype=pl.Boolean)).iter_rows()
        return rest | {(high, low): self._repeated[high, low] for high, low, _ in told}

    def _known(self, asked: pl.DataFrame) -> dict[tuple[int, int], int]:
        """The first rows of those digests that have the upper half of one of these."""
        import polars as pl

        if asked.is_empty():
            return {}
        highs, masks = _halves(asked)
        found = {}
        if self._blocks:
            held = pl.concat(self._blocks, rechunk=False)
            near = held.filter(pl.col("high").is_in(asked["high"].implode()))
            found = {(high, low): row for high, low, row in near.iter_rows()}
        for file in self._files():
            for records in file.near(highs, masks):
                found |= {(high, low): row for high, low, row in records.tolist()}
        return found

    def _may_have(self, digests: pl.DataFrame) -> NDArray[np.bool_]:
        """Of each digest whether it may be here."""
        import numpy as np

        highs, masks = _halves(digests)
        perhaps = np.zeros(len(digests), np.bool_)
        for each in self._filters():
            perhaps |= each.may_have(highs, masks)
        return perhaps

    def _keep(self, digests: pl.DataFrame) -> None:
        import polars as pl

        if self._filter is None:
            self._filter = Filter(self._spilled, _FILTER_BITS)
        self._filter.add(*_halves(digests))
        self._blocks.append(digests)
        self._count += len(digests)
        if self._count >= self._spilled:
            blocks = self._blocks
            self._begin()  # first, for both would be much at once
            records = pl.concat(blocks).to_numpy(order="c")
            blocks.clear()
            self._spill(in_order(records))

    def _filters(self) -> Iterator[Filter]:
        if self._filter:
            yield self._filter
        yield from (file.filter for file in self._files())

    def _files(self) -> list[RunOnDisk]:
        return [run for tier in self._tiers for run in tier]

    def _spill(self, records: NDArray[np.uint64]) -> None:
        made = RunOnDisk(iter([records]), len(records))
        for tier in self._tiers:
            tier.append(made)
            if len(tier) < _MERGED:
                return
            made = one_of(tier)
            tier.clear()
        self._tiers.append([made])


def _halves(digests: pl.DataFrame) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The upper halves, and masks of the lower ones."""
    return digests["high"].to_numpy(), masks_of(digests["low"].to_numpy())


def _seed() -> int:
    return secrets.randbits(63)
