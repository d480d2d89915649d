"""The types that files bring themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mesh.validation.file_columns import FileColumn
from mesh.validation.file_format import FileFormat
from mesh.validation.spool import spooled


def own_columns(pieces: Iterable[bytes], file_format: FileFormat) -> list[FileColumn]:
    """The columns of a file that says their types; none of other formats.

    Args:
        pieces: A decompressed file that is known to be readable.
    """
    if file_format.kind not in {"parquet", "avro"}:
        return []
    with spooled(pieces) as file:
        if file_format.kind == "parquet":
            from pyarrow import parquet

            from mesh.validation.arrow_text import file_column

            with parquet.ParquetFile(file, pre_buffer=False) as data:
                return [file_column(field) for field in data.schema_arrow]
        import fastavro

        from mesh.validation.avro_reader import file_field

        schema: Any = fastavro.reader(file).writer_schema
        return [file_field(field) for field in schema["fields"]]
