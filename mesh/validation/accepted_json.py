"""Blocks of accepted JSON Lines, seen column by column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mesh.validation.accepted_rows import Records, Rows
from mesh.validation.arrow_types import TypedColumn
from mesh.validation.json_values import parse_json

_DECODER = json.JSONDecoder(parse_float=Decimal)
_TELLING = r"[:,\[]\s*(?:-?[0-9.]{16}|-?[0-9.]+[eE]|-0\.?0*[^.0-9])"
"""What may be a number that a double comes only near to, or minus zero."""


class JsonBlocks:
    """Reads the blocks of one file.

    Arrow reads them where it is sure to read what Python would: texts, whole numbers, decimals and
    booleans as they are, dates and times as texts. What it refuses (`5.0` as a whole number) is
    read by Python.
    """

    def __init__(self, columns: Sequence[TypedColumn]) -> None:
        self._columns = columns
        self._failed = False

    def rows(self, data: bytes) -> Rows:
        """The records of one block of lines that are known to be good."""
        read = None if self._failed else self._by_arrow(data)
        return _by_python(data) if read is None else read

    def _by_arrow(self, data: bytes) -> Rows | None:
        import pyarrow as pa
        from pyarrow import json as arrow_json

        fields = [(column.name, _read_as(column)) for column in self._columns]
        kinds = [kind for _, kind in fields]
        self._failed = None in kinds
        if self._failed or (pa.float64() in kinds and _is_telling(data)):
            return None
        try:
            table = arrow_json.read_json(
                pa.BufferReader(data),
                read_options=arrow_json.ReadOptions(block_size=len(data) + 1, use_threads=False),
                parse_options=arrow_json.ParseOptions(
                    explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowException:
            self._failed = True  # the next blocks are most likely alike
            return None
        return _Fields(table.combine_chunks(), data)


class _Fields:
    """A block that Arrow has read."""

    def __init__(self, table: Any, data: bytes) -> None:
        self._table, self._data = table, data
        self._read: Rows | None = None
        self.count: int = table.num_rows

    def column(self, name: str) -> Any:
        import pyarrow as pa

        column = self._table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)

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
    """The type to read a column in, so that nothing is lost; None where there is none."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.types[0]
    if column.is_text:
        return pa.string()
    plain = types.is_int64(kind) or types.is_boolean(kind) or types.is_decimal128(kind)
    return kind if plain or types.is_float64(kind) else None
