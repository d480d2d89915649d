"""What is told of the end of an output port: to whom it affects, and when it comes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mesh.model.events import (
    CONTRACT_RETIRED,
    NOTICE_GIVEN,
    NOTICE_REMINDED,
    Announcement,
    trace_id_of,
)
from mesh.model.notice import Asked, Notice
from mesh.model.product import OutputPort
from mesh.model.timestamps import rfc3339


def told(notice: Notice, asked: Asked, *, at: datetime) -> Announcement:
    """Tell a consumer, in its own stream, what it has to acknowledge, and by when; or again."""
    named = f"{notice.product.key}/{notice.port}/v{notice.major}/{notice.number}"
    return Announcement(
        type=NOTICE_REMINDED if notice.reminders else NOTICE_GIVEN,
        key=f"{named}/{notice.reminders}",
        subject=f"{notice.product}/notices/{notice.port}/{notice.major}",
        time=at,
        trace_id=trace_id_of(named),
        data={
            "subscribed": str(notice.product),
            "port": notice.port,
            "contract": {"version": notice.version},
            "major": notice.major,
            "successor": notice.successor or None,
            "acknowledge_by": rfc3339(notice.until),
            "sunset": None if notice.sunset is None else rfc3339(notice.sunset),
            "migration": notice.migration,
            "affected_by": [change.to_data() for change in notice.hitting(asked)],
        },
    )


def retired(port: OutputPort, *, number: int, successor: str, at: datetime) -> Announcement:
    """Tell those who consume a product that one of its output ports is over.

    Args:
        number: of its notice; 0 when there was none to give.
    """
    key = f"{port.name}:v{port.major}:{number}"
    data: dict[str, Any] = {
        "port": port.name,
        "contract": {"id": port.contract_id, "version": port.version},
        "major": port.major,
        "objects": list(port.objects),
        "successor": successor or None,
        "retired_at": rfc3339(at),
    }
    return Announcement(
        type=CONTRACT_RETIRED,
        key=key,
        subject=port.name,
        time=at,
        trace_id=trace_id_of(f"{port.contract_id}\n{key}"),
        data=data,
        deprecation=port.deprecation,
    )
