"""Headers of the pages of a Parquet file: Thrift structs in the compact protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesh.validation.spool import SharedFile

DICTIONARY = 2
_USUAL = 64
_MOST = 1 << 20
"""Bytes of a header; writers cut the statistics that stand in it."""
_MOST_DIGITS = 63
_DEPTH = 8
_TRUE, _BYTE, _NUMBERS, _DOUBLE, _BINARY = 1, 3, (4, 5, 6), 7, 8
_LISTS, _STRUCT = (9, 10), 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What the header of a page says.

    Attributes:
        kind: 0 or 3 of values, `DICTIONARY` of a dictionary; there are others.
        unpacked: Its bytes once they are unpacked.
        packed: Its bytes in the file.
        count: How many values it has; 0 where its header does not say so.
        start: Where in the file its bytes begin.
    """

    kind: int
    unpacked: int
    packed: int
    count: int
    start: int


def page_at(file: SharedFile, at: int) -> Page | None:
    """The page whose header stands at an offset; None where none does."""
    size = _USUAL
    while size <= _MOST:
        data = file.read(at, size)
        reader = _Reader(data)
        try:
            told = reader.struct(0)
        except IndexError:  # it is longer, or the file ends
            if len(data) < size:
                return None
            size *= 4
        except ValueError:
            return None
        else:
            return _page(told, at + reader.at)
    return None


def _page(told: dict[int, Any], start: int) -> Page | None:
    sizes = [told.get(number) for number in (1, 2, 3)]
    kind, unpacked, packed = (size if isinstance(size, int) else -1 for size in sizes)
    if min(kind, unpacked, packed) < 0:
        return None
    inner = told.get(7)
    count = inner.get(1) if isinstance(inner, dict) else 0
    return Page(
        kind=kind,
        unpacked=unpacked,
        packed=packed,
        count=count if isinstance(count, int) else 0,
        start=start,
    )


class _Reader:
    """Reads a struct of numbers and structs; what else it holds is passed over.

    Raises:
        IndexError: It goes on behind the data.
        ValueError: It is none.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields by their numbers."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else self._number()
            found[number] = self._value(head & 0xF, depth)
        return found

    def _value(self, kind: int, depth: int, *, listed: bool = False) -> Any:
        if kind <= _BYTE:
            if kind == _BYTE or listed:
                self._byte()
            return kind == _TRUE
        if kind in _NUMBERS:
            return self._number()
        if kind in {_DOUBLE, _BINARY}:
            self._skip(8 if kind == _DOUBLE else self._digits())
        elif kind == _STRUCT and depth < _DEPTH:
            return self.struct(depth + 1)
        elif kind in _LISTS and depth < _DEPTH:
            head = self._byte()
            size = head >> 4
            for _ in range(self._digits() if size == 0xF else size):
                self._value(head & 0xF, depth + 1, listed=True)
        else:
            message = f"{kind} is no type of a page header"
            raise ValueError(message)
        return None

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise IndexError

    def _digits(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if shift > _MOST_DIGITS:
                message = "a number of a page header has too many digits"
                raise ValueError(message)
        return value | byte << shift

    def _number(self) -> int:
        value = self._digits()
        return value >> 1 ^ -(value & 1)
