"""Records of a block that are held back until all keys of the block have been looked at together.

What a reader has found out about a block is kept in order; the digests of its keys, most of which
come with the lines, are compared at once; then the records are told, each with what is wrong with
its keys. Rows, and which of two records with the same key comes first, are as if told one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from mesh.validation.faults import Fault
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import KeyQuestion
from mesh.validation.run_finders import Expressions, FoundRuns

if TYPE_CHECKING:
    from mesh.validation.seen_runs import Numbers

Repeated = Mapping[int, Sequence[tuple[int, int]]]
"""By record of an entry (from 0): numbers of keys, each with the row that had it first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    records: int
    lines: range
    keys: Sequence[Sequence[bytes | None]]
    tell: Callable[[Repeated], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A record that was judged by itself: what is wrong but for its keys.

    Attributes:
        record: What of it was read, its keys at least; None when it could not be.
        whole: Whether all of it was read.
    """

    raw: bytes
    record: Any
    faults: list[Fault]
    whole: bool = True


def held_block(
    keys: KeyIndex,
    expressions: Expressions | None,
    questions: Sequence[KeyQuestion],
    runs: FoundRuns | None,
) -> Held | None:
    """Where a block's records are held back; None when they are told one by one."""
    if not runs or not expressions or not questions or runs.expression is not expressions.run:
        return None
    return Held(keys, runs) if runs.found.digests is not None else None


class Held:
    """What has been found out about one block and not been told yet."""

    def __init__(self, keys: KeyIndex, runs: FoundRuns) -> None:
        self._keys, self._runs = keys, runs
        self._entries: list[_Entry] = []

    def run(self, lines: range, tell: Callable[[Repeated], None]) -> None:
        """A part of a run that was found: its lines in the block."""
        self._entries.append(_Entry(len(lines), lines, (), tell))

    def records(
        self, count: int, keys: Sequence[Sequence[bytes | None]], tell: Callable[[Repeated], None]
    ) -> None:
        """Other records, with the canonical parts of each key, one per record."""
        self._entries.append(_Entry(count, range(0), keys, tell))

    def tell(self, row: int) -> None:
        """Tell of all, the first of which is this row."""
        entries, self._entries = self._entries, []
        repeated = self._repeated(entries, row) if entries else {}
        for entry in entries:
            rows = range(row, row + entry.records)
            here = rows if len(rows) < len(repeated) else sorted(repeated)
            entry.tell({at - row: repeated[at] for at in here if at in repeated and at in rows})
            row += entry.records

    def _repeated(self, entries: list[_Entry], row: int) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = {}
        for number in range(len(self._keys.keys)):
            seen = self._keys.seen(number)
            firsts = seen.first_rows(*self._digests(number, entries, row))
            for at, first in firsts.items():
                found.setdefault(at, []).append((number, first))
        return found

    def _digests(self, number: int, entries: list[_Entry], row: int) -> tuple[Numbers, Numbers]:
        """The digests of one key of all records that have it, and their rows, in order."""
        import numpy as np

        told = self._runs.found.digests
        assert told is not None
        keys = [[k for k in e.keys[number] if k is not None] if e.keys else [] for e in entries]
        others = self._keys.seen(number).digests_of(list(chain.from_iterable(keys)))
        parts, rows, at = [others[:, :0]], [np.zeros(0, np.uint64)], 0
        for entry, texts in zip(entries, keys, strict=True):
            if entry.lines:
                parts.append(told[number][:, entry.lines.start : entry.lines.stop])
                rows.append(np.arange(row, row + entry.records, dtype=np.uint64))
            elif texts:
                parts.append(others[:, at : at + len(texts)])
                there = [n for n, key in enumerate(entry.keys[number], row) if key is not None]
                rows.append(np.array(there, np.uint64))
                at += len(texts)
            row += entry.records
        return np.concatenate(parts, axis=1), np.concatenate(rows)
