"""Many keys in little memory: 128 bits of each, and the row that had it first.

Digests come from polars' hash with random seeds, so that nobody can aim at them: two keys of a file
of a hundred million are taken for one with a probability of 10⁻²². A million stand in memory; each
million more goes to a temporary file, sorted, and of it a filter of two megabytes stays that knows
most new keys to be new.
"""

from __future__ import annotations

import mmap
import secrets
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

SPILLED = 1 << 20
_FILTER_BITS = 16
_PROBES = 3
_REPEATED = 1 << 16
"""Keys that were repeated and are looked up first: most of them will be again."""
_COLUMNS = ("high", "low", "row")


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
            for t, o, name in zip(text, other, _COLUMNS, strict=False)
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

    def __init__(self, spilled: int = SPILLED) -> None:
        self.seeds = DigestSeeds()
        self._spilled = spilled
        self._begin()
        self._files: list[_RunOnDisk] = []
        self._repeated: pl.DataFrame | None = None

    def _begin(self) -> None:
        self._new: set[int] = set()
        self._blocks: list[pl.DataFrame] = []
        self._count = 0

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
        self._keep(new.select(_COLUMNS))
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

        masked = asked.with_columns(mask=_mask())
        blocks = [pl.concat(self._blocks)] if self._blocks else []
        runs = [*blocks, *(file.near(masked) for file in self._files)]
        known = [_matches(run, asked) for run in runs if len(run)]
        return pl.concat(known) if known else asked.clear().with_columns(first=pl.col("row"))

    def _take(self, digests: pl.DataFrame) -> bool:
        """Add digests if all are new and differ in their upper halves; False if perhaps not."""
        known = len(self._new)
        # What is here by its upper half alone would be added in any case.
        self._new.update(digests["high"].to_list())
        if len(self._new) - known < len(digests):
            return False
        if self._files:
            masked = digests.with_columns(mask=_mask())
            if any(len(file.near(masked)) for file in self._files):
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
            self._files.append(_RunOnDisk(pl.concat(blocks).sort("high")))


def _matches(run: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    few = asked.filter(pl.col("high").is_in(run["high"].implode()))
    first = run.select("high", "low", first="row")
    return few.join(first, on=["high", "low"], how="inner").select(*_COLUMNS, "first")


class _RunOnDisk:
    """Sorted digests in a temporary file, which is gone with this object, and a filter of them."""

    def __init__(self, run: pl.DataFrame) -> None:
        import polars as pl
        import pyarrow as pa

        size = 8 * len(run)
        with tempfile.TemporaryFile() as file:
            for name in _COLUMNS:
                file.write(run[name].rechunk().to_arrow().buffers()[1][:size])
            file.flush()
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # keeps it open
        pages = pa.py_buffer(self._pages)
        columns: dict[str, Any] = {}
        for place, name in enumerate(_COLUMNS):
            buffer = pages.slice(size * place, size)
            columns[name] = pl.from_arrow(
                pa.Array.from_buffers(pa.uint64(), len(run), [None, buffer])
            )
        self._run = pl.DataFrame(columns)
        self._words = max(len(run) * _FILTER_BITS // 64, 1)
        bits = run.select(word=self._word(), mask=_mask()).group_by("word")
        filled = bits.agg(pl.col("mask").bitwise_or())
        nothing = pl.zeros(self._words, dtype=pl.UInt64, eager=True)
        self._filter = nothing.scatter(filled["word"], filled["mask"])

    def near(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The digests here that have the upper half of one of those, with a `mask`."""
        import polars as pl

        words = pl.lit(self._filter).gather(self._word())
        perhaps = asked.filter((words & pl.col("mask")) == pl.col("mask"))["high"]
        if perhaps.is_empty():
            return self._run.clear()
        try:
            return self._found(perhaps)
        finally:
            if hasattr(mmap, "MADV_DONTNEED"):  # the system keeps them, this process need not
                self._pages.madvise(mmap.MADV_DONTNEED)

    def _found(self, perhaps: pl.Series) -> pl.DataFrame:
        import polars as pl

        at = self._run["high"].search_sorted(perhaps, side="left")
        upto = self._run["high"].search_sorted(perhaps, side="right")
        ranges = pl.DataFrame({"at": at, "upto": upto}).filter(pl.col("at") < pl.col("upto"))
        if ranges.is_empty():
            return self._run.clear()
        places = ranges.select(pl.int_ranges("at", "upto").explode()).to_series()
        return self._run[places.unique()]

    def _word(self) -> pl.Expr:
        import polars as pl

        return (pl.col("low") % self._words).cast(pl.UInt32)


def _mask() -> pl.Expr:
    """Some bits of a word, chosen by a digest."""
    import polars as pl

    bits = pl.lit(pl.Series([1 << bit for bit in range(64)], dtype=pl.UInt64))
    high = pl.col("low") // 0x1_0000_0000
    chosen = [bits.gather((high // 64**probe % 64).cast(pl.UInt32)) for probe in range(_PROBES)]
    return chosen[0] | chosen[1] | chosen[2]


def _seed() -> int:
    return secrets.randbits(63)
