"""Bounds on the blocks of an Avro file, which its library unpacks whole."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any

from mesh.validation.report import FileRefusedError

MOST_BLOCK = 16 << 20
"""Bytes of one block as it stands in the file; libraries write some ten kilobytes."""

MOST_UNPACKED = 64 << 20
"""Bytes that it may unpack to."""

_PIECE = 1 << 20
_SAFE_DEFLATE = MOST_UNPACKED // 1032
"""Deflate makes at most 1032 bytes of one, so what is smaller need not be looked at."""


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
