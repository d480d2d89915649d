"""Bounds on the blocks of an Avro file, which its library unpacks whole."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from typing import Any

from mesh.validation.report import FileRefusedError

MOST_BLOCK = 16 << 20
"""Bytes of one block as it stands in the file; libraries write some ten kilobytes."""

MOST_HEAD = 4 << 20
"""Bytes of the schema and the metadata."""

MOST_UNPACKED = 64 << 20
"""Bytes that it may unpack to."""

MOST_LISTED = 2 << 20
"""Bytes of a record with lists or maps; in memory it may take 150 times as much."""

MOST_DECIMAL = 4096
"""Bytes of a decimal; the time to read one grows with their square."""

_LOOKED_INTO = 1 << 20
_PIECE = 1 << 20
_SAFE_DEFLATE = MOST_UNPACKED // 1032
"""Deflate makes at most 1032 bytes of one, so what is smaller need not be looked at."""


def check_head(size: int) -> None:
    """Refuse a file whose schema and metadata are longer than so many bytes.

    Raises:
        FileRefusedError: They are longer than they may be.
    """
    if size > MOST_HEAD:
        raise FileRefusedError(
            "recordSize",
            f"The head of the Avro file, with its schema, is longer than {MOST_HEAD:,} bytes.",
            "Keep what is as large as that out of the schema and the metadata.",
        )


def check_size(size: int) -> None:
    """Refuse a block before it is read.

    Raises:
        FileRefusedError: It claims more bytes than a block may have.
    """
    if size > MOST_BLOCK:
        raise _too_large(f"has {size:,} bytes", MOST_BLOCK)


def check_unpacked(codec: str, data: bytes) -> None:
    """Refuse a block before the library unpacks it; broken ones are the library's to tell.

    Raises:
        FileRefusedError: It unpacks to more than a block may.
    """
    if codec == "deflate" and len(data) <= _SAFE_DEFLATE:
        return
    try:
        size = _unpacked(codec, data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return
    if size > MOST_UNPACKED:
        raise _too_large("unpacks to more", MOST_UNPACKED)


def check_listed(block: Any, schema: Any, row: int) -> None:
    """Refuse a block with a record of too many lists, before that is read; it is skipped first.

    Args:
        block: As the library gives it; its data are unpacked.
        schema: Of its records.
        row: Of the first of them.

    Raises:
        FileRefusedError: A record is longer than one with lists may be.
    """
    data = block.bytes_.getbuffer()
    if data.nbytes <= _LOOKED_INTO:
        return
    import fastavro

    nothing = fastavro.parse_schema({"type": "record", "name": schema["name"], "fields": []})
    source = io.BytesIO(data)
    for number in range(block.num_records):
        start = source.tell()
        fastavro.schemaless_reader(source, schema, nothing)
        if source.tell() - start > MOST_LISTED:
            raise FileRefusedError(
                "recordSize",
                f"Row {row + number} has lists or maps, and more than {MOST_LISTED:,} bytes; it "
                f"could not be held in memory.",
                "Split the record, or keep what is as large as that in files of its own.",
            )


def bound_decimals() -> None:
    """Have the library refuse decimals of very many digits, by its own table of logical types."""
    from fastavro.read import LOGICAL_READERS

    for kind in ("bytes-decimal", "fixed-decimal"):
        read = LOGICAL_READERS[kind]
        if not isinstance(read, _Bounded):
            LOGICAL_READERS[kind] = _Bounded(read)


class _Bounded:
    def __init__(self, read: Any) -> None:
        self._read = read

    def __call__(self, data: Any, *schemas: Any) -> Any:
        if len(data) > MOST_DECIMAL:
            message = f"a decimal has {len(data):,} bytes; the most is {MOST_DECIMAL:,}"
            raise ValueError(message)
        return self._read(data, *schemas)


def _unpacked(codec: str, data: bytes) -> int:
    """How many bytes come out, counted no further than needed."""
    if codec == "deflate":
        return _counted(zlib.decompressobj(-15), data)
    if codec == "bzip2":
        return _counted(bz2.BZ2Decompressor(), data)
    if codec == "xz":
        return _counted(lzma.LZMADecompressor(), data)
    # What else there is (snappy, zstandard, lz4) takes libraries that are not installed, and is
    # refused for that.
    return len(data)


def _counted(engine: Any, data: bytes) -> int:
    size, rest = 0, data
    while size <= MOST_UNPACKED and not engine.eof:
        piece = engine.decompress(rest, _PIECE)
        size += len(piece)
        rest = engine.unconsumed_tail if hasattr(engine, "unconsumed_tail") else b""
        if not piece and not rest:
            break
    return size


def _too_large(what: str, most: int) -> FileRefusedError:
    return FileRefusedError(
        "recordSize",
        f"A block of the Avro file {what}; the most is {most:,}.",
        "Write smaller blocks; some ten kilobytes are usual.",
    )
