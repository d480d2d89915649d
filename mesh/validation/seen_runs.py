"""Digests on the temporary disk, sorted, and in memory a filter that knows most others to be new.

Digests are as good as random, so that the upper half of one says where in a sorted run, and in its
filter, it must stand. Files are read in pages, never mapped: what is looked up is held for as long
as it is looked at, and not as long as the system likes to keep it.

Records are arrays of `uint64` in the shape (count, 3): upper half, lower half, row.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.uint64]

_RECORD = 3 * 8
_PAGE = 64
"""Records that are read at once at the least."""
_PAGES = 1 << 12
"""Pages that are looked at together: 6 MiB."""
_SLICE = 1 << 16
"""Records that are sorted at once when runs become one."""
_FILTER_BITS = ((1 << 20, 24), (1 << 23, 10), (1 << 64, 6))
"""Bits of a filter per digest, for runs of up to so many: one in 1,000, 80 or 18 new ones is looked
up in the file."""
_PROBES = 4
_SPACE = 1 << 64


class Filter:
    """A Bloom filter in words of 64 bits: knows most digests that it has not been given.

    Args:
        count: How many digests it is made for.
        bits: For each of them.
    """

    def __init__(self, count: int, bits: int) -> None:
        import numpy as np

        words = max(count * bits // 64, 2)
        self._width = np.uint64(_SPACE // words + 1)
        self._words = np.zeros(words, np.uint64)

    def add(self, highs: Numbers, masks: Numbers) -> None:
        """Take digests: their upper halves, and `masks_of` their lower halves."""
        words = self._words_of(highs)
        while len(words):  # of digests that share a word, one is written at a time
            self._words[words] |= masks
            left = (self._words[words] & masks) != masks
            words, masks = words[left], masks[left]

    def add_sorted(self, highs: Numbers, masks: Numbers) -> None:
        """The same for sorted upper halves, at least one: many may share a word."""
        import numpy as np

        words = self._words_of(highs)
        firsts = np.concatenate(([0], np.flatnonzero(words[1:] != words[:-1]) + 1))
        self._words[words[firsts]] |= np.bitwise_or.reduceat(masks, firsts)

    def may_have(self, highs: Numbers, masks: Numbers) -> NDArray[np.bool_]:
        """Of each digest whether it may be here; what is here always may."""
        found: NDArray[np.bool_] = (self._words[self._words_of(highs)] & masks) == masks
        return found

    def _words_of(self, highs: Numbers) -> NDArray[np.int64]:
        """Where to look; numpy takes signed places thrice as fast."""
        import numpy as np

        return (highs // self._width).view(np.int64)


def masks_of(lows: Numbers) -> Numbers:
    """Some bits of a word, chosen by the lower half of each digest."""
    import numpy as np

    one, six, last = np.uint64(1), np.uint64(6), np.uint64(63)
    masks = one << (lows & last)
    for _ in range(1, _PROBES):
        lows = lows >> six
        masks |= one << (lows & last)
    return masks


class RunOnDisk:
    """Sorted digests in a temporary file, and a filter of them.

    Attributes:
        filter: Of these digests.
        close: Deletes the file; that this object is gone does so, too.
    """

    def __init__(self, slices: Iterator[Numbers], count: int) -> None:
        """Take records, of which there are `count`, in slices: each sorted, and after the last."""
        import numpy as np

        self.filter = Filter(count, next(bits for most, bits in _FILTER_BITS if count <= most))
        fences: list[Numbers] = []
        self._count = 0
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below, in the end
        self.close = weakref.finalize(self, self._file.close)
        for records in slices:
            self._write(records)
            fences.append(records[-self._count % _PAGE :: _PAGE, 0].copy())
            self.filter.add_sorted(records[:, 0], masks_of(records[:, 1]))
            self._count += len(records)
        self._fences = np.concatenate(fences)

    def __len__(self) -> int:
        return self._count

    def _write(self, records: Numbers) -> None:
        left = records.data.cast("B")
        while left:
            left = left[self._file.write(left) :]

    def near(self, highs: Numbers, masks: Numbers) -> Iterator[Numbers]:
        """The records here that have the upper half of one of those digests."""
        import numpy as np

        asked = highs[self.filter.may_have(highs, masks)]
        if not len(asked):
            return
        # A digest that is the first of a page may also be the last one of the page before it.
        sides = [np.searchsorted(self._fences, asked, side) for side in ("left", "right")]
        first, last = (np.maximum(places, 1) - 1 for places in sides)
        asked = np.concatenate((asked, asked[first < last]))
        pages = np.concatenate((first, last[first < last]))
        for start in range(0, len(pages), _PAGES):
            here = slice(start, start + _PAGES)
            read = self._read(pages[here].tolist())
            yield read[read[:, :, 0] == asked[here, None]]

    def _read(self, pages: Sequence[int]) -> Numbers:
        """Whole pages; what is beyond the last record repeats a record before it."""
        import numpy as np

        read = np.empty((len(pages), _PAGE, 3), np.uint64)
        for number, page in enumerate(pages):
            got = self._read_into(read[number], page * _PAGE)
            if got < _PAGE:
                read[number, got:] = read[number, 0]
        return read

    def _read_into(self, records: Numbers, start: int) -> int:
        """Fill an array with records from one on; how many there were."""
        self._file.seek(start * _RECORD)
        view, got = records.data.cast("B"), 0
        while got < len(view) and (more := self._file.readinto(view[got:])):
            got += more
        return got // _RECORD

    def records(self, start: int, stop: int) -> Numbers:
        """Some of the records, by their number."""
        import numpy as np

        read = np.empty((min(stop, self._count) - start, 3), np.uint64)
        self._read_into(read, start)
        return read

    def numbers(self, bounds: Sequence[int]) -> list[int]:
        """Of each upper half, the number of the first record that does not lie before it."""
        import numpy as np

        found = []
        for bound in bounds:
            if bound >= _SPACE:
                found.append(self._count)
                continue
            high = np.uint64(bound)
            page = max(int(np.searchsorted(self._fences, high)) - 1, 0) * _PAGE
            found.append(page + int(np.searchsorted(self.records(page, page + _PAGE)[:, 0], high)))
        return found

    def forget_filter(self) -> None:
        """Nothing is looked up here any more; the records can still be read."""
        del self.filter


def one_of(runs: Sequence[RunOnDisk]) -> RunOnDisk:
    """One run of several, which are closed; in memory that does not grow with them."""
    for run in runs:
        run.forget_filter()
    count = sum(map(len, runs))
    made = RunOnDisk(_merged(runs, count), count)
    for run in runs:
        run.close()
    return made


def _merged(runs: Sequence[RunOnDisk], count: int) -> Iterator[Numbers]:
    import numpy as np

    slices = count // _SLICE + 1
    bounds = [_SPACE * number // slices for number in range(slices + 1)]
    numbers = [run.numbers(bounds) for run in runs]
    for start, stop in pairwise(range(slices + 1)):
        parts = [
            run.records(places[start], places[stop])
            for run, places in zip(runs, numbers, strict=True)
        ]
        yield from in_order(np.concatenate(parts))


def in_order(records: Numbers) -> Iterator[Numbers]:
    """The same records, sorted by their upper halves, in slices."""
    import numpy as np

    order = np.argsort(records[:, 0])
    for start in range(0, len(order), _SLICE):
        some = order[start : start + _SLICE]
        yield np.stack([records[:, place][some] for place in range(3)], axis=1)
