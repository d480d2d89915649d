"""What there is to tell when data does not arrive, and when it does again."""

from __future__ import annotations

from collections.abc import Mapping
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
from mesh.model.timestamps import rfc3339

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
    key = f"v{awaited.major}/{awaited.object_name}@{rfc3339(awaited.expected_at)}"
    data: dict[str, Any] = {
        "expected_at": rfc3339(awaited.expected_at),
        "late_at": rfc3339(awaited.expected_at + expectation.grace),
        "missed_before": awaited.missed,
        "last_arrived_at": None if awaited.arrived_at is None else rfc3339(awaited.arrived_at),
    }
    if arrived_at is not None:
        data["arrived_at"] = rfc3339(arrived_at)
    return _announcement(kind, product, awaited, key, data, at)


def set_announcement(
    kind: str, product: ProductId, state: FileSet, *, at: datetime
) -> Announcement:
    """Tell of a set of files that is `late`, and of what is missing, or that `recovered`."""
    assert state.due_at is not None  # or it could not be late
    due = rfc3339(state.due_at)
    key = f"v{state.major}/{state.object_name}/{state.folder}@{due}"
    data: dict[str, Any] = {
        "expected_at": due,
        "late_at": due,
        "missed_before": 0,
        "last_arrived_at": None,
        "set": state.told(),
    }
    if kind == "recovered":
        data["arrived_at"] = rfc3339(at)
    return _announcement(kind, product, state, key, data, at)


def _announcement(
    kind: str,
    product: ProductId,
    about: Awaited | FileSet,
    key: str,
    data: Mapping[str, Any],
    at: datetime,
) -> Announcement:
    return Announcement(
        type=KINDS[kind],
        key=key,
        subject=f"v{about.major}/{about.object_name}",
        time=at,
        data={"port": about.port, "major": about.major, "object": about.object_name, **data},
        trace_id=trace_id_of(f"{product.key}\n{key}"),
    )
