"""Digests on the temporary disk, sorted, and in memory a filter that knows most others to be new.

Digests are as good as random, so that the upper half of one says where in a sorted run, and in its
filter, it must stand. Files are read in pages, never mapped: what is looked up is held for as long
as it is looked at, and not as long as the system likes to keep it.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from bisect import bisect, bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("high", "low", "row")
_RECORD = 8 * len(COLUMNS)
_PAGE = 64
"""Records that are read at once at the least."""
_PAGES = 1 << 12
"""Pages that are looked at together: 6 MiB."""
_SLICE = 1 << 17
"""Records that are sorted at once when runs become one."""
_FILTER_BITS = 12
_PROBES = 4
_SPACE = 1 << 64


class RunOnDisk:
    """Sorted digests in a temporary file, and a filter of them.

    Attributes:
        close: Deletes the file; that this object is gone does so, too.
    """

    def __init__(self, slices: Iterator[pl.DataFrame], count: int) -> None:
        """Take digests, of which there are `count`, in slices: each sorted, and after the last."""
        self._words = _words(count)
        self._filter = array("Q", bytes(8 * self._words))
        self._fences = array("Q")
        self._count = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in the next line, in the end
        self.close = weakref.finalize(self, self._file.close)
        for records in slices:
            self._add(records)
        self._probed = _series(self._filter)

    def __len__(self) -> int:
        return self._count

    def near(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The digests here that have the upper half of one of those, with a `mask`."""
        import polars as pl

        words = pl.lit(self._probed).gather(_word(self._words))
        perhaps = asked.filter((words & pl.col("mask")) == pl.col("mask"))["high"]
        found = list(self._found(perhaps)) if len(perhaps) else []
        return pl.concat(found) if found else asked.select(COLUMNS).clear()

    def _found(self, perhaps: pl.Series) -> Iterator[pl.DataFrame]:
        import polars as pl

        fences = self._fences
        # A digest that is the first of a page may also be the last one of the page before it.
        places = {find(fences, at) for at in perhaps.to_list() for find in (bisect_left, bisect)}
        pages = sorted({max(place - 1, 0) for place in places})
        for start in range(0, len(pages), _PAGES):
            some = pages[start : start + _PAGES]
            read = self._records((page * _PAGE, (page + 1) * _PAGE) for page in some)
            yield read.filter(pl.col("high").is_in(perhaps.implode()))

    def records(self, start: int, stop: int) -> pl.DataFrame:
        """Some of the digests, by their number."""
        return self._records([(start, stop)])

    def _records(self, ranges: Iterable[tuple[int, int]]) -> pl.DataFrame:
        import polars as pl

        data, file = array("Q"), self._file.fileno()
        for start, stop in ranges:
            size = (min(stop, self._count) - start) * _RECORD
            data.frombytes(os.pread(file, size, start * _RECORD))
        flat = _series(data)
        return pl.DataFrame(
            {name: flat.gather_every(len(COLUMNS), place) for place, name in enumerate(COLUMNS)}
        )

    def numbers(self, bounds: Sequence[int]) -> list[int]:
        """Of each upper half, the number of the first digest that does not lie before it."""
        found = []
        for bound in bounds:
            page = max(bisect_left(self._fences, bound) - 1, 0) * _PAGE
            highs = self.records(page, page + _PAGE)["high"]
            found.append(page + int(highs.search_sorted(bound)) if bound < _SPACE else self._count)
        return found

    def forget_filter(self) -> None:
        """Nothing is looked up here any more; the digests can still be read."""
        del self._filter, self._probed

    def _add(self, records: pl.DataFrame) -> None:
        import polars as pl

        flat = records.select(pl.concat_arr(COLUMNS).arr.explode()).to_series()
        self._file.write(_bytes(flat))
        self._file.flush()
        highs = records["high"]
        self._fences.frombytes(_bytes(highs.gather_every(_PAGE, -self._count % _PAGE)))
        self._count += len(records)
        words = records.select(word=_word(self._words).set_sorted(), mask=mask())
        filled = words.group_by("word", maintain_order=True).agg(pl.col("mask").bitwise_or())
        if filled.is_empty():
            return
        first, last = int(filled["word"][0]), int(filled["word"][-1])
        old = _series(self._filter[first : last + 1])
        at = filled["word"] - first
        new = old.scatter(at, filled["mask"] | old.gather(at))
        memoryview(self._filter).cast("B")[8 * first : 8 * (last + 1)] = _bytes(new)


def one_of(runs: Sequence[RunOnDisk]) -> RunOnDisk:
    """One run of several, which are closed; in memory that does not grow with them."""
    for run in runs:
        run.forget_filter()
    count = sum(map(len, runs))
    made = RunOnDisk(_merged(runs, count), count)
    for run in runs:
        run.close()
    return made


def _merged(runs: Sequence[RunOnDisk], count: int) -> Iterator[pl.DataFrame]:
    import polars as pl

    slices = count // _SLICE + 1
    bounds = [_SPACE * number // slices for number in range(slices + 1)]
    numbers = [run.numbers(bounds) for run in runs]
    for start, stop in pairwise(range(slices + 1)):
        parts = [
            run.records(places[start], places[stop])
            for run, places in zip(runs, numbers, strict=True)
        ]
        yield pl.concat(parts).sort("high")


def mask() -> pl.Expr:
    """Some bits of a word, chosen by a digest."""
    import polars as pl

    bits = pl.lit(pl.Series([1 << bit for bit in range(64)], dtype=pl.UInt64))
    chosen = [
        bits.gather((pl.col("low") // 64**probe % 64).cast(pl.UInt32)) for probe in range(_PROBES)
    ]
    return chosen[0] | chosen[1] | chosen[2] | chosen[3]


def _words(count: int) -> int:
    return max(count * _FILTER_BITS // 64, 2)


def _word(words: int) -> pl.Expr:
    """Which word of a filter is asked: in the order of digests, so that it is filled in order."""
    import polars as pl

    return (pl.col("high") // pl.lit(_SPACE // words + 1, pl.UInt64)).cast(pl.UInt32)


def _series(numbers: array[int]) -> pl.Series:
    """The same memory, seen by polars."""
    import polars as pl
    import pyarrow as pa

    buffers = [None, pa.py_buffer(numbers)]
    made = pl.from_arrow(pa.Array.from_buffers(pa.uint64(), len(numbers), buffers))
    assert isinstance(made, pl.Series)
    return made


def _bytes(numbers: pl.Series) -> memoryview:
    """Its memory: unsigned integers of 64 bits, without nulls."""
    whole = numbers.rechunk().to_arrow()
    return memoryview(whole.buffers()[1]).cast("B")[
        8 * whole.offset : 8 * (whole.offset + len(whole))
    ]
