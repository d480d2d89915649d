"""One text for one meaning: the digest of a document does not depend on how it is written."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: object) -> str:
    """The JSON text of plain data: keys sorted, no spaces, `1.0` written as `1`."""
    return json.dumps(
        _normal(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def digest_of(value: object) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
