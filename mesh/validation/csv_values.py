"""Cells become JSON values by the contract's types, never by guessing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mesh.validation.csv_cells import Cell
from mesh.validation.csv_header import Layout
from mesh.validation.json_values import parse_json
from mesh.validation.plan import Column, Plan

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_LONG = 4000
Read = Callable[[str], Any]
ABSENT: Final = object()
"""Stands for the value of a field that the record does not have."""


class CellReader:
    """Reads the cells of one file into records."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._dialect = plan.dialect
        self._nulls = frozenset(("", *plan.dialect.null_tokens))
        columns = {column.name: column for column in plan.columns}
        self._columns = [
            (name, columns.get(name) if name else None, self._reading(columns.get(name or "")))
            for name in layout.columns
        ]

    def record(self, cells: Sequence[Cell]) -> dict[str, Any]:
        """One record. An empty cell is null where null is allowed, else its field is absent."""
        record: dict[str, Any] = {}
        for position, (name, _, _) in enumerate(self._columns):
            value = ABSENT if name is None else self.value(position, cells[position])
            if value is not ABSENT:
                record[str(name)] = value
        return record

    def value(self, position: int, cell: Cell) -> Any:
        """The JSON value of one cell, or `ABSENT`."""
        _, column, read = self._columns[position]
        if self._is_null(cell, column):
            return None if column is None or column.nullable else ABSENT
        return read(cell.text)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self._columns)

    def column(self, position: int) -> Column | None:
        """The contract's column at a position of the file."""
        return self._columns[position][1]

    def _is_null(self, cell: Cell, column: Column | None) -> bool:
        if not cell.quoted:
            return cell.text in self._nulls
        if cell.text:
            return False
        text = column is None or column.reading == "text"
        return not (text and self._dialect.quoted_empty == "string")

    def _reading(self, column: Column | None) -> Read:
        if column is None or column.reading == "text":
            return _as_is
        if column.reading == "number":
            return number if self._dialect.decimal_mark == "." else _number_with_comma
        if column.reading == "boolean":
            return self._boolean
        return _json

    def _boolean(self, text: str) -> bool | str:
        if text in self._dialect.true_tokens:
            return True
        return False if text in self._dialect.false_tokens else text


def number(text: str) -> Any:
    """A number of JSON's grammar, exact; any other text stays text, and so is no number."""
    if not NUMBER.fullmatch(text):
        return text
    if len(text) < _LONG and text.lstrip("-").isdigit():
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all reason
        return text


def _number_with_comma(text: str) -> Any:
    if "." in text:
        return text
    value = number(text.replace(",", "."))
    return text if isinstance(value, str) else value


def _as_is(text: str) -> str:
    return text


def _json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
