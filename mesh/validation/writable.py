"""What the outputs of a judgement are written to."""

from __future__ import annotations

import io
from typing import Protocol


class Writable(Protocol):
    """Anything with a `write` for bytes: a file, a blob in the making."""

    def write(self, data: bytes, /) -> object: ...


class Stream(io.RawIOBase):
    """Something to write to, as libraries want a file: forwards only, and never closed by them."""

    def __init__(self, to: Writable) -> None:
        super().__init__()
        self._to = to

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        """All of it, at once."""
        piece = bytes(data)  # type: ignore[call-overload] # any buffer, as RawIOBase has it
        self._to.write(piece)
        return len(piece)
