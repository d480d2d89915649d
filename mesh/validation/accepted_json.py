"""Blocks of accepted JSON Lines, seen column by column."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mesh.validation.accepted_rows import Records, Rows
from mesh.validation.arrow_types import TypedColumn
from mesh.validation.json_values import parse_json

if TYPE_CHECKING:
    import polars as pl

_LARGE = 4 << 20
"""From here on, Polars is worth loading."""

_MANY = 1 << 17
"""From here on, it is worth asking where it is loaded."""

_DECODER = json.JSONDecoder(parse_float=Decimal)
_TELLING = r"[:,\[]\s*(?:-?[0-9.]{16}|-?[0-9.]+[eE]|-0\.?0*[^.0-9])"
"""What may be a number that a double comes only near to, or minus zero."""


class JsonBlocks:
    """Reads the blocks of one file.

    Polars reads large ones where it is sure to read what Python would: texts, whole numbers and
    booleans as they are, dates and times as texts, other numbers as doubles. What it refuses
    (`5.0` as a whole number), and objects, lists and maps, are read by Python.
    """

    def __init__(self, columns: Sequence[TypedColumn]) -> None:
        self._columns = columns

    def rows(self, data: bytes) -> Rows:
        """The records of one block of lines that are known to be good."""
        enough = _MANY if "polars" in sys.modules else _LARGE
        read = self._by_polars(data) if len(data) >= enough else None
        return _by_python(data) if read is None else read

    def _by_polars(self, data: bytes) -> Rows | None:
        import polars as pl
        import pyarrow as pa

        kinds = {column.name: _read_as(column) for column in self._columns}
        plain = {name: kind for name, kind in kinds.items() if kind is not None}
        doubles = any(column.types[0] == pa.float64() for column in self._columns)
        if not plain or (doubles and _is_telling(data)):
            return None
        try:
            return _Fields(pl.read_ndjson(data, schema=plain), data)
        except pl.exceptions.PolarsError:
            return None


class _Fields:
    """A block that Polars has read."""

    def __init__(self, table: pl.DataFrame, data: bytes) -> None:
        self._table, self._data = table, data
        self._read: Rows | None = None
        self.count = table.height

    def column(self, name: str) -> Any:
        return self._table[name].to_arrow() if name in self._table.columns else None

    def texts(self, name: str) -> Any:  # noqa: ARG002 - the protocol's
        return None

    def values(self, name: str) -> Sequence[Any] | None:
        if self._read is None:
            self._read = _by_python(self._data)
        return self._read.values(name)


def _is_telling(data: bytes) -> bool:
    """Whether some number has to be looked at; Arrow's automaton takes a tenth of `re`'s time."""
    import pyarrow as pa
    from pyarrow import compute

    offsets = pa.array([0, len(data)], pa.int64()).buffers()[1]
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
    return bool(compute.match_substring_regex(whole, _TELLING)[0].as_py())


def _by_python(data: bytes) -> Rows:
    lines = [line for line in data.decode().split("\n") if line and not line.isspace()]
    try:
        # The checks of `parse_json` were made; integers beyond Python's limit are what is left.
        records: list[dict[str, Any]] = _DECODER.decode(f"[{','.join(lines)}]")
    except ValueError:
        records = [parse_json(line.strip(" \t\r")) for line in lines]
    return Records(records)


def _read_as(column: TypedColumn) -> Any:
    """The type to read a column in, so that nothing is lost; None where there is none.

    A good value of a decimal column has no more digits behind its point than the column, so that
    its double tells which it is, up to fifteen digits.
    """
    import polars as pl
    from pyarrow import types

    kind = column.types[0]
    if column.is_text:
        return pl.String
    if types.is_decimal(kind) or types.is_float64(kind):
        return pl.Float64
    if types.is_int64(kind):
        return pl.Int64
    return pl.Boolean if types.is_boolean(kind) else None
