"""Python values for AMQP types that Python has no own type for.

Plain values stand for themselves: `None`, `bool`, `int` (long), `float` (double), `str`, `bytes`
(binary), `uuid.UUID`, `list` and `dict`. The classes here say which other type is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Symbol(str):
    """AMQP symbol: an ASCII name from a known domain."""

    __slots__ = ()


class UByte(int):
    """AMQP ubyte, 8 bits unsigned."""

    __slots__ = ()


class UInt(int):
    """AMQP uint, 32 bits unsigned."""

    __slots__ = ()


class ULong(int):
    """AMQP ulong, 64 bits unsigned."""

    __slots__ = ()


class Int(int):
    """AMQP int, 32 bits signed."""

    __slots__ = ()


class Timestamp(int):
    """AMQP timestamp: milliseconds since 1970-01-01T00:00:00Z."""

    __slots__ = ()


class Array(list[Any]):
    """AMQP array: elements of one type. Longs, timestamps, strings, symbols, UUIDs are written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor that says what it means."""

    descriptor: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of a type that is passed through unread (char, decimal): its encoding, verbatim."""

    encoding: bytes


class MalformedError(Exception):
    """Bytes that are not valid AMQP 1.0."""
