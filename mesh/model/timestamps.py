"""Points in time as the mesh writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """A point in time by RFC 3339, in UTC, as precise as it is known."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def event_time(at: datetime) -> str:
    """The `time` of a CloudEvent.

    Milliseconds, the form that Event Grid's SDK writes too: what subscribers get is, letter for
    letter, what the log holds.
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
