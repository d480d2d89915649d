"""Files that are read from their end (Parquet, Excel) need all their bytes at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO

from mesh.validation.report import FileRefusedError

IN_MEMORY = 8 << 20
MOST = 4 << 30
"""Bytes of a file that are kept in the temporary folder while it is read."""


def spooled(pieces: Iterable[bytes], *, most: int = MOST) -> IO[bytes]:
    """The whole file: in memory while it is small, on the temporary disk beyond 8 MiB.

    Raises:
        FileRefusedError: It is empty, or larger than `most` bytes.
    """
    # It is closed, and so deleted, by whoever reads it.
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            file.close()
            raise FileRefusedError(
                "fileSize",
                f"The file is larger than {most:,} bytes, the most that one file of a format with "
                f"its directory at the end may have.",
                "Split it, or send CSV or JSON Lines, which may have any size.",
            )
        file.write(piece)
    if not size:
        file.close()
        raise FileRefusedError("empty", "The file is empty.", "Send the whole file again.")
    file.seek(0)
    return file
