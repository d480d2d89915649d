"""Notices of ports that end, as the HTTP API tells of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from handlers.representations.times import time
from mesh.model.notice import Asked, Notice
from mesh.model.product import Deprecation


def notice(found: Notice, asked: Collection[Asked], outstanding: Collection[str]) -> dict[str, Any]:
    """For one who may see who is asked, or of that only a part."""
    return {
        "product": str(found.product),
        "port": found.port,
        "version": found.version,
        "major": found.major,
        "number": found.number,
        "standing": found.standing.value,
        "given_at": time(found.given_at),
        "until": time(found.until),
        "sunset": time(found.sunset),
        "migration": found.migration,
        "successor": found.successor or None,
        "retired_at": time(found.retired_at),
        "asked": [
            {
                "consumer": one.domain,
                "outstanding": one.domain in outstanding,
                "acknowledged_at": time(one.acknowledged_at),
                "acknowledged_by": one.acknowledged_by,
                "affected_by": [change.to_data() for change in found.hitting(one)],
            }
            for one in asked
        ],
    }


def deprecation(found: Deprecation | None, notice: Notice | None) -> dict[str, Any] | None:
    """How many have acknowledged is for everybody; who, for those who may see the notice."""
    if found is None:
        return None
    return {
        "since": time(found.since),
        "sunset": time(found.sunset),
        "migration": found.migration,
        "retired_at": time(found.retired_at),
        "notice_until": None if notice is None else time(notice.until),
        "asked": 0 if notice is None else len(notice.asked),
        "unacknowledged": 0 if notice is None else len(notice.unacknowledged),
    }
