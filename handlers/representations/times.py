"""Points in time, as the HTTP API tells of them."""

from __future__ import annotations

from datetime import datetime

from mesh.model.timestamps import rfc3339


def time(at: datetime | None) -> str | None:
    """RFC 3339, in UTC."""
    return None if at is None else rfc3339(at)
