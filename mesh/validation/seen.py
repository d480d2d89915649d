"""Which keys have been seen, and where first, in memory that does not grow with their number.

Of a key 96 bits are kept: Python's keyed hash, which nobody can aim at, and a CRC. Two keys of a
file of a million are taken for one with a probability of 10⁻¹⁷.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable
from zlib import crc32

IN_MEMORY = 1_000_000
_FILTER = 1 << 26
_BATCH = 1 << 18


class Seen:
    """A map from keys to the rows that had them first.

    As long as keys are new, a set of hashes is all that is asked. The first repeated one makes
    a map of them. Beyond `in_memory` keys they move to a temporary database on disk, which is
    asked only about keys that a filter of 64 MiB does not know to be new.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._places = array("q")
        self._proofs = array("I")
        self._rows = array("Q")
        self._new: set[int] = set()
        self._at: dict[int, int] | None = None
        self._old: _OnDisk | None = None

    def add(self, key: bytes, row: int) -> int | None:
        """The first row that has the key; if there is none, this one becomes it."""
        place, proof = hash(key), crc32(key)
        if self._at is None:
            if place not in self._new:
                return self._first_or_added(place, proof, row)
            self._at = self._mapped()
        probe = place
        while (at := self._at.get(probe)) is not None:
            if self._proofs[at] == proof and self._places[at] == place:
                return self._rows[at]
            probe += 1
        return self._first_or_added(place, proof, row, probe)

    def add_new(self, keys: list[bytes], row: int) -> bool:
        """Add keys of consecutive rows at once if all are new; False, and nothing added, if not."""
        places = list(map(hash, keys))
        fresh = set(places)
        known = self._new if self._at is None else self._at.keys()
        if len(fresh) < len(places) or not known.isdisjoint(fresh):
            return False
        if self._old and self._old.any_of(places):
            return False
        if self._at is None:
            self._new |= fresh
        else:
            start = len(self._rows)
            self._at.update(zip(places, range(start, start + len(places)), strict=True))
        self._places.extend(places)
        self._proofs.extend(map(crc32, keys))
        self._rows.extend(range(row, row + len(keys)))
        self._bounded()
        return True

    def _first_or_added(
        self, place: int, proof: int, row: int, probe: int | None = None
    ) -> int | None:
        if self._old and (first := self._old.row(place, proof)) is not None:
            return first
        if self._at is None:
            self._new.add(place)
        else:
            self._at[place if probe is None else probe] = len(self._rows)
        self._places.append(place)
        self._proofs.append(proof)
        self._rows.append(row)
        self._bounded()
        return None

    def _mapped(self) -> dict[int, int]:
        """From hashes to positions; until now all of them are different."""
        self._new = set()
        return {place: at for at, place in enumerate(self._places)}

    def _bounded(self) -> None:
        if len(self._rows) < self._in_memory:
            return
        self._new, self._at = set(), None
        self._old = self._old or _OnDisk()
        for start in range(0, len(self._rows), _BATCH):
            part = slice(start, start + _BATCH)
            columns = self._places[part], self._proofs[part], self._rows[part]
            self._old.take(zip(*columns, strict=True))
        self._places, self._proofs, self._rows = array("q"), array("I"), array("Q")


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

    def take(self, keys: Iterable[tuple[int, int, int]]) -> None:
        """Take in keys that are not here yet, in an order that spares the disk."""
        ordered = sorted(keys)
        self._base.execute("BEGIN")
        self._base.executemany("INSERT INTO seen VALUES (?, ?, ?)", ordered)
        self._base.execute("COMMIT")
        bits = self._filter
        for place, _, _ in ordered:
            bits[(place >> 3) % _FILTER] |= 1 << (place & 7)

    def row(self, place: int, proof: int) -> int | None:
        """The row of a key."""
        if not self._filter[(place >> 3) % _FILTER] >> (place & 7) & 1:
            return None
        found = self._base.execute(
            "SELECT row FROM seen WHERE place = ? AND proof = ?", (place, proof)
        ).fetchone()
        return None if found is None else int(found[0])

    def any_of(self, places: list[int]) -> bool:
        """Whether any of these hashes is here."""
        bits = self._filter
        perhaps = [p for p in places if bits[(p >> 3) % _FILTER] >> (p & 7) & 1]
        ask = "SELECT 1 FROM seen WHERE place = ?"
        return any(self._base.execute(ask, (place,)).fetchone() for place in perhaps)
