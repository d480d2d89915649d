"""The values of one JSON record that may be wrong; what the others are need not be known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mesh.validation.json_values import JsonFaultError, parse_json
from mesh.validation.plan import Plan
from mesh.validation.quality import looked_at
from mesh.validation.record_bytes import RecordBytes

_PLAIN = (
    rb'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt])*+"'
    rb"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    rb"|true|false|null"
)
"""Any value but objects, lists, and texts that are written with code points."""
_Groups = tuple[tuple[str, bool], ...]
"""Of each group of an expression its field, and whether the value is odd."""


class OddValues:
    """Reads of a record what no expression accepts, and what keys and quality rules look at.

    Args:
        plan: One that has a fast path for records with their keys in this order.
    """

    def __init__(self, plan: Plan, order: tuple[str, ...]) -> None:
        key = ("odd values", order)
        if key not in plan.compiled:
            plan.compiled[key] = _expression(plan, order)
        self._record, self._groups = plan.compiled[key]

    def read(self, raw: bytes) -> tuple[dict[str, Any], list[str]] | None:
        """Such fields of a record with their values, and the names of those that may be bad.

        None when the record is not written as most are, or holds other fields.
        """
        found = self._record.fullmatch(raw)
        if not found:
            return None
        record: dict[str, Any] = {}
        odd: list[str] = []
        for (name, is_odd), text in zip(self._groups, found.groups(), strict=True):
            if text is None:
                continue
            try:
                record[name] = parse_json(text.decode())
            except JsonFaultError:
                return None
            if is_odd:
                odd.append(name)
        return record, odd


def _expression(plan: Plan, order: Sequence[str]) -> tuple[re.Pattern[bytes], _Groups]:
    """Matches a record, with groups for the values that may have to be read."""
    needed = looked_at(plan)
    groups: list[tuple[str, bool]] = []

    def value(name: str, good: bytes) -> bytes:
        if name in needed:
            groups.append((name, False))
            good = b"(" + good + b")"
        groups.append((name, True))
        return b"(?:" + good + rb"(?=[,}])|(" + _PLAIN + b"))"

    record = RecordBytes(plan.record).odd_record(order, value)
    return re.compile(record + rb"\r?\n?"), tuple(groups)
