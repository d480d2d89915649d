"""Events leave by the outbox only: committed with the change they tell of, published afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from mesh import telemetry
from mesh.backbone import Backbone
from mesh.model.dropped_file import UNPLACED
from mesh.model.events import Event
from mesh.model.names import ProductId
from mesh.rounds import full_round

BATCH = 100
"""Events published at once; an event is a few kB at most, and a batch may hold 1 MB."""

LEFT_BEHIND = timedelta(minutes=1)
"""An event still in the outbox after this long was left there by a crash."""

_log = logging.getLogger(__name__)


def publish(
    backbone: Backbone,
    product: ProductId,
    events: Sequence[Event],
    *,
    causes: Iterable[str] = (),
) -> None:
    """Publish what has just been committed, and note it.

    A crash in between publishes again: the same id, at least once.

    Args:
        causes: the `traceparent` of each event that led to these, for their traces.
    """
    if events:
        told = [event.to_cloudevent() for event in events]
        with telemetry.publishing(told, causes=causes):
            backbone.topic.publish(told)
        backbone.registry.relayed(product, [event.sequence for event in events])


def relay(backbone: Backbone, product: ProductId, *, older_than: timedelta | None = None) -> int:
    """Publish what the product's outbox holds, in order; returns how many events.

    Args:
        older_than: leave younger events to those who have just committed them.
    """
    total = 0
    while True:
        pending = backbone.registry.outbox(product, limit=BATCH)
        due = [
            event
            for event in pending
            if older_than is None
            # What is from the future was committed by a clock that was wrong.
            or abs(backbone.now() - datetime.fromisoformat(event["time"])) >= older_than
        ]
        if due:
            with telemetry.publishing(due):
                backbone.topic.publish(due)
            backbone.registry.relayed(product, [int(event["sequence"]) for event in due])
        total += len(due)
        if len(due) < BATCH:
            return total


def relay_all(backbone: Backbone) -> int:
    """Publish what crashes left in any product's outbox; returns how many events.

    One product's trouble does not keep the others' events back: it is raised at the end.
    """
    total = 0
    with full_round("some products' outboxes could not be relayed") as turn:
        for product in (UNPLACED, *(summary.id for summary in backbone.catalogue.products())):
            with turn():
                total += relay(backbone, product, older_than=LEFT_BEHIND)
        if total:
            _log.warning("relayed %d events that were left in the outbox", total)
    return total
