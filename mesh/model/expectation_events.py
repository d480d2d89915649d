"""What there is to tell when data does not arrive, and when it does again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mesh.model.events import (
    PRODUCT_LATE,
    PRODUCT_MISSED,
    PRODUCT_RECOVERED,
    Announcement,
    trace_id_of,
)
from mesh.model.expectation import Awaited, Expectation
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId

KINDS = {"late": PRODUCT_LATE, "missed": PRODUCT_MISSED, "recovered": PRODUCT_RECOVERED}


def announcement(
    kind: str,
    product: ProductId,
    expectation: Expectation,
    awaited: Awaited,
    *,
    at: datetime,
    arrived_at: datetime | None = None,
) -> Announcement:
    """Tell of an expected arrival that is `late`, `missed` or `recovered`; once each."""
    key = f"v{awaited.major}/{awaited.object_name}@{_text(awaited.expected_at)}"
    data: dict[str, Any] = {
        "port": awaited.port,
        "major": awaited.major,
        "object": awaited.object_name,
        "expected_at": _text(awaited.expected_at),
        "late_at": _text(awaited.expected_at + expectation.grace),
        "missed_before": awaited.missed,
        "last_arrived_at": None if awaited.arrived_at is None else _text(awaited.arrived_at),
    }
    if arrived_at is not None:
        data["arrived_at"] = _text(arrived_at)
    return Announcement(
        type=KINDS[kind],
        key=key,
        subject=f"v{awaited.major}/{awaited.object_name}",
        time=at,
        data=data,
        trace_id=trace_id_of(f"{product.key}\n{key}"),
    )


def set_announcement(
    kind: str, product: ProductId, state: FileSet, *, at: datetime
) -> Announcement:
    """Tell of a set of files that is `late`, and of what is missing, or that `recovered`."""
    assert state.due_at is not None  # or it could not be late
    key = f"v{state.major}/{state.object_name}/{state.folder}@{_text(state.due_at)}"
    data: dict[str, Any] = {
        "port": state.port,
        "major": state.major,
        "object": state.object_name,
        "expected_at": _text(state.due_at),
        "late_at": _text(state.due_at),
        "missed_before": 0,
        "last_arrived_at": None,
        "set": state.told(),
    }
    if kind == "recovered":
        data["arrived_at"] = _text(at)
    return Announcement(
        type=KINDS[kind],
        key=key,
        subject=f"v{state.major}/{state.object_name}",
        time=at,
        data=data,
        trace_id=trace_id_of(f"{product.key}\n{key}"),
    )


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
