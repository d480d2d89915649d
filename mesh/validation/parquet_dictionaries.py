"""How long the texts of a Parquet column's dictionary are, read without making texts of them.

Arrow tells each text of a dictionary from the others while it reads one, which takes ten times as
long as to look at their lengths. Where these cannot be told, the size of the dictionary is told.
"""

from __future__ import annotations

from typing import Any

from mesh.validation.parquet_pages import DICTIONARY, Page, page_at
from mesh.validation.spool import SharedFile

_MOST = 16 << 20
_MOST_PAGES = 1 << 18
_CODECS = frozenset({"SNAPPY", "GZIP", "BROTLI", "ZSTD"})


def longest_text(file: SharedFile, column: Any) -> int | None:
    """No text of a column chunk's dictionary has more bytes; None if there is no telling.

    What the file says of the chunk is believed no more than Arrow does, which reads pages from
    where they begin: a dictionary may be there that nothing is said of.

    Args:
        file: The Parquet file.
        column: What it says of the chunk.

    Raises:
        ValueError: Its pages do not follow each other, or a dictionary, which Arrow would take,
            stands behind values.
    """
    start, told = column.data_page_offset, column.dictionary_page_offset or 0
    start = told if 0 < told < start else start
    page = page_at(file, start)
    if page is None:
        return None
    if page.kind != DICTIONARY:
        _refuse_later(file, page, start + column.total_compressed_size)
        return 0
    all_of_them = max(page.unpacked - page.count * 4, 0)
    if all_of_them <= 0xFF or max(page.unpacked, page.packed) > _MOST:
        return all_of_them
    data = _unpacked(file.read(page.start, page.packed), page.unpacked, column.compression)
    longest = None if data is None else _longest(data, page.count)
    return all_of_them if longest is None else longest


def _refuse_later(file: SharedFile, first: Page, end: int) -> None:
    page = first
    for _ in range(_MOST_PAGES):
        if page.start + page.packed >= end:
            return
        following = page_at(file, page.start + page.packed)
        if following is None or following.kind == DICTIONARY:
            message = "a column's pages end too early, or a dictionary stands behind its values"
            raise ValueError(message)
        page = following
    message = f"a column has more than {_MOST_PAGES:,} pages in a row group"
    raise ValueError(message)


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
