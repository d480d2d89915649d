"""What has been announced already: the ETag of every blob in the watched containers.

It is compared with the storage account after a crash, and periodically: what it lacks, nobody was
told about.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.blob_events.changes import Blob
from local.blob_events.journal import Position
from local.event_grid.database import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    etag TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    blob_type TEXT,
    content_type TEXT,
    PRIMARY KEY (container, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS containers (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS position (segment INTEGER NOT NULL, offset INTEGER NOT NULL);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the record holds of a blob."""

    etag: str
    sequence: int
    blob_type: str | None = None
    content_type: str | None = None


class Record:
    """The SQLite file of the record."""

    def __init__(self, file: Path | None) -> None:
        """Open or create it.

        Raises:
            LocalError: it is in use, damaged, or cannot be written.
        """
        self._db = open_database(file, _SCHEMA)

    def close(self) -> None:
        self._db.close()

    @property
    def position(self) -> Position:
        """How far the journal has been announced."""
        row = self._db.execute("SELECT segment, offset FROM position").fetchone()
        return Position(segment=row[0], offset=row[1]) if row else Position()

    def commit(
        self,
        news: Iterable[tuple[Blob, Known | None]],
        position: Position | None,
        *,
        forgotten: Iterable[str] = (),
    ) -> None:
        """Write down what was announced, and how far the journal is.

        Args:
            news: What is known of blobs; None: the blob is gone.
            position: Where to go on in the journal.
            forgotten: Containers that went before any of the news.
        """
        with transaction(self._db) as db:
            for container in forgotten:
                _forget_container(db, container)
            for blob, known in news:
                if known is None:
                    db.execute(
                        "DELETE FROM blobs WHERE container = ? AND name = ?",
                        (blob.container, blob.name),
                    )
                else:
                    row = (
                        *(blob.container, blob.name, known.etag, known.sequence),
                        *(known.blob_type, known.content_type),
                    )
                    db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)", row)
            if position is not None:
                db.execute("DELETE FROM position")
                db.execute(
                    "INSERT INTO position VALUES (?, ?)", (position.segment, position.offset)
                )

    def known(self, blob: Blob) -> Known | None:
        row = self._db.execute(
            "SELECT etag, sequence, blob_type, content_type FROM blobs "
            "WHERE container = ? AND name = ?",
            (blob.container, blob.name),
        ).fetchone()
        if row is None:
            return None
        return Known(etag=row[0], sequence=row[1], blob_type=row[2], content_type=row[3])

    def etags(self, container: str) -> dict[str, str]:
        """Name → ETag of everything known in a container."""
        rows = self._db.execute("SELECT name, etag FROM blobs WHERE container = ?", (container,))
        return dict(rows.fetchall())

    def containers(self) -> set[str]:
        """The containers whose whole contents are known."""
        return {name for (name,) in self._db.execute("SELECT name FROM containers")}

    def add_container(self, name: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO containers VALUES (?)", (name,))

    def forget_container(self, name: str) -> None:
        with transaction(self._db) as db:
            _forget_container(db, name)


def _forget_container(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM blobs WHERE container = ?", (name,))
    db.execute("DELETE FROM containers WHERE name = ?", (name,))
