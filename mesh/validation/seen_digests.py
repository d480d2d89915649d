"""Many keys in little memory: 128 bits of each, and the row that had it first.

Digests come from polars' hash with random seeds, so that nobody can aim at them: two keys of a file
of a hundred million are taken for one with a probability of 10⁻²². Some stand in memory; more
go to a temporary file, sorted. A filter knows most new keys to be new: of 64 bits a key while they
are in memory, of 24 or less on disk. Eight files become one, so that there are few to look at.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from mesh.validation.seen_runs import Filter, RunOnDisk, in_order, masks_of, one_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from mesh.validation.seen_runs import Numbers

_MERGED = 8
_FILTER_BITS = 64
_FEW = 16
_REPEATED = 1 << 16
"""Keys that were repeated and are looked up first: most of them will be again."""


class DigestSeeds:
    """What turns the keys of one file into digests."""

    def __init__(self) -> None:
        self.text, self.other = ((_seed(), _seed()), (_seed(), _seed()))

    def digests(self, keys: Sequence[bytes]) -> Numbers:
        """The digests of canonical keys (see `mesh.validation.keys`)."""
        import numpy as np
        import polars as pl

        made = np.empty((3, len(keys)), np.uint64)
        is_text = np.array([key.startswith(b"s") for key in keys], np.bool_)
        for some, seeds in ((is_text, self.text), (~is_text, self.other)):
            if some.any():
                of_text = seeds is self.text
                cells = [key[of_text:] for key in compress(keys, some)]
                frame = pl.DataFrame({"cell": cells}, schema={"cell": pl.Binary})
                made[:, some] = self.of(frame, pl.col("cell"), seeds)
        return made

    @staticmethod
    def of(frame: pl.DataFrame, cell: pl.Expr, seeds: tuple[int, int]) -> Numbers:
        """The digests of some cells, as binaries: upper halves, lower halves, and their masks."""
        import numpy as np

        halves = frame.select(high=cell.hash(seeds[0]), low=cell.hash(seeds[1]))
        high, low = (halves[name].to_numpy() for name in ("high", "low"))
        return np.stack((high, low, masks_of(low)))


class SeenDigests:
    """A map from digests to the rows that had them first.

    Digests are columns of `uint64` in the shape (3, count), as `DigestSeeds` makes them.

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
        self._records: Numbers | None = None
        self._count = 0

    @property
    def runs(self) -> int:
        """How many files there are to look at."""
        return len(self._files())

    def rows(self, keys: Sequence[bytes]) -> list[int | None]:
        """The first rows of canonical keys; None for each that is new. Nothing is added."""
        asked = self.seeds.digests(keys)
        known = self._known(asked)
        return [known.get(pair) for pair in _pairs(asked)]

    def take(self, keys: Sequence[bytes], rows: Sequence[int]) -> None:
        """Add canonical keys that are new and differ from each other."""
        import numpy as np

        self._keep(self.seeds.digests(keys), np.array(rows, np.uint64))

    def first_rows(self, digests: Numbers, rows: Numbers) -> dict[int, int]:
        """Add digests of some rows, in their order, those that are not here yet.

        Returns:
            For the row of each that was here already, or stands here twice, the row that had it
            first.
        """
        perhaps = self._perhaps(digests)
        if not perhaps.any():
            self._keep(digests, rows)
            return {}
        told: dict[int, int] = {}
        asked, numbers = digests[:, perhaps], rows[perhaps].tolist()
        first = self._firsts(asked)
        for pair, row in zip(_pairs(asked), numbers, strict=True):
            had = first.setdefault(pair, row)
            if had != row:
                told[row] = had
                if len(self._repeated) < _REPEATED:
                    self._repeated[pair] = had
        perhaps[perhaps] = [row in told for row in numbers]
        self._keep(digests[:, ~perhaps], rows[~perhaps])
        return told

    def _perhaps(self, digests: Numbers) -> NDArray[np.bool_]:
        """Of each digest whether it may be here, or stand here twice."""
        import numpy as np

        highs, _, masks = digests
        perhaps = np.zeros(len(highs), np.bool_)
        for each in self._filters():
            perhaps |= each.may_have(highs, masks)
        ordered = np.sort(highs)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        return perhaps | _among(highs, twice)

    def _firsts(self, asked: Numbers) -> dict[tuple[int, int], int]:
        """The first rows of digests that are here."""
        import numpy as np

        if not self._repeated:
            return self._known(asked)
        pairs = list(_pairs(asked))
        found = {pair: self._repeated[pair] for pair in pairs if pair in self._repeated}
        rest = np.array([pair not in found for pair in pairs], np.bool_)
        return self._known(asked[:, rest]) | found

    def _known(self, asked: Numbers) -> dict[tuple[int, int], int]:
        """The first rows of those digests that have the upper half of one of these."""
        highs, _, masks = asked
        found: dict[tuple[int, int], int] = {}
        if not len(highs):
            return found
        for records in self._near(highs, masks):
            found |= {(high, low): row for high, low, row in records.tolist()}
        return found

    def _near(self, highs: Numbers, masks: Numbers) -> Iterator[Numbers]:
        """Records here that have the upper half of one of those digests."""
        if self._filter is not None and self._records is not None:
            asked = highs[self._filter.may_have(highs, masks)]
            held = self._records[:, : self._count]
            yield held[:, _among(held[0], asked)].T
        for file in self._files():
            yield from file.near(highs, masks)

    def _keep(self, digests: Numbers, rows: Numbers) -> None:
        import numpy as np

        taken = 0
        while taken < len(rows):
            if self._records is None or self._filter is None:
                self._records = np.empty((3, self._spilled), np.uint64)
                self._filter = Filter(self._spilled, _FILTER_BITS)
            here = slice(taken, taken + self._spilled - self._count)
            highs, lows, masks = digests[:, here]
            self._filter.add(highs, masks)
            to = self._records[:, self._count : self._count + len(highs)]
            to[0], to[1], to[2] = highs, lows, rows[here]
            taken += len(highs)
            self._count += len(highs)
            if self._count == self._spilled:
                records = self._records
                self._begin()
                self._spill(records.T)

    def _filters(self) -> Iterator[Filter]:
        if self._filter:
            yield self._filter
        yield from (file.filter for file in self._files())

    def _files(self) -> list[RunOnDisk]:
        return [run for tier in self._tiers for run in tier]

    def _spill(self, records: Numbers) -> None:
        made = RunOnDisk(in_order(records), len(records))
        for tier in self._tiers:
            tier.append(made)
            if len(tier) < _MERGED:
                return
            made = one_of(tier)
            tier.clear()
        self._tiers.append([made])


def _among(highs: Numbers, asked: Numbers) -> NDArray[np.bool_]:
    """Which of many upper halves are among others, few or many."""
    import numpy as np
    import polars as pl

    if len(asked) > _FEW:
        return pl.Series(highs).is_in(pl.Series(asked).implode()).to_numpy()
    found = np.zeros(len(highs), np.bool_)
    for each in asked:
        found |= highs == each
    return found


def _pairs(digests: Numbers) -> Iterator[tuple[int, int]]:
    return zip(digests[0].tolist(), digests[1].tolist(), strict=True)


def _seed() -> int:
    return secrets.randbits(63)
