"""Rows of a file as columns: for Polars to look at, and as Arrow reads them from the file.

Polars reads a Parquet file in half the time. Where its types are not sure to mean what Arrow's
mean, where it fails, and where row groups are huge, Arrow reads.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from mesh.validation.plan import Key
from mesh.validation.spool import IN_MEMORY

if TYPE_CHECKING:
    import polars as pl

_SLICE_BYTES = 32 << 20
_SLICE_ROWS = 1 << 17
_MOST_SLICES = 8
"""Polars looks at the pages of a row group again for each slice of it."""
_UNITS = ("ms", "us", "ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnBlock:
    """Some rows that follow each other.

    Attributes:
        rows: How many.
        frame: Those columns that Polars can look at, named by their position (`0`, `1`, …).
        taken: Gives some rows as one Arrow record batch of all columns, typed as the file says:
            those of some numbers, those that are true, or (None) all. Raises
            `pyarrow.ArrowException` where they are not sound.
    """

    rows: int
    frame: pl.DataFrame
    taken: Callable[[pl.Series | None], Any]


class ParquetColumns:
    """A Parquet file block by block, as often as needed.

    Args:
        file: The whole file.
        parquet: The same, opened.
        names: The columns that are to be read.

    Attributes:
        names: The same.
        rows: Of the whole file.
    """

    def __init__(self, file: IO[bytes], parquet: Any, names: Sequence[str]) -> None:
        self._parquet, self.names = parquet, list(names)
        self.rows: int = parquet.metadata.num_rows
        schema = parquet.schema_arrow
        self._fields = [schema.field(name) for name in names]
        self._numbers = [schema.get_field_index(name) for name in names]
        self._source = _source(file)
        self._is_sure = all(map(_is_same, self._fields)) and not _has_int96(parquet)

    def places(self, key: Key) -> list[int] | None:
        """The positions of a key's columns; None where the file does not have them all."""
        if not set(key.fields) <= set(self.names):
            return None
        return [self.names.index(name) for name in key.fields]

    def can_be_hashed(self, places: Sequence[int]) -> bool:
        """Whether equal values of the columns at these positions have equal hashes in Polars."""
        return all(_is_scalar(self._fields[place].type) for place in places)

    def blocks(self, wanted: Sequence[int] | None = None) -> Iterator[ColumnBlock]:
        """All rows, of all columns or of those at some positions."""
        kept = range(len(self.names)) if wanted is None else wanted
        for groups, start, stop in _spans(self._parquet.metadata):
            yield from self._span(groups, start, stop, kept)

    def _span(
        self, groups: range, start: int, stop: int, kept: Sequence[int]
    ) -> Iterator[ColumnBlock]:
        size = sum(self._parquet.metadata.row_group(n).total_byte_size for n in groups)
        slices = max(-(-size // _SLICE_BYTES), -(-(stop - start) // (2 * _SLICE_ROWS)), 1)
        at = start
        if self._is_sure and slices <= _MOST_SLICES:
            step = -(-(stop - start) // slices)
            while at < stop:
                block = self._read(at, min(step, stop - at), kept)
                if block is None:
                    break
                yield block
                at += block.rows
        if at < stop:
            yield from self._by_arrow(groups, at - start, kept)

    def _read(self, start: int, rows: int, kept: Sequence[int]) -> ColumnBlock | None:
        """As Polars reads it; None where it cannot."""
        import polars as pl
        import pyarrow as pa

        known = self._parquet.schema_arrow.metadata
        schema = pa.schema([self._fields[number] for number in kept], known)
        try:
            places = [self._numbers[number] for number in kept]
            lazy = pl.scan_parquet(self._source, glob=False).slice(start, rows)
            frame = lazy.select(pl.nth(*places)).collect()
            frame.columns = [str(number) for number in kept]
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return None
        if frame.height != rows or any(map(_differs, frame.dtypes, schema.types)):
            return None

        def taken(rows: pl.Series | None) -> Any:
            some = frame
            if rows is not None:
                some = frame.filter(rows) if rows.dtype == pl.Boolean else frame[rows]
            plain = some.to_arrow(compat_level=pl.CompatLevel.oldest())
            return _one_batch(plain.rename_columns(schema.names).cast(schema))

        return ColumnBlock(rows=rows, frame=frame, taken=taken)

    def _by_arrow(self, groups: range, before: int, kept: Sequence[int]) -> Iterator[ColumnBlock]:
        """As Arrow reads it, without the first rows."""
        names = [self.names[number] for number in kept]
        rows = _rows_per_batch(self._parquet.metadata)
        for read in self._parquet.iter_batches(
            batch_size=rows, row_groups=list(groups), columns=names, use_threads=False
        ):
            skipped = min(before, read.num_rows)
            before -= skipped
            if skipped < read.num_rows:
                read.validate(full=True)
                yield _arrow_block(read.slice(skipped).select(names), kept)


def _arrow_block(batch: Any, kept: Sequence[int]) -> ColumnBlock:
    import polars as pl
    import pyarrow as pa

    seen = [n for n, kind in enumerate(batch.schema.types) if _is_known(kind)]
    columns = [batch.column(n) for n in seen]
    table = pa.Table.from_arrays(columns, names=[str(kept[n]) for n in seen])
    frame = pl.from_arrow(table) if seen else pl.DataFrame()
    assert isinstance(frame, pl.DataFrame)

    def taken(rows: pl.Series | None) -> Any:
        if rows is None:
            return batch
        chosen = rows.to_arrow()
        return batch.filter(chosen) if rows.dtype == pl.Boolean else batch.take(chosen)

    return ColumnBlock(rows=batch.num_rows, frame=frame, taken=taken)


def _one_batch(table: Any) -> Any:
    import pyarrow as pa

    batches = table.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    batch.validate(full=True)
    return batch


def _source(file: IO[bytes]) -> IO[bytes]:
    """The file in a form that Polars maps into memory instead of copying it."""
    size = file.seek(0, 2)
    file.seek(0)
    if size <= IN_MEMORY:
        return io.BytesIO(file.read())
    file.flush()
    return os.fdopen(os.dup(file.fileno()), "rb")


def _spans(metadata: Any) -> Iterator[tuple[range, int, int]]:
    """Row groups, the small ones together, and the rows that they hold."""
    first = start = at = size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        grown = size + group.total_byte_size
        if at > start and (at + group.num_rows - start > _SLICE_ROWS or grown > _SLICE_BYTES):
            yield range(first, number), start, at
            first, start, grown = number, at, group.total_byte_size
        at, size = at + group.num_rows, grown
    if at > start:
        yield range(first, metadata.num_row_groups), start, at


def _is_scalar(kind: Any) -> bool:
    """Whether Polars knows an Arrow type as it is, and it has no parts."""
    from pyarrow import types

    return _is_known(kind) and not types.is_nested(kind)


def _has_int96(parquet: Any) -> bool:
    schema = parquet.schema
    return any(schema.column(n).physical_type == "INT96" for n in range(len(schema.names)))


def _is_same(field: Any) -> bool:
    """Whether Polars surely reads the same values as Arrow: of plain types alone."""
    from pyarrow import types

    kind = field.type
    return _is_scalar(kind) and not types.is_dictionary(kind)


def _is_known(kind: Any) -> bool:
    """Whether Polars knows an Arrow type as it is."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return bool(types.is_string(kind.value_type) or types.is_large_string(kind.value_type))
    if types.is_struct(kind):
        return bool(kind.num_fields) and all(_is_known(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_known(kind.value_type)
    if types.is_decimal(kind):
        return bool(types.is_decimal128(kind) and 0 <= kind.scale <= kind.precision)
    if types.is_timestamp(kind):
        return kind.unit in _UNITS
    tests = (
        types.is_boolean, types.is_integer, types.is_float32, types.is_float64, types.is_date32,
        types.is_time, types.is_string, types.is_large_string,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _differs(kind: pl.DataType, wanted: Any) -> bool:
    """Whether Polars has read another type than Arrow would."""
    import polars as pl
    import pyarrow as pa

    told = pl.Series("", pa.array([], wanted)).dtype
    if isinstance(told, pl.Datetime) and isinstance(kind, pl.Datetime):
        zoned = (told.time_zone is None) == (kind.time_zone is None)
        return told.time_unit != kind.time_unit or not zoned
    return told != kind


def _rows_per_batch(metadata: Any) -> int:
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    width = max(size // max(metadata.num_rows, 1), 16)
    return int(min(max((_SLICE_BYTES // 2) // width, 64), _SLICE_ROWS))
