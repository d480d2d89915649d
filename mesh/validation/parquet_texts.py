"""Texts of a Parquet file that unpack to far more than the file says of itself.

A text stands in the dictionary of its column once, and each row may point at it: a megabyte makes
gigabytes of rows that are read together. How long they are is asked of the dictionaries, which are
read for that without being unpacked: only their lengths where all are short, as nearly always.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from mesh.validation.parquet_dictionaries import longest_text
from mesh.validation.report import FileRefusedError
from mesh.validation.spool import SharedFile

MOST_UNPACKED = 512 << 20
"""Bytes of the texts of as many rows as are read at once, at most."""
ROWS = 1 << 16
"""How many those are at most."""
_SHORT = MOST_UNPACKED // 4 // ROWS
"""Bytes of the texts of a row, on the average, of columns whose dictionaries are short."""


def refuse_unfolding(file: IO[bytes], metadata: Any) -> None:
    """Refuse a file whose texts do not fit into memory, before any is unpacked.

    Raises:
        FileRefusedError: As many rows as are read at once have texts of too many bytes.
    """
    rows = unpacked = 0
    shared = SharedFile(file)
    for number, paths in _folded(shared, metadata):
        for count, size in _sizes(shared, metadata, number, paths):
            if rows + count > ROWS:
                rows = unpacked = 0
            rows, unpacked = rows + count, unpacked + size
            if unpacked > MOST_UNPACKED:
                raise FileRefusedError(
                    "recordSize",
                    f"The texts of {', '.join(map(repr, paths))} in row group {number + 1} of the "
                    f"Parquet file unpack to more than {MOST_UNPACKED:,} bytes in {rows:,} rows.",
                    "Keep texts as long as that in files of their own, and refer to them.",
                )


def _folded(file: SharedFile, metadata: Any) -> Iterator[tuple[int, list[str]]]:
    """The columns of each row group whose texts may unpack to too much, if any do."""
    spare = MOST_UNPACKED // 4
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        paths: list[str] = []
        room = _SHORT * group.num_rows
        for place in range(group.num_columns):
            column = group.column(place)
            if column.physical_type != "BYTE_ARRAY":
                continue
            longest = longest_text(file, column)
            size = (
                spare + room + 1
                if longest is None
                else longest * max(column.num_values, group.num_rows)
            )
            if size <= room:
                room -= size
            elif size <= spare:  # small groups, and small files
                spare -= size
            else:
                paths.append(column.path_in_schema)
        yield number, paths


def _sizes(
    file: SharedFile, metadata: Any, number: int, paths: list[str]
) -> Iterator[tuple[int, int]]:
    """Rows that follow each other, and the bytes of their texts; 0 where they are sure to fit."""
    from pyarrow import parquet

    group = metadata.row_group(number)
    if not paths:
        yield group.num_rows, 0
        return
    values = max(group.column(place).num_values for place in range(group.num_columns))
    with parquet.ParquetFile(file.view(), pre_buffer=False, read_dictionary=paths) as opened:

        def batches(rows: int) -> Iterator[Any]:
            for batch in opened.iter_batches(
                batch_size=rows, row_groups=[number], columns=paths, use_threads=False
            ):
                batch.validate(full=True)
                yield batch

        first = next(batches(1), None)
        longest = sum(map(_longest, _texts(first))) if first is not None else 0
        if longest * values <= MOST_UNPACKED // ROWS * max(group.num_rows, 1):
            yield group.num_rows, 0
            return
        for batch in batches(ROWS):
            yield batch.num_rows, sum(map(_unpacked, _texts(batch)))


def _texts(batch: Any) -> Iterator[Any]:
    """The dictionaries of a batch, those within others too."""
    from pyarrow import types

    open_ = list(batch.columns)
    while open_:
        array = open_.pop()
        if types.is_dictionary(array.type):
            yield array
        elif types.is_struct(array.type):
            open_ += array.flatten()
        elif types.is_map(array.type):
            open_ += [array.keys, array.items]
        elif types.is_list(array.type) or types.is_large_list(array.type):
            open_.append(array.flatten())


def _longest(array: Any) -> int:
    from pyarrow import compute

    return compute.max(compute.binary_length(array.dictionary)).as_py() or 0


def _unpacked(array: Any) -> int:
    from pyarrow import compute

    sizes = compute.binary_length(array.dictionary).cast("int64")
    return compute.sum(sizes.take(array.indices)).as_py() or 0
