"""Values of keys as bytes that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Parts = Sequence[bytes | None]


def joined(parts: Parts) -> bytes | None:
    """Several parts as one, so that different parts never make the same."""
    if len(parts) == 1:
        return parts[0]
    if None in parts:
        return None
    return b"\0".join(part.replace(b"\0", b"\0\1") for part in parts if part is not None)


def canonical(value: Any) -> bytes:
    """Bytes that are equal exactly for equal JSON values."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | Decimal):
        return _number(Decimal(value))
    if isinstance(value, Mapping):
        pairs = [canonical(name) + b":" + canonical(value[name]) for name in sorted(value)]
        return b"{" + b",".join(b"%d %b" % (len(pair), pair) for pair in pairs) + b"}"
    if value is None:
        return b"null"
    items = [canonical(item) for item in value]
    return b"[" + b",".join(b"%d %b" % (len(item), item) for item in items) + b"]"


def _number(value: Decimal) -> bytes:
    """Small integers as they are written; else digits without trailing zeros, and an exponent."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    bare = text.rstrip("0")
    if not bare:
        return b"0"
    exponent += len(text) - len(bare)
    mark = "-" if sign else ""
    if 0 <= exponent < 18 and len(bare) + exponent <= 18:
        return f"{mark}{bare}{'0' * exponent}".encode()
    return f"{mark}{bare}e{exponent}".encode()
