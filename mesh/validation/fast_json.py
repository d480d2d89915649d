"""Runs of good records in JSON Lines, found by one regular expression.

The order of the keys is learnt from a good record; a record in another order is judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mesh.validation.json_values import parse_json
from mesh.validation.key_bytes import canonical
from mesh.validation.line_expressions import LineExpressions, line_expressions
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.quality import looked_at
from mesh.validation.record_bytes import TEXT, RecordBytes, complete

_SCALAR = rb'"(?:[^"\\]++|\\.)*+"|[^\s,}"]++'
_INTEGERS = re.compile(rb"(?:(?:-?[1-9][0-9]{0,17}|0)(?:\n|\Z))*+")


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonExpressions:
    """The compiled expressions for one order of keys.

    Attributes:
        run: Matches as many good records as follow each other.
        cut: Finds in a run the values of `fields`, one match per record; None when there are none.
        fields: The fields that are parts of keys, or that quality rules look at.
        lines: What `run` says, of one line; None when it cannot be said so.
    """

    run: re.Pattern[bytes]
    cut: re.Pattern[bytes] | None
    fields: tuple[str, ...]
    lines: LineExpressions | None


def json_expressions(plan: Plan, order: Sequence[str]) -> JsonExpressions | None:
    """The expressions for records of this order of keys; None when there is no fast path."""
    wanted = looked_at(plan)
    builder = RecordBytes(plan.record)
    fields = tuple(name for name in complete(plan.record, order) if name in wanted)
    try:
        record = builder.record(order)
        if fields and builder.nested:
            raise BeyondSubsetError  # a field within a field might have the same name
        run = re.compile(b"(?:" + record + rb"\r?\n)*+")
    except (BeyondSubsetError, re.error, OverflowError, RecursionError):
        return None
    cut = _cutter(fields) if fields else None
    return JsonExpressions(run=run, cut=cut, fields=fields, lines=_lines(plan, order))


def _lines(plan: Plan, order: Sequence[str]) -> LineExpressions | None:
    shapes, lengths = (RecordBytes(plan.record, half) for half in ("shapes", "lengths"))
    try:
        return line_expressions(shapes.record(order), lengths.record(order), plan.record)
    except BeyondSubsetError:
        return None


def _cutter(fields: Sequence[str]) -> re.Pattern[bytes]:
    """Finds the values of fields in a run of flat records.

    A quote within a text is escaped, so that `"name":` can be nothing but the field.
    """
    parts = []
    for name in fields:
        key = TEXT.literal(name)
        assert key is not None
        parts.append(rb'(?:[^\n]*?"' + key + b'": ?(' + _SCALAR + b"))?+")
    return re.compile(b"".join(parts) + rb"[^\n]*+\n")


class RunValues:
    """The values of some fields that a run of records holds."""

    def __init__(self, expressions: JsonExpressions) -> None:
        assert expressions.cut
        self._cut, self._fields = expressions.cut, expressions.fields

    def columns(self, data: bytes, start: int, stop: int) -> dict[str, Sequence[bytes]]:
        """For each field its values as they are written, one per record; empty where absent."""
        if len(self._fields) == 1 and (firsts := self._firsts(data, start, stop)):
            return {self._fields[0]: firsts}
        rows = self._cut.findall(data, start, stop)
        columns = zip(*rows, strict=True) if len(self._fields) > 1 else [rows]
        return dict(zip(self._fields, columns, strict=True))

    def _firsts(self, data: bytes, start: int, stop: int) -> list[bytes] | None:
        """The values when each record begins with the field, in the same way, and goes on after it.

        A key mostly stands there. The lines are good records: what begins with the name of the
        field and holds two quotes more has the whole of a text, unless a backslash says otherwise.
        """
        heads = [line.split(b",", 1)[0] for line in data[start : stop - 1].split(b"\n")]
        together, count = b"\n".join(heads), len(heads)
        name = json_key(self._fields[0])
        name += b" " * heads[0].startswith(name + b" ")
        if b"\\" in together or b"}" in together or name + b" " in together:
            return None
        if together.count(name) != count or together.count(b'"') not in (2 * count, 4 * count):
            return None
        return [head[len(name) :] for head in heads]

    @staticmethod
    def parsed(values: Sequence[bytes]) -> list[Any]:
        """The JSON values; None where there is none."""
        told = {value: parse_json(value.decode()) if value else None for value in set(values)}
        return [told[value] for value in values]

    @staticmethod
    def parts(values: Sequence[bytes]) -> Sequence[bytes | None]:
        """Values in the form of `mesh.validation.keys`."""
        together = b"\n".join(values)
        if b"" not in values and _INTEGERS.fullmatch(together):
            return values
        if b"\\" not in together and together.count(b'"') == 2 * len(values):
            return [b"s" + value[1:-1] for value in values]
        return [_part(value) for value in values]


def json_key(name: str) -> bytes:
    """The beginning of a record whose first key this is."""
    return b'{"' + name.encode() + b'":'


def _part(value: bytes) -> bytes | None:
    parsed = parse_json(value.decode()) if value else None
    return None if parsed is None else canonical(parsed)
