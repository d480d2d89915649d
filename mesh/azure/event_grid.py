"""The custom topic `mesh-events` of Event Grid (CloudEvents schema)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.azure import clients
from mesh.azure.failures import unavailable
from mesh.errors import Rejected

LARGEST = 1_000_000
"""Bytes of one event, and of one batch; the service allows 1 MB and the brackets count too."""

MOST = 500
"""Events of one batch."""


class EventGridTopic:
    """`mesh.ports.Topic` on Event Grid.

    What does not fit into one request is sent in several, in order. When one of them fails, those
    before it were accepted; the outbox still holds all, and publishes them once more.
    """

    def __init__(self, connections: clients.Clients) -> None:
        self._clients = connections

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        """See `mesh.ports.Topic.publish`.

        Raises:
            Rejected: an event is larger than Event Grid takes; none of them was sent.
        """
        from azure.core.messaging import CloudEvent

        for batch in list(_batches(events)):
            sent: list[CloudEvent[Any]] = [CloudEvent.from_dict(dict(event)) for event in batch]
            with unavailable(f"Publishing {len(sent)} events to the topic"):
                # The client ignores such options when it is made; its defaults wait for minutes.
                self._clients.topic().send(sent, **clients.TIMEOUTS, **clients.RETRIES)


def _batches(events: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    filled = 0
    for event in events:
        size = len(json.dumps(event)) + 2
        if size > LARGEST:
            message = (
                f"The event {event.get('id')} of {event.get('source')} has {size} bytes, and "
                f"{LARGEST} are allowed. Events carry references, not data."
            )
            raise Rejected(message, problem="too-large", status=413)
        if filled + size > LARGEST or len(batch) == MOST:
            yield batch
            batch, filled = [], 0
        batch.append(event)
        filled += size
    if batch:
        yield batch
