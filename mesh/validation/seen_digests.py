"""Many keys in little memory: 128 bits of each, and the row that had it first.

Digests come from polars' hash with random seeds, so that nobody can aim at them: two keys of a file
of a hundred million are taken for one with a probability of 10⁻²². Some stand in memory; more
go to a temporary file, sorted, and of each key 12 bits stay in a filter that knows most new keys to
be new. Eight files become one, so that there are few to look at.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesh.validation.seen_runs import COLUMNS, RunOnDisk, mask, one_of

if TYPE_CHECKING:
    import polars as pl

_MERGED = 8
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
        self._repeated: pl.DataFrame | None = None

    def _begin(self) -> None:
        self._new: set[int] = set()
        self._blocks: list[pl.DataFrame] = []
        self._count = 0

    @property
    def runs(self) -> int:
        """How many files there are to look at."""
        return len(self._files())

    def rows(self, keys: Sequence[bytes]) -> list[int | None]:
        """The first rows of canonical keys; None for each that is new. Nothing is added."""
        found: list[int | None] = [None] * len(keys)
        asked = self.seeds.digests(keys, range(len(keys)))
        for at, row in self._known(asked).select("row", "first").iter_rows():
            found[at] = row
        return found

    def take(self, keys: Sequence[bytes], rows: Sequence[int]) -> None:
        """Add canonical keys that are new and differ from each other."""
        taken = self.seeds.digests(keys, rows)
        self._new.update(taken["high"].to_list())
        self._keep(taken)

    def first_rows(self, digests: pl.DataFrame) -> dict[int, int]:
        """Add digests (`high`, `low`, `row`, in the order of rows), those that are not here yet.

        Returns:
            For the row of each that was here already, or stands here twice, the row that had it
            first.
        """
        import polars as pl

        told, rest = self._told_again(digests)
        if self._take(rest):
            return told
        known = self._known(rest).select("high", "low", "first")
        asked = rest.join(
            known.unique(["high", "low"]), on=["high", "low"], how="left", maintain_order="left"
        ).with_columns(here=pl.col("row").min().over("high", "low"))
        found = asked.with_columns(told=pl.coalesce("first", "here")).filter(
            pl.col("told") != pl.col("row")
        )
        new = asked.filter(pl.col("first").is_null(), pl.col("here") == pl.col("row"))
        self._keep(new.select(COLUMNS))
        more = found.select("high", "low", first="told").unique(["high", "low"])
        if self._repeated is None:
            self._repeated = more
        elif len(self._repeated) < _REPEATED:
            self._repeated = pl.concat([self._repeated, more])
        return told | dict(found.select("row", "told").iter_rows())

    def _told_again(self, digests: pl.DataFrame) -> tuple[dict[int, int], pl.DataFrame]:
        """What is known of digests that were repeated before, and the other digests."""
        import polars as pl

        if self._repeated is None:
            return {}, digests
        again = digests.filter(pl.col("high").is_in(self._repeated["high"].implode()))
        if again.is_empty():
            return {}, digests
        hits = again.join(self._repeated, on=["high", "low"], how="inner")
        rest = digests.filter(~pl.col("row").is_in(hits["row"].implode()))
        return dict(hits.select("row", "first").iter_rows()), rest

    def _known(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Those of the digests that are here, with the first row of each as `first`."""
        import polars as pl

        masked = asked.with_columns(mask=mask())
        blocks = [pl.concat(self._blocks)] if self._blocks else []
        runs = [*blocks, *(file.near(masked) for file in self._files())]
        known = [_matches(run, asked) for run in runs if len(run)]
        return pl.concat(known) if known else asked.clear().with_columns(first=pl.col("row"))

    def _take(self, digests: pl.DataFrame) -> bool:
        """Add digests if all are new and differ in their upper halves; False if perhaps not."""
        known = len(self._new)
        # What is here by its upper half alone would be added in any case.
        self._new.update(digests["high"].to_list())
        if len(self._new) - known < len(digests):
            return False
        if self._tiers:
            masked = digests.with_columns(mask=mask())
            if any(len(file.near(masked)) for file in self._files()):
                return False
        self._keep(digests)
        return True

    def _keep(self, digests: pl.DataFrame) -> None:
        import polars as pl

        self._blocks.append(digests)
        self._count += len(digests)
        if self._count >= self._spilled:
            blocks = self._blocks
            self._begin()  # first, for both would be much at once
            self._spill(pl.concat(blocks).sort("high"))

    def _files(self) -> list[RunOnDisk]:
        return [run for tier in self._tiers for run in tier]

    def _spill(self, run: pl.DataFrame) -> None:
        made = RunOnDisk(iter([run]), len(run))
        for tier in self._tiers:
            tier.append(made)
            if len(tier) < _MERGED:
                return
            made = one_of(tier)
            tier.clear()
        self._tiers.append([made])


def _matches(run: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    few = asked.filter(pl.col("high").is_in(run["high"].implode()))
    first = run.select("high", "low", first="row")
    return few.join(first, on=["high", "low"], how="inner").select(*COLUMNS, "first")


def _seed() -> int:
    return secrets.randbits(63)
