"""Bad records of Parquet and Avro files, written with the schema and codec they came with."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

from mesh.validation.arrow_text import json_text
from mesh.validation.origins import AvroRows, ParquetRows
from mesh.validation.reject_file import UnwritableError
from mesh.validation.report import RejectedRecord
from mesh.validation.writable import Stream, Writable

_GROUP_BYTES = 8 << 20
_GROUP_ROWS = 1 << 16
_CODECS = frozenset({"snappy", "gzip", "brotli", "lz4", "zstd"})


class ParquetBody:
    """Takes rows out of the batches they came in; row groups of about 8 MiB."""

    def __init__(self, to: Writable) -> None:
        self._to = Stream(to)
        self._writer: Any = None
        self._rows: ParquetRows | None = None
        self._indices: list[int] = []
        self._held: list[Any] = []

    def add(self, record: RejectedRecord) -> None:
        rows = record.origin.rows if record.origin else None
        if not isinstance(rows, ParquetRows):
            raise UnwritableError
        if self._rows is not rows:
            self._take()
            self._rows = rows
        assert record.origin  # it has rows
        self._indices.append(record.origin.index)

    def finish(self) -> None:
        self._take()
        self._flush()
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _take(self) -> None:
        """Copy the rows out of their batch, so that it can go."""
        if self._rows is None or not self._indices:
            return
        import pyarrow as pa

        try:
            self._held.append(self._rows.batch.take(pa.array(self._indices)))
        except pa.ArrowException:
            raise UnwritableError from None
        self._indices = []
        sizes = [batch.nbytes for batch in self._held]
        if sum(sizes) > _GROUP_BYTES or sum(map(len, self._held)) > _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        import pyarrow as pa
        from pyarrow import parquet

        assert self._rows is not None  # what is held was taken from some
        held, self._held = self._held, []
        codec = self._rows.codec.lower()
        try:
            table = pa.Table.from_batches(held)
            if self._writer is None:
                self._writer = parquet.ParquetWriter(
                    self._to,
                    table.schema,
                    compression=codec if codec in _CODECS else "none",
                )
            self._writer.write_table(table)
        except pa.ArrowException:
            raise UnwritableError from None


class AvroBody:
    """Writes records with the schema of the file, each once it is known to read the same."""

    def __init__(self, to: Writable) -> None:
        self._to = Stream(to)
        self._writer: Any = None
        self._schema: Any = None

    def add(self, record: RejectedRecord) -> None:
        rows = record.origin.rows if record.origin else None
        if not isinstance(rows, AvroRows):
            raise UnwritableError
        assert record.origin  # it has rows
        value = rows.records[record.origin.index]
        try:
            if self._writer is None:
                self._open(rows)
            if not self._reads_the_same(value):
                raise UnwritableError
            self._writer.write(value)
        except UnwritableError:
            raise
        except Exception as error:  # the library raises whatever a value leads it to
            raise UnwritableError from error

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Nothing is open."""

    def _open(self, rows: AvroRows) -> None:
        import fastavro
        from fastavro.write import Writer

        # Named after the schema, not by chance: judging twice writes the same.
        marker = hashlib.sha256(rows.schema.encode()).digest()[:16]
        schema = json.loads(rows.schema)
        self._schema = fastavro.parse_schema(schema)
        stream: Any = self._to  # it writes to anything with these methods
        self._writer = Writer(stream, schema, codec=rows.codec, sync_marker=marker)

    def _reads_the_same(self, value: Any) -> bool:
        import fastavro

        written = io.BytesIO()
        fastavro.schemaless_writer(written, self._schema, value)
        written.seek(0)
        return json_text(fastavro.schemaless_reader(written, self._schema, None)) == json_text(
            value
        )
