"""Numbers as they were written, not as binary floats come near to them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def exact(value: Any) -> Any:
    """The same JSON with binary floats replaced by the decimals they were written as."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {name: exact(item) for name, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list | tuple) else value
