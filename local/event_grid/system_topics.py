"""Join a system topic to the source that publishes to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from local.event_grid.grid import EventGrid
from local.event_grid.topology import Topic

if TYPE_CHECKING:
    from local.blob_events import BlobEvents
    from local.blob_events.shapes import Announcement


def blob_events_of(
    grid: EventGrid,
    topic: Topic,
    *,
    storage: str,
    journal: Path | None,
    state: Path | None,
    reconcile_seconds: float | None = None,
) -> BlobEvents:
    """The blob events of a storage account, published to its system topic.

    Args:
        grid: The Event Grid that has the topic.
        topic: A system topic.
        storage: Connection string of the account.
        journal: The folder of the local Azurite's journal.
        state: The folder that holds what must not be forgotten.
        reconcile_seconds: How often to list the account; 300 with a journal, else 1.
    """
    from local.blob_events import BlobEvents, interest_of

    def publish(announcements: Sequence[Announcement]) -> None:
        grid.publish(
            topic.name,
            [each.event for each in announcements],
            internal_ids=[each.id for each in announcements],
        )

    pause = reconcile_seconds or (300.0 if journal else 1.0)
    return BlobEvents(
        storage=storage,
        publish=publish,
        interest=lambda: interest_of(grid.filters(topic.name)),
        journal=journal,
        record=state / f"blob-events-{topic.name}.sqlite" if state else None,
        reconcile_seconds=pause,
    )
