"""How long the texts of a Parquet column's dictionary are, read without making texts of them.

Arrow tells each text of a dictionary from the others while it reads one, which takes ten times as
long as to look at their lengths. Where these cannot be told, the size of the dictionary is told.
"""

from __future__ import annotations

import re
from typing import Any

from mesh.validation.spool import SharedFile

_HEADER = 64
_MOST = 16 << 20
_NUMBER = rb"([\x80-\xff]{0,4}[\0-\x7f])"
_PAGE = re.compile(
    rb"\x15\x04"  # a dictionary page,
    rb"\x15%(n)b\x15%(n)b"  # bytes of it unpacked and packed;
    rb"(?:\x4c|\x15%(n)b\x3c)"  # perhaps a checksum;
    rb"\x15%(n)b\x15%(n)b[\x11\x12]?\0\0" % {b"n": _NUMBER}  # texts, encoding, whether in order
)
"""A page header, which is a Thrift struct in the compact protocol, as every writer writes it."""
_DATA = (b"\x15\0", b"\x15\x06")
"""How the header of a page of values begins, in either of its versions."""
_CODECS = frozenset({"SNAPPY", "GZIP", "BROTLI", "ZSTD"})


def longest_text(file: SharedFile, column: Any) -> int | None:
    """No text of a column chunk's dictionary has more bytes; None if there is no telling.

    What the file says of the chunk is believed no more than Arrow does, which reads pages from
    where they begin: a dictionary may be there that nothing is said of.

    Args:
        file: The Parquet file.
        column: What it says of the chunk.
    """
    start, told = column.data_page_offset, column.dictionary_page_offset or 0
    start = told if 0 < told < start else start
    data = file.read(start, _HEADER)
    if data.startswith(_DATA):
        return 0
    header = _PAGE.match(data)
    if header is None:
        return None
    unpacked, packed, _, count, _ = (_number(told or b"\0") for told in header.groups())
    all_of_them = unpacked - count * 4
    if all_of_them <= 0xFF or max(unpacked, packed) > _MOST:
        return max(all_of_them, 0)
    page = _unpacked(file.read(start + header.end(), packed), unpacked, column.compression)
    longest = None if page is None else _longest(page, count)
    return all_of_them if longest is None else longest


def _number(told: bytes) -> int:
    """A number in zigzag, seven bits a byte."""
    value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(told))
    return value >> 1 ^ -(value & 1)


def _unpacked(data: bytes, size: int, codec: str) -> Any:
    import pyarrow as pa

    if codec == "UNCOMPRESSED":
        return data if len(data) == size else None
    try:
        return pa.Codec(codec.lower()).decompress(data, size) if codec in _CODECS else None
    except (pa.ArrowException, OSError, ValueError):
        return None


def _longest(data: Any, count: int) -> int | None:
    """The longest of so many texts, each behind its length; None if one may have 256 bytes or more.

    A length of less than that is a byte before three zeros. Where there are as many of these as
    texts, and each stands where the text before it ends, they are the lengths.
    """
    import numpy as np

    each = np.frombuffer(data, np.uint8)
    starts = np.flatnonzero((each[1:-2] | each[2:-1] | each[3:]) == 0)
    if len(starts) != count or not count or starts[0]:
        return None
    sizes = each[starts]
    ends = starts + sizes + 4
    fits = ends[-1] <= len(each) and (ends[:-1] == starts[1:]).all()
    return int(sizes.max()) if fits else None
