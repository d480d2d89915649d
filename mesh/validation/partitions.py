"""Published Parquet in Hive-style folders: `country=CH/day=2026-11-30/part-0.parquet`.

The fields of the folders are not in the files, as readers of such folders expect it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol

from mesh.validation.column_statistics import repetitive
from mesh.validation.report import FileRefusedError
from mesh.validation.writable import Stream

MOST = 256
"""Partitions of one file: each is a blob, and so a transaction."""

OPEN = 16
"""Partitions that are written at the same time; the file is read once for so many."""

LONGEST = 200
"""Characters of a folder's name."""

NULL = "__HIVE_DEFAULT_PARTITION__"
FILE = "part-0.parquet"
_HELD_BYTES = 2 << 20
_ESCAPED = frozenset("\"#%'*/:=?\\{}[]^<>|&+ \x7f")


class Target(Protocol):
    """A part in the making: a blob."""

    def write(self, data: bytes, /) -> object: ...
    def commit(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPart:
    """What was written of one partition.

    Attributes:
        path: Below the folder of the published data.
        values: Of the fields of the folders; None for null, and for an empty text.
    """

    path: str
    rows: int
    byte_size: int
    sha256: str
    values: Mapping[str, str | None]


def write_parts(
    file: IO[bytes], keys: Sequence[str], opened: Callable[[str], Target]
) -> tuple[PublishedPart, ...]:
    """Write the rows of a Parquet file, partition by partition, in the order of their paths.

    Args:
        file: As published data is typed.
        keys: Names of the columns to part by, outermost first.
        opened: Opens the part of a path; what is committed has all its rows.

    Raises:
        FileRefusedError: There are too many partitions, or a value is too long for a folder.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(file, pre_buffer=False) as data:
        found: dict[str, tuple[str | None, ...]] = {}
        for number in range(data.num_row_groups):
            found.update(_paths(data.read_row_group(number, columns=list(keys)), keys)[1])
            if len(found) > MOST:
                raise _too_many(keys)
        if not found:
            return (_nothing(data.schema_arrow, keys, opened),)
        paths = sorted(found)
        parts: list[PublishedPart] = []
        for start in range(0, len(paths), OPEN):
            chosen = {path: _Part(opened(f"{path}/{FILE}")) for path in paths[start : start + OPEN]}
            for number in range(data.num_row_groups):
                _share(data.read_row_group(number), keys, chosen)
            parts += [part.finish(path, keys, found[path]) for path, part in chosen.items()]
    return tuple(parts)


def folder_name(key: str, value: str | None) -> str:
    """`KEY=VALUE`, escaped as Hive does it; characters beyond ASCII stay.

    A value ends in no dot, which blob storage would drop, and is not taken for null by chance.
    """
    if not value:
        return f"{_escaped(key)}={NULL}"
    text = _escaped(value)
    if text.endswith("."):
        text = f"{text[:-1]}%2E"
    return f"{_escaped(key)}={'%5F' + text[1:] if text == NULL else text}"


def _escaped(text: str) -> str:
    return "".join(
        f"%{ord(letter):02X}" if letter in _ESCAPED or letter < " " else letter for letter in text
    )


@dataclass(slots=True)
class _Part:
    """One partition while it is written; a little is held, so that row groups are not tiny."""

    target: Target
    rows: int = 0
    size: int = 0
    waiting: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    held: list[Any] = field(default_factory=list)
    writer: Any = None

    def write(self, data: bytes, /) -> None:
        self.digest.update(data)
        self.size += len(data)
        self.target.write(data)

    def add(self, table: Any) -> None:
        self.held.append(table)
        self.rows += table.num_rows
        self.waiting += table.nbytes
        if self.waiting > _HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.concat_tables(self.held)
        self.held, self.waiting = [], 0
        if self.writer is None:
            self.writer = parquet.ParquetWriter(
                Stream(self), table.schema, compression="zstd", use_dictionary=repetitive(table)
            )
        self.writer.write_table(table)

    def finish(self, path: str, keys: Sequence[str], values: Sequence[str | None]) -> PublishedPart:
        if self.held:
            self.flush()
        self.writer.close()
        self.target.commit()
        return PublishedPart(
            path=f"{path}/{FILE}",
            rows=self.rows,
            byte_size=self.size,
            sha256=self.digest.hexdigest(),
            values=dict(zip(keys, values, strict=True)),
        )


def _nothing(schema: Any, keys: Sequence[str], opened: Callable[[str], Target]) -> PublishedPart:
    """A file without rows, so that readers of the folder find the columns."""
    part = _Part(opened(FILE))
    part.add(schema.empty_table().drop_columns(list(keys)))
    return replace(part.finish("", (), ()), path=FILE)


def _share(table: Any, keys: Sequence[str], chosen: Mapping[str, _Part]) -> None:
    """Give each of the chosen partitions its rows of a table, in their order."""
    import numpy as np
    import pyarrow as pa

    numbers, found = _paths(table, keys)
    order = pa.array(np.argsort(numbers, kind="stable"))
    counts = np.bincount(numbers, minlength=len(found)).tolist()
    rest, start = table.drop_columns(list(keys)), 0
    for path, count in zip(found, counts, strict=True):
        if path in chosen:
            chosen[path].add(rest.take(order.slice(start, count)))
        start += count


def _paths(table: Any, keys: Sequence[str]) -> tuple[Any, dict[str, tuple[str | None, ...]]]:
    """The number of each row's path, from 0, and the paths with the values they stand for."""
    import numpy as np
    import pyarrow as pa

    numbers: Any = np.zeros(table.num_rows, np.int64)
    ways: list[tuple[str, tuple[str | None, ...]]] = [("", ())]
    for key in keys:
        coded = table.column(key).combine_chunks().dictionary_encode(null_encoding="encode")
        texts = coded.dictionary.cast(pa.string()).to_pylist()
        names = [folder_name(key, text) for text in texts]
        _refuse_long(key, names)
        both = pa.array(numbers * len(texts) + coded.indices.to_numpy()).dictionary_encode()
        numbers = both.indices.to_numpy().astype(np.int64)
        before, ways = ways, []
        for at in both.dictionary.to_pylist():
            (path, values), last = before[at // len(texts)], at % len(texts)
            ways.append((f"{path}/{names[last]}", (*values, texts[last] or None)))
    found = {path[1:]: values for path, values in ways}
    if len(found) > MOST:
        raise _too_many(keys)
    places = {path: number for number, path in enumerate(found)}  # null and "" share one
    return np.array([places[path[1:]] for path, _ in ways], np.uint16)[numbers], found


def _refuse_long(key: str, texts: Sequence[str]) -> None:
    if any(len(text) > LONGEST for text in texts):
        raise FileRefusedError(
            "partitions",
            f"A value of {key} is too long for the name of a folder ({LONGEST} characters).",
            "Part the published data by a field with short values, or by none.",
        )


def _too_many(keys: Sequence[str]) -> FileRefusedError:
    return FileRefusedError(
        "partitions",
        f"The file holds more than {MOST} partitions by {', '.join(keys)}.",
        "Deliver fewer of them in one file, or part the published data by coarser fields.",
    )
