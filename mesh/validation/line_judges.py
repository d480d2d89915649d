"""Judges single rows of which it is known in which columns something may be wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mesh.validation.faults import Fault
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.key_bytes import canonical
from mesh.validation.keys import KeyIndex
from mesh.validation.lines import record_too_long
from mesh.validation.plan import Plan
from mesh.validation.record_lines import PlacedTally
from mesh.validation.report import Limits
from mesh.validation.sentences import shown

_MOST = 100
FirstRows = Sequence[tuple[int, int]]
"""Numbers of keys of a row, in order, each with the row that had it first."""


class LineJudges:
    """Asks the reference only about the columns that no rule accepts: of a few, that is quick.

    Args:
        plan: The contract; none of its rules spans fields.
        names: Of the columns.
        tally: Is told of each row, whose number it has already.
        limits: Bounds on memory.
    """

    def __init__(
        self, plan: Plan, names: Sequence[str], tally: PlacedTally, limits: Limits
    ) -> None:
        self._plan, self._names, self._tally = plan, names, tally
        self._limits = dataclasses.replace(limits, fast=False)
        self._keys = _ToldKeys(plan)
        self._readers: dict[Sequence[bool], JsonLinesReader] = {}

    def judge(self, line: bytes, good: Sequence[bool], firsts: FirstRows) -> None:
        """Judge one row; its number is one more than the tally has rows.

        Args:
            line: Its JSON, with a line end.
            good: Of each column, whether its value is known to be good.
            firsts: Its keys that earlier rows have.

        Raises:
            FileRefusedError: It is longer than a record may be.
        """
        if len(line) > self._limits.record_bytes:
            row = self._tally.rows + 1
            raise record_too_long(row, row, self._limits)
        if good not in self._readers and len(self._readers) >= _MOST:
            good = (False,) * len(self._names)
        if good not in self._readers:
            plan = self._about(good)
            self._readers[good] = JsonLinesReader(plan, self._tally, self._limits, self._keys)
        with self._keys.told(self._tally.rows + 1, firsts):
            self._readers[good].feed(line)

    def _about(self, good: Sequence[bool]) -> Plan:
        """The contract, with no rules for the columns that are known to be good."""
        fine = {name for name, is_good in zip(self._names, good, strict=True) if is_good}
        record = dict(self._plan.record)
        schemas = record.get("properties") or {}
        if schemas.keys() >= set(self._names):  # then nothing is there that is not allowed
            record.pop("additionalProperties", None)
            record["properties"] = {n: each for n, each in schemas.items() if n not in fine}
        else:
            record["properties"] = {
                name: True if name in fine else schema for name, schema in schemas.items()
            }
        return dataclasses.replace(self._plan, record=record, compiled={})


class _ToldKeys(KeyIndex):
    """Keys that have been compared by their digests: it is told of each row what came of that.

    A row that cannot be read as JSON has no keys, though it has digests: of the rows that seem to
    repeat a key of such a row, the first one that can be read is the first to have it.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._firsts: FirstRows = ()
        self._read = False
        self._unread = bytearray()  # a bit for each row

    @contextmanager
    def told(self, row: int, firsts: FirstRows) -> Iterator[None]:
        """What is asked about next is this row, of whose keys earlier rows have these."""
        self._firsts, self._read = firsts, False
        yield
        if not self._read:
            self._unread.extend(bytes(max(row // 8 + 1 - len(self._unread), 0)))
            self._unread[row // 8] |= 1 << row % 8

    def faults(self, record: Mapping[str, Any], row: int, *, most: int) -> list[Fault]:  # noqa: ARG002 - no row has as many keys
        self._read = True
        found = []
        for number, told in self._firsts:
            fields = self.keys[number].fields
            first: int | None = told
            if self._is_unread(told):
                parts = [[canonical(record[name])] for name in fields]
                first = self.repeated(number, parts, row).get(0)
            if first is not None:
                value = ", ".join(shown(record[name]) for name in fields)
                found.append(self.fault(self.keys[number], value, first))
        return found

    def _is_unread(self, row: int) -> bool:
        return row // 8 < len(self._unread) and bool(self._unread[row // 8] >> row % 8 & 1)
