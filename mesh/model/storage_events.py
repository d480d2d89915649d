"""BlobCreated, as Event Grid tells of it in either of its schemas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mesh.model.dropped_file import LANDING, DroppedFile

BLOB_CREATED = "Microsoft.Storage.BlobCreated"


def dropped_file(event: Mapping[str, Any]) -> DroppedFile:
    """Read a BlobCreated event, in the CloudEvents or in the Event Grid schema.

    Raises:
        ValueError: it is no such event, or not about the landing zone. The mesh does not subscribe
            to others, so this is a fault in the infrastructure, not the producer's.
    """
    try:
        kind = event["type"] if "specversion" in event else event["eventType"]
        time = event["time"] if "specversion" in event else event["eventTime"]
        data = event["data"]
        dropped = DroppedFile(
            url=data["url"],
            etag=data["eTag"].strip('"'),
            size=int(data["contentLength"]),
            sequencer=data.get("sequencer") or "",
            landed_at=datetime.fromisoformat(time),
        )
    except (KeyError, TypeError, AttributeError) as missing:
        message = f"This is no storage event: {type(missing).__name__} {missing}."
        raise ValueError(message) from None
    if kind != BLOB_CREATED or dropped.container != LANDING:
        message = f"{kind} about {dropped.container!r} is not {BLOB_CREATED} about {LANDING!r}."
        raise ValueError(message)
    return dropped
