"""Files that are read from their end (Parquet, Excel) need all their bytes at hand."""

from __future__ import annotations

import io
import os
import tempfile
import threading
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


class SharedFile:
    """A file that several threads read, each at a place of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._lock = file, threading.Lock()
        self.size = file.seek(0, os.SEEK_END)

    def view(self) -> io.RawIOBase:
        """The file from its beginning, to be read by one of them."""
        return _View(self)

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from an offset on; fewer at the end."""
        with self._lock:
            self._file.seek(at)
            return self._file.read(size)


class _View(io.RawIOBase):
    def __init__(self, file: SharedFile) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """Without the copy that `io.RawIOBase` makes."""
        data = self._file.read(self._at, size)
        self._at += len(data)
        return data
