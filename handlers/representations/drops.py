"""Dropped files, their sets, and whom events told of them, as the HTTP API tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.representations.notices import deprecation
from handlers.representations.subscriptions import attempt, target
from handlers.representations.times import time
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notification import Delivery
from mesh.model.record import LedgerEntry
from mesh.tracking import Announced, Journey, Told


def drop(address: ProductId, entry: LedgerEntry) -> dict[str, Any]:
    return {
        "drop": entry.drop,
        "product": str(address),
        "file": entry.file,
        "place": entry.place,
        "url": entry.url,
        "etag": entry.etag,
        "contract": entry.contract,
        "verdict": entry.verdict.value,
        "summary": entry.summary,
        "rows": entry.rows,
        "accepted": entry.accepted,
        "rejected": entry.rejected,
        "size": entry.size,
        "landed_at": time(entry.landed_at),
        "received_at": time(entry.received_at),
        "decided_at": time(entry.decided_at),
        "receipt": entry.receipt,
        "sequence": entry.sequence,
        "duplicates": entry.duplicates,
        "mends": entry.mends or None,
        "kept": entry.kept,
        "mended_by": entry.mended_by or None,
    }


def journey(told: Journey) -> dict[str, Any]:
    announced = [_announced(one) for one in told.announced]
    sets = [] if told.set is None else [file_set(told.set)]
    return {
        **drop(told.product, told.entry),
        "deprecation": deprecation(told.deprecation, told.notice),
        "sets": sets,
        "events": announced,
    }


def file_set(state: FileSet) -> dict[str, Any]:
    return {
        "object": state.object_name,
        "major": state.major,
        "folder": state.folder,
        "period": state.period,
        "opened_at": time(state.opened_at),
        "due_at": time(state.due_at),
        "complete": state.is_complete,
        "sequence": state.sequence,
        "members": [
            {"file": one.file, "drop": one.drop, "rows": one.rows} for one in state.members
        ],
        "missing": list(state.missing),
        "rejected": [{"file": one.file, "drop": one.drop} for one in state.rejected],
    }


def _announced(one: Announced) -> dict[str, Any]:
    event: Mapping[str, Any] = one.event
    return {
        "id": event["id"],
        "type": event["type"],
        "sequence": int(event["sequence"]),
        "time": event["time"],
        "subscribers": [_told(told) for told in one.told],
    }


def _told(told: Told) -> dict[str, Any]:
    wants = told.subscription
    if wants is None:
        assert told.delivery is not None  # or nobody knows that there was one
        return _ended(told.delivery)
    return {
        "subscription": wants.id,
        "subscriber": wants.subscriber,
        "channel": wants.channel.value,
        "target": target(wants),
        "state": wants.state.value,
        "failing": wants.failing,
        "reason": wants.reason,
        "attempts": [] if told.delivery is None else _attempts(told.delivery),
    }


def _ended(delivery: Delivery) -> dict[str, Any]:
    return {
        "subscription": delivery.subscription,
        "subscriber": delivery.subscriber,
        "channel": delivery.channel,
        "target": "",
        "state": "ended",
        "failing": 0,
        "reason": "The subscription was ended since.",
        "attempts": _attempts(delivery),
    }


def _attempts(delivery: Delivery) -> list[dict[str, Any]]:
    told = [made for made in delivery.attempts if made is not delivery.acknowledgement]
    last = () if delivery.acknowledgement is None else (delivery.acknowledgement,)
    return [attempt(made) for made in (*told, *last)]
