"""Which keys have been seen, and where first, in memory that hardly grows with their number.

In memory stand the keys themselves (of a long one its BLAKE2 digest). A quarter of a million, or
digests that came with the lines of a large file, make `SeenDigests` of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.validation.seen_digests import DigestSeeds, SeenDigests
    from mesh.validation.seen_runs import Numbers

IN_MEMORY = 1 << 18
_BATCH = 1 << 18
_LONGEST = 64
_SCANS = 16


class Seen:
    """A map from keys to the rows that had them first.

    As long as keys are new, a set is all that is asked. The first repeated ones are looked up in
    the list of keys; many make a map. `in_memory` keys become digests.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._old: SeenDigests | None = None  # from when on there are any
        self._made: SeenDigests | None = None
        self._begin()

    def _begin(self) -> None:
        self._keys: list[bytes] = []
        self._new: set[bytes] = set()
        self._found: dict[bytes, int] = {}
        self._at: dict[bytes, int] | None = None
        # Keys from position `starts[i]` on have rows that are greater by `offsets[i]`.
        self._starts: list[int] = []
        self._offsets: list[int] = []

    def add(self, key: bytes, row: int) -> int | None:
        """The first row that has the key; if there is none, this one becomes it."""
        key = _short(key)
        first = self._first(key)
        if first is None:
            self._take([key], row)
        return first

    def add_new(self, keys: list[bytes], row: int) -> bool:
        """Add keys of consecutive rows at once if all are new; False, and nothing added, if not."""
        if max(map(len, keys)) > _LONGEST:
            keys = [_short(key) for key in keys]
        fresh = set(keys)
        known = self._new if self._at is None else self._at.keys()
        if len(fresh) < len(keys) or not known.isdisjoint(fresh):
            return False
        if self._old and any(row is not None for row in self._old.rows(keys)):
            return False
        self._take(keys, row)
        return True

    def firsts(self, keys: Sequence[bytes]) -> list[int | None]:
        """Of each of these keys the row that had it first; all are asked for at once."""
        short = list(map(_short, keys))
        known = self._new if self._at is None else self._at.keys()
        found = [self._in_hand(key) if key in known else None for key in short]
        lost = [at for at, row in enumerate(found) if row is None]
        if self._old and lost:
            for at, row in zip(lost, self._old.rows([short[at] for at in lost]), strict=True):
                found[at] = row
        return found

    def take(self, keys: Sequence[bytes], rows: Sequence[int]) -> None:
        """Add different keys, each with its row, that are known not to be here."""
        for key, row in zip(keys, rows, strict=True):
            self._take([_short(key)], row)

    def unknown(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of these keys that have not been added."""
        short = {_short(key): key for key in keys}
        known = self._new if self._at is None else self._at.keys()
        rest = [key for key in short if key not in known]
        if self._old and rest:
            rows = self._old.rows(rest)
            rest = [key for key, row in zip(rest, rows, strict=True) if row is None]
        return {short[key] for key in rest}

    @property
    def seeds(self) -> DigestSeeds:
        """What digests that are to be added are made with."""
        return self._digests().seeds

    def digests_of(self, keys: Sequence[bytes]) -> Numbers:
        """Digests of canonical keys, that are to be added with others."""
        return self.seeds.digests(list(map(_short, keys)))

    def first_rows(self, digests: Numbers, rows: Numbers) -> dict[int, int]:
        """Add digests of many rows; of those that are here already the rows that had them first.

        Args:
            digests: See `mesh.validation.seen_digests`.
            rows: Of each, its row, in order.
        """
        if self._keys:
            self._move()
        self._old = self._digests()
        return self._old.first_rows(digests, rows)

    def _digests(self) -> SeenDigests:
        if self._made is None:
            from mesh.validation.seen_digests import SeenDigests

            self._made = SeenDigests(self._in_memory)
        return self._made

    def _first(self, key: bytes) -> int | None:
        known = self._new if self._at is None else self._at.keys()
        row = self._in_hand(key) if key in known else None
        return row if row is not None or not self._old else self._old.rows([key])[0]

    def _in_hand(self, key: bytes) -> int:
        return self._looked_up(key) if self._at is None else self._at[key]

    def _looked_up(self, key: bytes) -> int:
        if key in self._found:
            return self._found[key]
        if len(self._found) >= _SCANS:
            self._at = {key: self._row(at) for at, key in enumerate(self._keys)}
            self._new = set()
            return self._at[key]
        self._found[key] = self._row(self._keys.index(key))
        return self._found[key]

    def _row(self, at: int) -> int:
        return at + self._offsets[bisect_right(self._starts, at) - 1]

    def _take(self, keys: list[bytes], row: int) -> None:
        offset = row - len(self._keys)
        if not self._offsets or self._offsets[-1] != offset:
            self._starts.append(len(self._keys))
            self._offsets.append(offset)
        self._keys.extend(keys)
        if self._at is None:
            self._new.update(keys)
        else:
            self._at.update(zip(keys, range(row, row + len(keys)), strict=True))
        if len(self._keys) >= self._in_memory:
            self._move()

    def _move(self) -> None:
        self._new, self._at = set(), None
        old = self._old = self._digests()
        for start in range(0, len(self._keys), _BATCH):
            part = self._keys[start : start + _BATCH]
            old.take(part, [self._row(at) for at, _ in enumerate(part, start)])
        self._begin()


def _short(key: bytes) -> bytes:
    return key if len(key) <= _LONGEST else b"#" + blake2b(key, digest_size=32).digest()
