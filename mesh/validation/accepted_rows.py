"""Blocks of accepted records, as they came, seen column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mesh.validation.arrow_text import column_texts
from mesh.validation.csv_cells import Cell, CsvGrammar, without_line_end
from mesh.validation.csv_header import Layout, read_header
from mesh.validation.csv_values import ABSENT, CellReader
from mesh.validation.file_format import FileFormat
from mesh.validation.json_values import parse_json
from mesh.validation.plan import Plan

_PLAIN_ENCODINGS = ("utf-8", "utf8", "us-ascii", "ascii", "utf-16")


class Rows(Protocol):
    """The records of one block."""

    @property
    def count(self) -> int: ...

    def column(self, name: str) -> Any:
        """A column as an Arrow array of its own type; None where the file does not say types."""

    def texts(self, name: str) -> Any:
        """The cells of a column as an Arrow array, null where they mean null; None if unknown."""

    def values(self, name: str) -> Sequence[Any] | None:
        """The JSON values of a column; None when the file does not have it."""


class Records:
    """Records that were read one by one."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._records = records
        self.count = len(records)

    def column(self, name: str) -> Any:  # noqa: ARG002 - the protocol's
        return None

    def texts(self, name: str) -> Any:  # noqa: ARG002 - the protocol's
        return None

    def values(self, name: str) -> Sequence[Any] | None:
        return [record.get(name) for record in self._records]


class Columns:
    """Records that came as one Arrow record batch."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self._names = batch.schema.names
        self.count: int = batch.num_rows

    def column(self, name: str) -> Any:
        return self._batch.column(self._names.index(name)) if name in self._names else None

    def texts(self, name: str) -> Any:  # noqa: ARG002 - the protocol's
        return None

    def values(self, name: str) -> Sequence[Any] | None:
        column = self.column(name)
        if column is None:
            return None
        texts = column_texts(column).to_pylist()
        told = {text: parse_json(text) for text in set(texts)}
        return [told[text] for text in texts]


class CsvBlocks:
    """Reads the blocks of one delimited file."""

    def __init__(self, plan: Plan, file_format: FileFormat, header: bytes | None) -> None:
        """`header` is its line, as it came; None when the file has none."""
        separator = plan.dialect.separator or file_format.separator or ","
        self._plan, self._separator = plan, separator
        self._grammar = CsvGrammar(plan.dialect, separator)
        if header is None:
            self._layout = Layout.of_columns(plan)
        else:
            self._layout = read_header(plan, self._grammar, without_line_end(header))
        self._reader = CellReader(plan, self._layout)
        dialect, names = plan.dialect, self._layout.columns
        self._is_plain = (
            dialect.quote is not None
            and dialect.escape is None
            and dialect.encoding.lower().replace("_", "-").startswith(_PLAIN_ENCODINGS)
            and not self._layout.lenient
            and len(names) > 1
        )

    def rows(self, data: bytes) -> Rows:
        """The records of one block of whole lines."""
        # To Arrow a lone CR ends a line; to RFC 4180 it does not.
        lone = b"\r" in data and data.count(b"\r") != data.count(b"\r\n")
        if self._is_plain and not lone:
            table = self._table(data)
            if table is not None:
                quoted = str(self._plan.dialect.quote).encode() in data
                return _Cells(table, self._layout, self._reader, self._plan, quoted=quoted)
        return Records(self._records(data))

    def _records(self, data: bytes) -> list[dict[str, Any]]:
        found, at = [], 0
        while at < len(data):
            match = self._grammar.record.match(data, at)
            assert match
            bare = without_line_end(data[at : match.end() + 1])
            at = match.end() + 1
            if bare or len(self._layout.columns) == 1:
                found.append(self._reader.record(self._grammar.cells(bare)))
        return found

    def _table(self, data: bytes) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        names = [str(name) for name in self._layout.columns]
        try:
            return csv.read_csv(
                pa.BufferReader(data),
                read_options=csv.ReadOptions(
                    column_names=names, block_size=len(data) + 1, use_threads=False
                ),
                parse_options=csv.ParseOptions(
                    delimiter=self._separator,
                    quote_char=self._plan.dialect.quote,
                    newlines_in_values=True,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=["", *self._plan.dialect.null_tokens],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ).combine_chunks()
        except pa.ArrowInvalid:
            return None


class _Cells:
    """A block that Arrow has cut into cells."""

    def __init__(
        self, table: Any, layout: Layout, reader: CellReader, plan: Plan, *, quoted: bool
    ) -> None:
        self._table, self._layout, self._reader = table, layout, reader
        self._dialect = plan.dialect
        self._keeps_empty = plan.dialect.quoted_empty == "string"
        self._quoted = quoted
        self._readings = {column.name: column.reading for column in plan.columns}
        self.count: int = table.num_rows

    def column(self, name: str) -> Any:
        """Booleans, whose texts only the dialect knows."""
        import pyarrow as pa
        from pyarrow import compute

        texts = self.texts(name) if self._readings.get(name) == "boolean" else None
        if texts is None:
            return None
        yes, no = self._dialect.true_tokens, self._dialect.false_tokens
        found = compute.index_in(texts, value_set=pa.array([*yes, *no], pa.string()))
        if found.null_count > texts.null_count or set(yes) & set(no):
            return None
        return compute.less(found, len(yes))

    def texts(self, name: str) -> Any:
        import pyarrow as pa
        from pyarrow import compute

        if name not in self._layout.columns:
            return None
        column = self._table.column(name)
        array = column.chunk(0) if column.num_chunks else pa.array([], pa.string())
        # Without quotes, an empty cell is null already.
        if not self._quoted or (self._keeps_empty and self._readings.get(name) == "text"):
            return array
        nothing = pa.scalar(None, pa.string())
        return compute.if_else(compute.equal(array, ""), nothing, array)

    def values(self, name: str) -> Sequence[Any] | None:
        texts = self.texts(name)
        if texts is None:
            return None
        position = self._layout.columns.index(name)
        return [self._value(position, text) for text in texts.to_pylist()]

    def _value(self, position: int, text: str | None) -> Any:
        if text is None:
            return None
        # What is null is known by now, and text in quotes is never a null token.
        value = self._reader.value(position, Cell(text, quoted=True, broken=False))
        return None if value is ABSENT else value
