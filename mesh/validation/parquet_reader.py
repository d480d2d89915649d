"""Judges Parquet files block by block, once their columns are known to be the contract's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import IO, Any

from mesh.validation.allocators import give_columns_back
from mesh.validation.arrow_text import batch_lines, file_column
from mesh.validation.column_blocks import ParquetColumns, rows_per_batch
from mesh.validation.column_reader import ColumnReader, can_judge
from mesh.validation.file_columns import compare_columns
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.keys import KeyIndex
from mesh.validation.origins import ParquetRows
from mesh.validation.parquet_texts import refuse_unfolding
from mesh.validation.plan import Plan
from mesh.validation.record_lines import PlacedTally, RecordLines
from mesh.validation.report import FileRefusedError, Limits
from mesh.validation.spool import spooled

MOST_GROUP = 2 << 30
MOST_FOOTER = 16 << 20
"""It takes some fifteen times as much in memory."""
_BATCH_ROWS = 1 << 13
_ENCRYPTED = b"PARE"


def judge_parquet(
    plan: Plan,
    pieces: Iterable[bytes],
    tally: PlacedTally,
    limits: Limits,
    keys: KeyIndex | None = None,
) -> None:
    """Judge a Parquet file; `keys` are those of records that it joins.

    Raises:
        FileRefusedError: It cannot be read, or its columns are not the contract's.
    """
    import pyarrow as pa

    give_columns_back()
    with spooled(pieces) as file:
        parquet = _opened(file)
        try:
            columns = [file_column(field) for field in parquet.schema_arrow]
            names = compare_columns(plan, columns)
            _refuse_huge(parquet.metadata)
            _refuse_long(parquet.metadata, limits)
            refuse_unfolding(file, parquet.metadata)
            found = ParquetColumns(file, parquet, names)
            if limits.fast and keys is None and can_judge(plan, found):
                codec = partial(_codec, parquet, names[0])
                reader = ColumnReader(plan, found, codec, tally, limits)
                reader.judge()
            else:
                _judge_lines(JsonLinesReader(plan, tally, limits, keys), parquet, names, tally)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise _unreadable(error) from None
        finally:
            parquet.close()


def _judge_lines(
    reader: JsonLinesReader, parquet: Any, names: Sequence[str], tally: PlacedTally
) -> None:
    """Judge row by row, as lines of JSON."""
    rows = rows_per_batch(parquet.metadata, _BATCH_ROWS)
    for batch in parquet.iter_batches(batch_size=rows, columns=list(names), use_threads=False):
        batch.validate(full=True)
        codec = _codec(parquet, names[0]) if names else ""
        data = batch_lines(batch, names)
        tally.place(RecordLines(data=data, origin=ParquetRows(batch=batch, codec=codec)))
        reader.feed(data)


def _opened(file: IO[bytes]) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    head = file.read(4)
    size = file.seek(0, 2)
    file.seek(max(size - 8, 0))
    end = file.read(8)
    tail = end[-4:]
    file.seek(0)
    if _ENCRYPTED in {head, tail}:
        raise FileRefusedError(
            "encrypted", "The Parquet file is encrypted.", "Send it without Parquet encryption."
        )
    if head != b"PAR1":
        raise FileRefusedError(
            "parquet",
            "The file is no Parquet file: it does not begin with PAR1.",
            "Name the file by its format, or write it as Parquet.",
        )
    if tail != b"PAR1":
        raise FileRefusedError(
            "parquet",
            "The Parquet file is cut short: its end is missing.",
            "Send the whole file again.",
        )
    _refuse_described(int.from_bytes(end[:4], "little"), size)
    try:
        # What is buffered ahead is not given back, and memory would grow with the file.
        return parquet.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(error) from None


def _refuse_described(size: int, most: int) -> None:
    if MOST_FOOTER < size <= most:  # what claims more than there is is damaged
        raise FileRefusedError(
            "recordSize",
            f"The description of columns and row groups at the end of the Parquet file has "
            f"{size:,} bytes; the most is {MOST_FOOTER:,}.",
            "Write fewer and larger row groups, and only the columns of the contract.",
        )


def _refuse_huge(metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).total_byte_size
        if size > MOST_GROUP:
            raise FileRefusedError(
                "recordSize",
                f"Row group {number + 1} of the Parquet file has {size:,} bytes; the most is "
                f"{MOST_GROUP:,}.",
                "Write smaller row groups; a million rows or 128 MiB are usual.",
            )


def _refuse_long(metadata: Any, limits: Limits) -> None:
    """Refuse values that are too long on the average, before any is unpacked."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.total_byte_size <= limits.record_bytes:
            continue
        for place in range(group.num_columns):
            column = group.column(place)
            mean = column.total_uncompressed_size // max(column.num_values, 1)
            if mean > limits.record_bytes:
                raise FileRefusedError(
                    "recordSize",
                    f"The values of {column.path_in_schema!r} in row group {number + 1} have "
                    f"{mean:,} bytes on the average; a record has at most {limits.record_bytes:,}.",
                    "Keep what is as large as that in files of its own, and refer to them.",
                )


def _codec(parquet: Any, name: str) -> str:
    """What a column is compressed with that has been read.

    Of one that has not, Arrow may end the process when the file is damaged.
    """
    schema = parquet.schema
    leaves = range(len(schema.names))
    leaf = next(n for n in leaves if schema.column(n).path.partition(".")[0] == name)
    return str(parquet.metadata.row_group(0).column(leaf).compression)


def _unreadable(error: Exception) -> FileRefusedError:
    said = str(error).split("\n", 1)[0].rstrip(".")[:200]
    said = "".join(mark for mark in said if mark.isprintable() and mark != "\ufffd").strip(" :")
    return FileRefusedError(
        "parquet", f"The Parquet file cannot be read: {said}.", "Write it again and resend it."
    )
