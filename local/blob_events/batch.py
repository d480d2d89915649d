"""Changes that are announced together, and remembered together afterwards."""

from __future__ import annotations

from local.blob_events.changes import Blob
from local.blob_events.journal import Position
from local.blob_events.record import Known, Record
from local.blob_events.shapes import Announcement


class Batch:
    """What some changes come to; the record stays as it is until `commit`."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._forgotten: set[str] = set()
        self.announcements: list[Announcement] = []
        self.news: dict[Blob, Known | None] = {}

    def known(self, blob: Blob) -> Known | None:
        """What is known of a blob after the changes so far."""
        if blob in self.news:
            return self.news[blob]
        return None if blob.container in self._forgotten else self._record.known(blob)

    def forget(self, container: str) -> None:
        """A container is gone; one of the same name may come after it."""
        self._forgotten.add(container)
        self.news = {
            blob: known for blob, known in self.news.items() if blob.container != container
        }

    def commit(self, position: Position | None) -> None:
        """Remember all of it, and how far the journal is."""
        self._record.commit(self.news.items(), position, forgotten=self._forgotten)
