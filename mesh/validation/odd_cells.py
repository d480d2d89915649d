"""The cells of one delimited record that may be wrong; what is in the others need not be known."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from mesh.validation.cell_bytes import CellBytes
from mesh.validation.csv_cells import CsvGrammar
from mesh.validation.csv_header import Layout
from mesh.validation.csv_values import CellReader
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.quality import Quality

_Places = tuple[tuple[int, str], ...]


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
        self._record, self._places = plan.compiled[key]

    def values(self, raw: bytes) -> dict[str, Any] | None:
        """By field what such cells hold, which may be `ABSENT`.

        None when the record is not plainly one line of as many cells as there are columns.
        """
        found = self._record.fullmatch(raw if raw.endswith(b"\n") else raw + b"\n")
        if not found:
            return None
        return {
            name: self._cells.value(position, self._grammar.cell(cell))
            for (position, name), cell in zip(self._places, found.groups(), strict=True)
            if cell is not None
        }


def _expression(plan: Plan, layout: Layout, separator: bytes) -> tuple[re.Pattern[bytes], _Places]:
    """Matches a record, with a group for each cell that may have to be read, and where that is."""
    cells = CellBytes(plan, separator)
    columns = {column.name: column for column in plan.columns}
    needed = {name for key in plan.keys for name in key.fields} | Quality(plan).fields
    ends = [cells.separator] * (len(layout.columns) - 1) + [rb"\r?\n"]
    parts, places = [], []
    for (position, name), end in zip(enumerate(layout.columns), ends, strict=True):
        any_cell = cells.any_cell + end
        if name in columns or name in needed:
            places.append((position, str(name)))
            any_cell = b"(" + cells.any_cell + b")" + end
        if name in columns and name not in needed:
            with suppress(BeyondSubsetError):
                any_cell = cells.good(columns[name]) + end + b"|" + any_cell
        parts.append(b"(?>" + any_cell + b")")
    return re.compile(b"".join(parts)), tuple(places)
