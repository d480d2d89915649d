"""Runs of good records in delimited text, found by one regular expression.

The expression matches only records that the reference accepts; where it stops, the judge looks at
one record. Columns whose rules it cannot express are cut out of the run and their distinct cells
asked of the reference, once each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.validation.cell_bytes import UTF8_NAMES, CellBytes
from mesh.validation.csv_cells import CsvGrammar
from mesh.validation.csv_header import Layout
from mesh.validation.csv_values import ABSENT, CellReader
from mesh.validation.key_bytes import canonical
from mesh.validation.line_expressions import LineExpressions, line_expressions
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.quality import looked_at
from mesh.validation.value_bytes import ANNOTATIONS

_RECORD = frozenset({"type", "properties", "required", "additionalProperties"}) | ANNOTATIONS
_REMEMBERED = 100_000
_INTEGERS = re.compile(rb"(?:(?:-?[1-9][0-9]{0,17}|0)(?:\n|\Z))*+")


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvExpressions:
    """The compiled expressions for one order of columns.

    Attributes:
        run: Matches as many good records as follow each other.
        cut: Finds in a run the cells of `columns`, one match per record; None when there is
            nothing to cut out.
        columns: Positions of the columns that are cut out.
        asked: Those of them that the reference is asked about.
        lines: What `run` says, of one line; None when it cannot be said so.
    """

    run: re.Pattern[bytes]
    cut: re.Pattern[bytes] | None
    columns: tuple[int, ...]
    asked: tuple[int, ...]
    separator: bytes
    quote: bytes
    lines: LineExpressions | None

    def cells(self, data: bytes, start: int, stop: int) -> dict[int, Sequence[bytes]]:
        """The cells of a run by column, one per record."""
        assert self.cut
        if self.columns == (0,) and (firsts := self._firsts(data, start, stop)):
            return {0: firsts}
        rows = self.cut.findall(data, start, stop)
        cells = zip(*rows, strict=True) if len(self.columns) > 1 else [rows]
        return dict(zip(self.columns, cells, strict=True))

    def _firsts(self, data: bytes, start: int, stop: int) -> list[bytes] | None:
        """The first cells of a run when none is quoted: a key mostly stands there."""
        lines = data[start : stop - 1].split(b"\n")
        cells = [line.split(self.separator, 1)[0] for line in lines]
        together = b"".join(cells)
        return None if b"\r" in together or (self.quote and self.quote in together) else cells


def csv_expressions(plan: Plan, layout: Layout, separator: bytes) -> CsvExpressions | None:
    """The expressions for files of this layout; None when the contract has no fast path."""
    if not is_plain(plan) or layout.lenient or plan.dialect.escape:
        return None
    if plan.dialect.encoding.lower().replace("_", "-").startswith("utf-16"):
        return None
    cells = CellBytes(plan, separator)
    columns = {column.name: column for column in plan.columns}
    needed = looked_at(plan)
    parts: list[bytes] = []
    usual: list[bytes] = []
    asked: list[int] = []
    for index, name in enumerate(layout.columns):
        column = columns.get(name or "")
        try:
            parts.append(cells.any_cell if column is None else cells.good(column))
            usual.append(cells.any_cell if column is None else cells.usual(column))
        except BeyondSubsetError:
            parts.append(cells.any_cell)
            usual.append(cells.any_cell)
            asked.append(index)
    cut = sorted({*asked, *(i for i, name in enumerate(layout.columns) if name in needed)})
    forms = [cells.record(usual)] * (usual != parts) + [cells.record(parts)]
    return CsvExpressions(
        run=re.compile(b"(?:" + b"|".join(forms) + b")*+"),
        cut=cells.cutter(cut, len(parts)) if cut else None,
        columns=tuple(cut),
        asked=tuple(asked),
        separator=separator,
        quote=(plan.dialect.quote or "").encode(),
        lines=_lines(plan, layout, separator, asked),
    )


def _lines(
    plan: Plan, layout: Layout, separator: bytes, asked: Collection[int]
) -> LineExpressions | None:
    if plan.dialect.encoding.lower().replace("_", "-") not in UTF8_NAMES:
        return None
    columns = {column.name: column for column in plan.columns}
    judged = [
        None if index in asked else columns.get(name or "")
        for index, name in enumerate(layout.columns)
    ]
    shaped, measured = CellBytes(plan, separator, "shapes"), CellBytes(plan, separator, "lengths")
    try:
        shapes = [shaped.any_cell if each is None else shaped.good(each) for each in judged]
        lengths = [measured.any_cell if each is None else measured.good(each) for each in judged]
        if lengths != shapes:
            both = zip(lengths, shapes, strict=True)
            lengths = [shaped.any_cell if each == shape else each for each, shape in both]
        mark = re.escape(separator)
        return line_expressions(mark.join(shapes), mark.join(lengths), plan.record)
    except BeyondSubsetError:
        return None


def is_plain(plan: Plan) -> bool:
    """Whether each field is judged alone: no rule of the record spans fields."""
    record: Mapping[str, Any] = plan.record
    names = {column.name for column in plan.columns}
    return (
        record.keys() <= _RECORD
        and record.get("type", "object") == "object"
        and record.get("additionalProperties", True) in (True, False)
        and set(record.get("required") or ()) <= names
        and all(isinstance(column.schema, Mapping) for column in plan.columns)
    )


class CellQuestions:
    """Asks the reference about single cells, and remembers the answers."""

    def __init__(self, plan: Plan, grammar: CsvGrammar, cells: CellReader) -> None:
        self._plan, self._grammar, self._cells = plan, grammar, cells
        dialect = plan.dialect
        self._utf8 = dialect.encoding.lower().replace("_", "-") in UTF8_NAMES
        self._nulls = {b"", *(token.encode() for token in dialect.null_tokens)}
        self._good: dict[int, set[bytes]] = {}
        self._ask: dict[int, Callable[[Any], bool]] = {}

    def unknown(self, position: int, cells: Sequence[bytes]) -> set[bytes]:
        """Those of these cells that are not good in this column."""
        good = self._good.setdefault(position, set())
        bad = set()
        for cell in set(cells) - good:
            if self._is_good(position, cell):
                good.add(cell)
            else:
                bad.add(cell)
        if len(good) > _REMEMBERED:
            good.clear()
        return bad

    def value(self, position: int, cell: bytes) -> Any:
        """The JSON value of a cell, or `ABSENT`."""
        return self._cells.value(position, self._grammar.cell(cell))

    def values(self, position: int, cells: Sequence[bytes]) -> list[Any]:
        """The JSON values of many cells of a column; None where there is none."""
        told: dict[bytes, Any] = {}
        for cell in set(cells):
            value = self.value(position, cell)
            told[cell] = None if value is ABSENT else value
        return [told[cell] for cell in cells]

    def keys(self, position: int, cells: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of many cells of a column in the form of `mesh.validation.keys`."""
        column = self._cells.column(position)
        together = b"\n".join(cells)
        quote = (self._plan.dialect.quote or "").encode()
        plain = self._utf8 and self._nulls.isdisjoint(cells) and not (quote and quote in together)
        if plain and column and column.reading == "text":
            return [b"s" + cell for cell in cells]
        if plain and column and column.reading == "number" and _INTEGERS.fullmatch(together):
            return cells
        values = (self.value(position, cell) for cell in cells)
        return [None if value is ABSENT or value is None else canonical(value) for value in values]

    def _is_good(self, position: int, cell: bytes) -> bool:
        column = self._cells.column(position)
        assert column
        value = self.value(position, cell)
        if value is ABSENT:
            return not column.required
        if position not in self._ask:
            from mesh.validation.reference import subschema_validator

            self._ask[position] = subschema_validator(column.schema, self._plan.record).is_valid
        return self._ask[position](value)
