"""From Python values to AMQP bytes."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from local.service_bus.amqp.types import (
    Array,
    Described,
    Int,
    Opaque,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
)

_U32 = struct.Struct(">I").pack
_U64 = struct.Struct(">Q").pack
_I32 = struct.Struct(">i").pack
_I64 = struct.Struct(">q").pack
_F64 = struct.Struct(">d").pack

NULL = b"\x40"


def encode(value: Any) -> bytes:
    """Write one value. Integers outside 64 bits and unknown types raise `TypeError`."""
    writer = _WRITERS.get(type(value))
    if writer is None:
        message = f"{type(value).__name__} has no AMQP encoding"
        raise TypeError(message)
    return writer(value)


def encode_list(items: Sequence[bytes]) -> bytes:
    """Write a list of items that are encoded already."""
    if not items:
        return b"\x45"
    return _compound(0xC0, 0xD0, len(items), b"".join(items))


def encode_map(count: int, pairs: bytes) -> bytes:
    """Write a map of `count` key and value pairs, encoded one after the other."""
    return _compound(0xC1, 0xD1, 2 * count, pairs)


def described(code: int, value: bytes) -> bytes:
    """Put a numeric descriptor before an encoded value.

    Clients' decoders expect the one-byte form of the descriptor, so no other is written.
    """
    return bytes((0x00, 0x53, code)) + value


def _compound(small: int, large: int, count: int, body: bytes) -> bytes:
    if len(body) < 255 and count < 256:
        return bytes((small, len(body) + 1, count)) + body
    return bytes((large,)) + _U32(len(body) + 4) + _U32(count) + body


def _sized(small: int, large: int, body: bytes) -> bytes:
    if len(body) < 256:
        return bytes((small, len(body))) + body
    return bytes((large,)) + _U32(len(body)) + body


def _long(value: int) -> bytes:
    if -128 <= value < 128:
        return bytes((0x55, value & 0xFF))
    try:
        return b"\x81" + _I64(value)
    except struct.error:
        message = f"{value} does not fit a 64-bit long"
        raise TypeError(message) from None


def _int(value: int) -> bytes:
    return bytes((0x54, value & 0xFF)) if -128 <= value < 128 else b"\x71" + _I32(value)


def _uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return bytes((0x52, value)) if value < 256 else b"\x70" + _U32(value)


def _ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return bytes((0x53, value)) if value < 256 else b"\x80" + _U64(value)


def _map(value: dict[Any, Any]) -> bytes:
    return encode_map(len(value), b"".join(encode(k) + encode(v) for k, v in value.items()))


_ARRAY_ELEMENTS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (0x81, _I64),
    Timestamp: (0x83, _I64),
    uuid.UUID: (0x98, lambda value: bytes(value.bytes)),
    str: (0xB1, lambda value: _U32(len(value.encode())) + value.encode()),
    Symbol: (0xB3, lambda value: _U32(len(value)) + value.encode("ascii")),
}


def _array(value: Array) -> bytes:
    if not value:
        return b"\xe0\x02\x00\x40"
    code, element = _ARRAY_ELEMENTS[type(value[0])]
    body = bytes((code,)) + b"".join(map(element, value))
    return b"\xf0" + _U32(len(body) + 4) + _U32(len(value)) + body


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _value: NULL,
    bool: lambda value: b"\x41" if value else b"\x42",
    int: _long,
    float: lambda value: b"\x82" + _F64(value),
    str: lambda value: _sized(0xA1, 0xB1, value.encode()),
    bytes: lambda value: _sized(0xA0, 0xB0, value),
    Symbol: lambda value: _sized(0xA3, 0xB3, value.encode("ascii")),
    uuid.UUID: lambda value: b"\x98" + value.bytes,
    Timestamp: lambda value: b"\x83" + _I64(value),
    UByte: lambda value: bytes((0x50, value)),
    UInt: _uint,
    ULong: _ulong,
    Int: _int,
    Array: _array,
    list: lambda value: encode_list([encode(item) for item in value]),
    dict: _map,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
    Opaque: lambda value: value.encoding,
}
