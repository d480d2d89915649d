"""Rows of a file as columns: as Arrow reads them, and as Polars looks at them.

Arrow reads, for its reader withstands what damaged files hold; Polars' ends the process on some.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from mesh.validation.parquet_texts import ROWS
from mesh.validation.plan import Key
from mesh.validation.spool import SharedFile

if TYPE_CHECKING:
    import polars as pl

_BATCH_BYTES = 16 << 20
_SAMPLE = 1 << 13
_REPEATED = 8
"""How often a text stands in a column, on average, that is read as a dictionary."""
_UNITS = ("ms", "us", "ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnBlock:
    """Some rows that follow each other.

    Attributes:
        batch: An Arrow record batch; texts that repeat may be read as dictionaries.
        schema: The columns as the file has them.
    """

    batch: Any
    schema: Any

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    def taken(self, rows: pl.Series | None) -> Any:
        """Those rows that are true, or of these numbers, or (None) all, typed as in the file."""
        import polars as pl

        some = self.batch
        if rows is not None:
            chosen = rows.to_arrow()
            some = some.filter(chosen) if rows.dtype == pl.Boolean else some.take(chosen)
        return some if some.schema.equals(self.schema) else some.cast(self.schema)

    def plain(self) -> list[int]:
        """The positions of the columns that Polars knows as they are."""
        return [n for n, kind in enumerate(self.batch.schema.types) if is_known(kind)]

    def frame(self, places: Sequence[int]) -> pl.DataFrame:
        """Columns at some positions, named by them."""
        import polars as pl
        import pyarrow as pa
        from pyarrow import types

        columns = [self.batch.column(place) for place in places]
        columns = [
            column.dictionary_decode() if types.is_dictionary(column.type) else column
            for column in columns
        ]
        made = pl.from_arrow(pa.Table.from_arrays(columns, names=list(map(str, places))))
        assert isinstance(made, pl.DataFrame)
        return made


class ParquetColumns:
    """A Parquet file block by block, as often as needed, also at the same time.

    Args:
        file: The whole file.
        parquet: The same, opened.
        names: The columns that are to be read.

    Attributes:
        names: The same.
        rows: Of the whole file.
    """

    def __init__(self, file: IO[bytes], parquet: Any, names: Sequence[str]) -> None:
        self._file, self._metadata = SharedFile(file), parquet.metadata
        self.names = list(names)
        self.rows: int = parquet.metadata.num_rows
        schema = parquet.schema_arrow
        fields = [schema.field(name) for name in names]
        self._schema = _schema(fields, schema.metadata)

    def places(self, key: Key) -> list[int] | None:
        """The positions of a key's columns; None where the file does not have them all."""
        if not set(key.fields) <= set(self.names):
            return None
        return [self.names.index(name) for name in key.fields]

    def can_be_hashed(self, places: Sequence[int]) -> bool:
        """Whether equal values of the columns at these positions have equal hashes in Polars."""
        from pyarrow import types

        kinds = [self._schema.field(place).type for place in places]
        plain = [kind.value_type if types.is_dictionary(kind) else kind for kind in kinds]
        return all(is_known(kind) and not types.is_nested(kind) for kind in plain)

    @property
    def can_be_taken(self) -> bool:
        """Whether some rows can be taken out of a block: Arrow does not do so with views."""
        return not any(map(_has_views, self._schema.types))

    def blocks(self) -> Generator[ColumnBlock, None, None]:
        """All rows."""
        repeating: list[str] = []
        if self.rows > ROWS:
            first = next(self._batches(self.names, [], _SAMPLE), None)
            repeating = [] if first is None else _repeating(first)
        for batch in self._batches(self.names, repeating):
            yield ColumnBlock(batch=batch.select(self.names), schema=self._schema)

    def _batches(
        self, names: Sequence[str], repeating: Sequence[str], rows: int = 0
    ) -> Iterator[Any]:
        from pyarrow import parquet

        # What is buffered ahead is not given back, and memory would grow with the file.
        with parquet.ParquetFile(
            self._file.view(), pre_buffer=False, read_dictionary=list(repeating)
        ) as opened:
            size = rows or rows_per_batch(self._metadata, ROWS)
            for batch in opened.iter_batches(batch_size=size, columns=list(names)):
                batch.validate(full=True)
                yield batch


def is_known(kind: Any) -> bool:
    """Whether Polars knows an Arrow type as it is."""
    from pyarrow import types

    if types.is_struct(kind):
        return bool(kind.num_fields) and all(is_known(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind):
        return is_known(kind.value_type)
    if types.is_decimal(kind):
        return bool(types.is_decimal128(kind) and 0 <= kind.scale <= kind.precision)
    if types.is_timestamp(kind):
        return kind.unit in _UNITS
    tests = (
        types.is_boolean, types.is_integer, types.is_float32, types.is_float64, types.is_date32,
        types.is_time, types.is_string, types.is_large_string,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _has_views(kind: Any) -> bool:
    """Whether an Arrow type is one of views, or has one within."""
    from pyarrow import types

    if types.is_nested(kind):
        return any(_has_views(kind.field(n).type) for n in range(kind.num_fields))
    return bool(types.is_string_view(kind) or types.is_binary_view(kind))


def _schema(fields: Sequence[Any], metadata: Any) -> Any:
    import pyarrow as pa

    return pa.schema(fields, metadata)


def _repeating(batch: Any) -> list[str]:
    """Columns of texts that repeat."""
    from pyarrow import compute, types

    names = [field.name for field in batch.schema if types.is_string(field.type)]
    most = batch.num_rows // _REPEATED
    return [name for name in names if compute.count_distinct(batch.column(name)).as_py() <= most]


def rows_per_batch(metadata: Any, most: int) -> int:
    """How many rows of a file are read together: of some megabytes, and at most so many."""
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    width = max(size // max(metadata.num_rows, 1), 16)
    return int(min(max(_BATCH_BYTES // width, 64), most))
