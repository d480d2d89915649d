"""Judges single rows of which it is known in which columns something may be wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.keys import KeyIndex
from mesh.validation.lines import record_too_long
from mesh.validation.plan import Plan
from mesh.validation.record_lines import PlacedTally
from mesh.validation.report import Limits

_MOST = 100


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
        self._keys = KeyIndex(plan)
        self._readers: dict[Sequence[bool], JsonLinesReader] = {}

    def judge(self, line: bytes, good: Sequence[bool]) -> None:
        """Judge one row.

        Args:
            line: Its JSON, with a line end.
            good: Of each column, whether its value is known to be good.

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
