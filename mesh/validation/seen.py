"""Which keys have been seen, and where first, in memory that does not grow with their number.

In memory stand the keys themselves (of a long one its BLAKE2 digest). On disk stand 96 bits of a
key: Python's keyed hash, which nobody can aim at, and a CRC; two keys of a file of a hundred
million are taken for one with a probability of 10⁻¹³.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from hashlib import blake2b
from zlib import crc32

IN_MEMORY = 1 << 20
_FILTER = 1 << 26
_BATCH = 1 << 18
_LONGEST = 64
_SCANS = 16


class Seen:
    """A map from keys to the rows that had them first.

    As long as keys are new, a set is all that is asked. The first repeated ones are looked up in
    the list of keys; many make a map. Beyond `in_memory` keys they move to a temporary database
    on disk, which is asked only about keys that a filter of 64 MiB does not know to be new.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._old: _OnDisk | None = None
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
        if self._old and self._old.any_of(keys):
            return False
        self._take(keys, row)
        return True

    def has(self, key: bytes) -> bool:
        """Whether the key has been added."""
        key = _short(key)
        known = self._new if self._at is None else self._at.keys()
        return key in known or (self._old is not None and self._old.row(key) is not None)

    def _first(self, key: bytes) -> int | None:
        if self._at is not None:
            row = self._at.get(key)
        elif key in self._new:
            row = self._looked_up(key)
        else:
            row = None
        return row if row is not None or not self._old else self._old.row(key)

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
        self._old = self._old or _OnDisk()
        for start in range(0, len(self._keys), _BATCH):
            part = self._keys[start : start + _BATCH]
            self._old.take([(*_digest(key), self._row(at)) for at, key in enumerate(part, start)])
        self._begin()


def _short(key: bytes) -> bytes:
    return key if len(key) <= _LONGEST else b"#" + blake2b(key, digest_size=32).digest()


def _digest(key: bytes) -> tuple[int, int]:
    return hash(key), crc32(key)


class _OnDisk:
    """Keys in a temporary database, which is gone with this object."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute("PRAGMA cache_size = -32768")
        self._base.execute(
            "CREATE TABLE seen (place INTEGER, proof INTEGER, row INTEGER, "
            "PRIMARY KEY (place, proof)) WITHOUT ROWID"
        )
        self._filter = bytearray(_FILTER)

    def __del__(self) -> None:
        self._base.close()

    def take(self, keys: list[tuple[int, int, int]]) -> None:
        """Take in keys that are not here yet, in an order that spares the disk."""
        keys.sort()
        self._base.execute("BEGIN")
        self._base.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", keys)
        self._base.execute("COMMIT")
        bits = self._filter
        for place, _, _ in keys:
            bits[(place >> 3) % _FILTER] |= 1 << (place & 7)

    def row(self, key: bytes) -> int | None:
        """The row of a key."""
        place, proof = _digest(key)
        if not self._filter[(place >> 3) % _FILTER] >> (place & 7) & 1:
            return None
        found = self._base.execute(
            "SELECT row FROM seen WHERE place = ? AND proof = ?", (place, proof)
        ).fetchone()
        return None if found is None else int(found[0])

    def any_of(self, keys: list[bytes]) -> bool:
        """Whether any of these keys is perhaps here."""
        bits = self._filter
        places = map(hash, keys)
        perhaps = [p for p in places if bits[(p >> 3) % _FILTER] >> (p & 7) & 1]
        ask = "SELECT 1 FROM seen WHERE place = ?"
        return any(self._base.execute(ask, (place,)).fetchone() for place in perhaps)
