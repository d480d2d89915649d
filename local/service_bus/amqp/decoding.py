"""From AMQP bytes to Python values.

`decode(buffer, position)` gives `(value, next position)`. Malformed input raises `MalformedError`
and nothing else: a broken client must not be able to disturb the broker.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any

from local.service_bus.amqp.types import Array, Described, MalformedError, Opaque, Symbol, Timestamp

type_reader = Callable[[bytes, int], tuple[Any, int]]

_U16 = struct.Struct(">H").unpack_from
_U32 = struct.Struct(">I").unpack_from
_U64 = struct.Struct(">Q").unpack_from
_I16 = struct.Struct(">h").unpack_from
_I32 = struct.Struct(">i").unpack_from
_I64 = struct.Struct(">q").unpack_from
_F32 = struct.Struct(">f").unpack_from
_F64 = struct.Struct(">d").unpack_from

_DEEPEST = 32
"""How deep values may nest; more is taken for an attack on the stack."""

_DESCRIBED = 0x00


def decode(buffer: bytes, position: int = 0) -> tuple[Any, int]:
    """Read one value.

    Raises:
        MalformedError: the bytes are no AMQP value, or end within it.
    """
    try:
        return _value(buffer, position, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as broken:
        message = f"no AMQP value at byte {position}: {broken}"
        raise MalformedError(message) from None


def skip(buffer: bytes, position: int) -> int:
    """Give the position after the value at `position`, without reading it."""
    try:
        while buffer[position] == _DESCRIBED:
            position += 1
            position += 1 + _width(buffer, position, buffer[position])
        end = position + 1 + _width(buffer, position, buffer[position])
    except (IndexError, struct.error):
        end = len(buffer) + 1
    if end > len(buffer):
        message = f"the value at byte {position} is cut off"
        raise MalformedError(message)
    return end


def _width(buffer: bytes, position: int, code: int) -> int:
    fixed = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}.get(code >> 4)
    if fixed is not None:
        return fixed
    if code >> 4 in {0xA, 0xC, 0xE}:
        return 1 + buffer[position + 1]
    if code >> 4 in {0xB, 0xD, 0xF}:
        return 4 + int(_U32(buffer, position + 1)[0])
    message = f"unknown type code 0x{code:02x} at byte {position}"
    raise MalformedError(message)


def _value(buffer: bytes, position: int, depth: int) -> tuple[Any, int]:
    code = buffer[position]
    reader = _SCALARS.get(code)
    if reader is not None:
        return reader(buffer, position + 1)
    if depth >= _DEEPEST:
        raise MalformedError("values nest too deeply")
    if code == _DESCRIBED:
        descriptor, position = _value(buffer, position + 1, depth + 1)
        value, position = _value(buffer, position, depth + 1)
        return Described(descriptor, value), position
    compound = _COMPOUNDS.get(code)
    if compound is None:
        message = f"unknown type code 0x{code:02x} at byte {position}"
        raise MalformedError(message)
    return compound(buffer, position + 1, depth + 1)


def _fixed(read: Callable[[bytes, int], tuple[Any, ...]], width: int) -> type_reader:
    return lambda buffer, at: (read(buffer, at)[0], at + width)


def _constant(value: Any) -> type_reader:
    return lambda _buffer, at: (value, at)


def _octet(buffer: bytes, at: int) -> tuple[int, int]:
    return buffer[at], at + 1


def _signed_octet(buffer: bytes, at: int) -> tuple[int, int]:
    value = buffer[at]
    return (value - 256 if value > 127 else value), at + 1


def _boolean(buffer: bytes, at: int) -> tuple[bool, int]:
    return buffer[at] == 1, at + 1


def _timestamp(buffer: bytes, at: int) -> tuple[Timestamp, int]:
    return Timestamp(_I64(buffer, at)[0]), at + 8


def _uuid(buffer: bytes, at: int) -> tuple[uuid.UUID, int]:
    return uuid.UUID(bytes=_slice(buffer, at, 16)), at + 16


def _opaque(code: int, width: int) -> type_reader:
    return lambda buffer, at: (Opaque(bytes([code]) + _slice(buffer, at, width)), at + width)


def _slice(buffer: bytes, at: int, width: int) -> bytes:
    end = at + width
    if end > len(buffer):
        message = f"{width} bytes are announced at byte {at}, {len(buffer) - at} are there"
        raise MalformedError(message)
    return bytes(buffer[at:end])


def _binary8(buffer: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + buffer[at]
    return _slice(buffer, at + 1, buffer[at]), end


def _binary32(buffer: bytes, at: int) -> tuple[bytes, int]:
    width = _U32(buffer, at)[0]
    return _slice(buffer, at + 4, width), at + 4 + width


def _string8(buffer: bytes, at: int) -> tuple[str, int]:
    value, at = _binary8(buffer, at)
    return value.decode(), at


def _string32(buffer: bytes, at: int) -> tuple[str, int]:
    value, at = _binary32(buffer, at)
    return value.decode(), at


def _symbol8(buffer: bytes, at: int) -> tuple[Symbol, int]:
    value, at = _binary8(buffer, at)
    return Symbol(value, "ascii"), at


def _symbol32(buffer: bytes, at: int) -> tuple[Symbol, int]:
    value, at = _binary32(buffer, at)
    return Symbol(value, "ascii"), at


def _bounds(buffer: bytes, at: int, *, wide: bool) -> tuple[int, int, int]:
    """Give (count, first item, end) of a compound whose size field is at `at`."""
    if wide:
        size, count, first = _U32(buffer, at)[0], _U32(buffer, at + 4)[0], at + 8
        end = at + 4 + size
    else:
        size, count, first = buffer[at], buffer[at + 1], at + 2
        end = at + 1 + size
    if end > len(buffer) or count > size:
        message = f"the compound at byte {at} announces {size} bytes and {count} items"
        raise MalformedError(message)
    return count, first, end


def _list(*, wide: bool) -> Callable[[bytes, int, int], tuple[Any, int]]:
    def read(buffer: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        count, at, end = _bounds(buffer, at, wide=wide)
        items, constants, scalar = [], _CONSTANTS, _SCALARS.get
        for _ in range(count):
            code = buffer[at]  # performatives are mostly constants and scalars: spare them calls
            if code in constants:
                items.append(constants[code])
                at += 1
                continue
            reader = scalar(code)
            item, at = reader(buffer, at + 1) if reader else _value(buffer, at, depth)
            items.append(item)
        return items, end

    return read


def _map(*, wide: bool) -> Callable[[bytes, int, int], tuple[Any, int]]:
    def read(buffer: bytes, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        count, at, end = _bounds(buffer, at, wide=wide)
        if count % 2:
            raise MalformedError("a map has a key without a value")
        entries, scalar = {}, _SCALARS.get
        for _ in range(count // 2):
            reader = scalar(buffer[at])
            key, at = reader(buffer, at + 1) if reader else _value(buffer, at, depth)
            reader = scalar(buffer[at])
            entries[key], at = reader(buffer, at + 1) if reader else _value(buffer, at, depth)
        return entries, end

    return read


def _array(*, wide: bool) -> Callable[[bytes, int, int], tuple[Any, int]]:
    def read(buffer: bytes, at: int, depth: int) -> tuple[Array, int]:
        count, at, end = _bounds(buffer, at, wide=wide)
        items = Array()
        if not count:
            return items, end
        code, descriptor = buffer[at], None
        at += 1
        if code == _DESCRIBED:
            descriptor, at = _value(buffer, at, depth)
            code, at = buffer[at], at + 1
        for _ in range(count):
            item, at = _element(buffer, at, code, depth)
            items.append(item if descriptor is None else Described(descriptor, item))
        return items, end

    return read


def _element(buffer: bytes, at: int, code: int, depth: int) -> tuple[Any, int]:
    reader = _SCALARS.get(code)
    if reader is not None:
        return reader(buffer, at)
    compound = _COMPOUNDS.get(code)
    if compound is None or depth >= _DEEPEST:
        message = f"unknown element type 0x{code:02x} in an array"
        raise MalformedError(message)
    return compound(buffer, at, depth + 1)


_CONSTANTS: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}

_SCALARS: dict[int, type_reader] = {
    **{code: _constant(value) for code, value in _CONSTANTS.items()},
    0x50: _octet,
    0x51: _signed_octet,
    0x52: _octet,
    0x53: _octet,
    0x54: _signed_octet,
    0x55: _signed_octet,
    0x56: _boolean,
    0x60: _fixed(_U16, 2),
    0x61: _fixed(_I16, 2),
    0x70: _fixed(_U32, 4),
    0x71: _fixed(_I32, 4),
    0x72: _fixed(_F32, 4),
    0x73: _opaque(0x73, 4),
    0x74: _opaque(0x74, 4),
    0x80: _fixed(_U64, 8),
    0x81: _fixed(_I64, 8),
    0x82: _fixed(_F64, 8),
    0x83: _timestamp,
    0x84: _opaque(0x84, 8),
    0x94: _opaque(0x94, 16),
    0x98: _uuid,
    0xA0: _binary8,
    0xA1: _string8,
    0xA3: _symbol8,
    0xB0: _binary32,
    0xB1: _string32,
    0xB3: _symbol32,
}

_COMPOUNDS: dict[int, Callable[[bytes, int, int], tuple[Any, int]]] = {
    0x45: lambda _buffer, at, _depth: ([], at),
    0xC0: _list(wide=False),
    0xC1: _map(wide=False),
    0xD0: _list(wide=True),
    0xD1: _map(wide=True),
    0xE0: _array(wide=False),
    0xF0: _array(wide=True),
}
