"""The cells of one delimited record that may be wrong; what is in the others need not be known."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from mesh.validation.cell_bytes import CellBytes
from mesh.validation.csv_cells import CsvGrammar
from mesh.validation.csv_header import Layout
from mesh.validation.csv_values import ABSENT, CellReader
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.quality import looked_at

_Groups = tuple[tuple[int, str, bool], ...]
"""Of each group of an expression: position of the cell, its field, and whether it is odd."""


class OddCells:
    """Reads of a record what no expression accepts, and what keys and quality rules look at.

    Args:
        plan: One that has a fast path for files of this layout.
    """

    def __init__(self, plan: Plan, layout: Layout, grammar: CsvGrammar, cells: CellReader) -> None:
        self._grammar, self._cells = grammar, cells
        key = ("odd cells", layout, grammar.separator)
        if key not in plan.compiled:
            plan.compiled[key] = _expression(plan, layout, grammar.separator)
        self._record, self._groups = plan.compiled[key]

    def read(self, raw: bytes) -> tuple[dict[str, Any], list[str]] | None:
        """Such fields of a record with their values, and the names of those that may be bad.

        None when the record is not plainly one line of as many cells as there are columns.
        """
        found = self._record.fullmatch(raw if raw.endswith(b"\n") else raw + b"\n")
        if not found:
            return None
        record: dict[str, Any] = {}
        odd: list[str] = []
        for (position, name, is_odd), cell in zip(self._groups, found.groups(), strict=True):
            if cell is None:
                continue
            value = self._cells.value(position, self._grammar.cell(cell))
            if value is not ABSENT:
                record[name] = value
            if is_odd:
                odd.append(name)
        return record, odd


def _expression(plan: Plan, layout: Layout, separator: bytes) -> tuple[re.Pattern[bytes], _Groups]:
    """Matches a record, with groups for the cells that may have to be read."""
    cells = CellBytes(plan, separator)
    columns = {column.name: column for column in plan.columns}
    needed = looked_at(plan)
    ends = [cells.separator] * (len(layout.columns) - 1) + [rb"\r?\n"]
    parts: list[bytes] = []
    groups: list[tuple[int, str, bool]] = []
    for position, name in enumerate(layout.columns):
        forms: list[bytes] = []
        column = columns.get(name or "")
        is_needed = name in needed
        with suppress(BeyondSubsetError):
            good = cells.any_cell if column is None else cells.good(column)
            forms.append(b"(" + good + b")" if is_needed else good)
            groups += [(position, str(name), False)] * is_needed
        if column is not None:
            forms.append(b"(" + cells.any_cell + b")")
            groups.append((position, column.name, True))
        parts.append(b"(?>" + b"|".join(form + ends[position] for form in forms) + b")")
    return re.compile(b"".join(parts)), tuple(groups)
