"""Accepted records as Parquet, typed by the contract, in memory that does not grow with them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO, Any

from mesh.validation.accepted_json import JsonBlocks
from mesh.validation.accepted_rows import Columns, CsvBlocks, Rows
from mesh.validation.allocators import give_columns_back
from mesh.validation.arrow_types import typed_columns
from mesh.validation.arrow_values import Converter, TooNarrowError
from mesh.validation.beside import Beside
from mesh.validation.column_statistics import ColumnStatistics, repetitive
from mesh.validation.file_format import FileFormat
from mesh.validation.partitions import PublishedPart, Target, write_parts
from mesh.validation.plan import Plan
from mesh.validation.published_file import PublishedColumn, PublishedFile
from mesh.validation.report import ColumnRows
from mesh.validation.writable import Writable

_GROUP_BYTES = 4 << 20
_IN_MEMORY = 8 << 20
_PIECE = 1 << 20


class TypedParquet:
    """Takes accepted records as they came, and writes them as Parquet.

    Blocks of about 4 MiB of text become row groups: while one comes, the one before is converted,
    and the one before that is written. The file grows in memory up to 8 MiB, then on the temporary
    disk, since a column that turns out too narrow for a value is widened in what is already
    written.
    """

    def __init__(self, plan: Plan, file_format: FileFormat) -> None:
        give_columns_back()
        self._plan, self._format = plan, file_format
        self._columns = typed_columns(plan)
        self._converters = [Converter(column) for column in self._columns]
        dated = {one.field for one in plan.freshness if not one.obstacle}
        self._statistics = [
            ColumnStatistics(sensitive=column.sensitive, dated=column.name in dated)
            for column in self._columns
        ]
        self._held: list[bytes | ColumnRows] = []
        self._size = 0
        self._converting = Beside()
        self._writing = Beside()  # what is below is touched there alone, or when nothing is there
        self._rows = 0
        self._file = _temporary()
        self._writer: Any = None
        self._repetitive: list[str] | bool = True
        self._csv: CsvBlocks | None = None
        self._json = JsonBlocks(self._columns)
        if file_format.records_kind == "csv" and not plan.dialect.header:
            self._csv = CsvBlocks(plan, file_format, None)

    def header(self, data: bytes) -> None:
        """The header of a delimited file."""
        self._csv = CsvBlocks(self._plan, self._format, data)

    def add(self, data: bytes) -> None:
        """Accepted records, whole, with their line ends."""
        self._held.append(data)
        self._size += len(data)
        if self._size >= _GROUP_BYTES:
            self._flush()

    def add_columns(self, rows: ColumnRows) -> None:
        """Accepted records that came as columns."""
        self._held.append(rows)
        self._size += rows.size
        if self._size >= _GROUP_BYTES:
            self._flush()

    def finish(self, to: Writable) -> PublishedFile:
        """Write the file."""
        self._end()
        digest, size = hashlib.sha256(), self._file.tell()
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            self._writing.do(partial(digest.update, piece))
            to.write(piece)
        self._writing.wait()
        return self._published(size, digest.hexdigest())

    def finish_parts(self, opened: Callable[[str], Target]) -> PublishedFile:
        """Write the rows in Hive-style folders by the plan's partition keys.

        Raises:
            FileRefusedError: There are too many partitions, or a value is too long for a folder.
        """
        self._end()
        self._file.seek(0)
        parts = write_parts(self._file, self._plan.partition_keys, opened)
        lines = "".join(f"{part.sha256}  {part.path}\n" for part in parts)
        size = sum(part.byte_size for part in parts)
        return self._published(size, hashlib.sha256(lines.encode()).hexdigest(), parts)

    def _published(
        self, size: int, digest: str, parts: tuple[PublishedPart, ...] = ()
    ) -> PublishedFile:
        return PublishedFile(
            rows=self._rows,
            byte_size=size,
            sha256=digest,
            parts=parts,
            fingerprint=hashlib.sha256(str(self._schema()).encode()).hexdigest(),
            columns=tuple(
                PublishedColumn(
                    name=column.name,
                    type=str(made.type),
                    rounded=made.rounded,
                    **told.summary(),
                )
                for column, made, told in zip(
                    self._columns, self._converters, self._statistics, strict=True
                )
            ),
        )

    def close(self) -> None:
        """Let go of the temporary file."""
        self._converting.close()
        self._writing.close()
        try:
            if self._writer is not None:  # or it would write its end when it is collected
                self._writer.close()
        finally:
            self._file.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held:
            self._converting.do(partial(self._convert, held))

    def _end(self) -> None:
        self._flush()
        self._converting.wait()
        self._writing.wait()
        self._opened().close()

    def _convert(self, held: list[bytes | ColumnRows]) -> None:
        blocks = self._blocks(held)
        if count := sum(rows.count for rows in blocks):
            pairs = zip(self._columns, self._converters, strict=True)
            arrays = [self._array(made, blocks, column.name) for column, made in pairs]
            blocks.clear()  # what is let go of need not be in memory with what is written
            self._writing.do(partial(self._write, arrays, count))

    def _blocks(self, held: list[bytes | ColumnRows]) -> list[Rows]:
        """The rows of a group, of which nothing else is kept."""
        text = b"".join(part for part in held if isinstance(part, bytes))  # it comes first
        columns = [part for part in held if not isinstance(part, bytes)]
        held.clear()
        reads = self._csv or self._json
        blocks: list[Rows] = [reads.rows(text)] if text else []
        return blocks + [Columns(part.batch()) for part in columns]

    def _array(self, made: Converter, blocks: Sequence[Rows], name: str) -> Any:
        """The array of one column; widens the column as far as its values need it."""
        import pyarrow as pa

        before = made.rounded
        while True:
            try:
                parts = [_part(made, rows, name) for rows in blocks]
            except TooNarrowError:
                made.rounded = before
                self._widen(made)
            else:
                return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)

    def _widen(self, made: Converter) -> None:
        """Give a column its next type, in what is written too."""
        from pyarrow import parquet

        self._writing.wait()
        made.widen()
        if self._writer is None:
            return
        self._writer.close()
        written, self._file, self._writer = self._file, _temporary(), None
        written.seek(0)
        with parquet.ParquetFile(written, pre_buffer=False) as before:
            for number in range(before.num_row_groups):
                table = before.read_row_group(number)
                self._opened().write_table(table.cast(self._schema()))
        written.close()

    def _write(self, arrays: list[Any], rows: int) -> None:
        import pyarrow as pa

        table = pa.Table.from_arrays(arrays, schema=self._schema())
        if not self._rows:
            self._repetitive = repetitive(table)
        self._opened().write_table(table)
        self._rows += rows
        for told, array in zip(self._statistics, arrays, strict=True):
            told.add(array)

    def _schema(self) -> Any:
        import pyarrow as pa

        pairs = zip(self._columns, self._converters, strict=True)
        return pa.schema([(column.name, made.type) for column, made in pairs])

    def _opened(self) -> Any:
        from pyarrow import parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(
                self._file,
                self._schema(),
                compression="zstd",
                use_dictionary=self._repetitive,
            )
        return self._writer


def _part(made: Converter, rows: Rows, name: str) -> Any:
    """One column of some rows.

    Raises:
        TooNarrowError: A value does not fit; the column has to be widened first.
    """
    import pyarrow as pa

    column = rows.column(name)
    if column is not None and (array := made.column(column)) is not None:
        return array
    texts = rows.texts(name)
    if texts is not None and (array := made.texts(texts)) is not None:
        return array
    values = rows.values(name)
    return pa.nulls(rows.count, made.type) if values is None else made.array(values)


def _temporary() -> IO[bytes]:
    # Closed by its owner, and so deleted.
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
