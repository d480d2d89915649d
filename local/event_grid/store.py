"""What Event Grid must not forget: accepted events and where they still have to go.

One SQLite file; what is committed survives `kill -9` (see `database`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.event_grid.database import open_database, transaction
from local.event_grid.schemas import Event, as_json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    internal_id TEXT NOT NULL,
    input_schema TEXT NOT NULL,
    published REAL NOT NULL,
    attributes TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    subscription TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_attempt REAL,
    last_outcome TEXT,
    last_status INTEGER,
    dead_letter_reason TEXT,
    PRIMARY KEY (subscription, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (sequence);
CREATE TABLE IF NOT EXISTS subscriptions (
    topic TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (topic, name)
);
CREATE TABLE IF NOT EXISTS validated (
    subscription TEXT PRIMARY KEY, endpoint TEXT NOT NULL
);
"""


@dataclass(kw_only=True, slots=True, eq=False)
class Delivery:
    """One event on its way to one event subscription."""

    sequence: int
    published: float
    due: float
    event: Event | None = None
    """Not kept in memory while it waits."""
    attempts: int = 0
    last_attempt: float | None = None
    last_outcome: str | None = None
    last_status: int | None = None
    dead_letter_reason: str | None = None


class Store:
    """The SQLite file; without a path everything is in memory and ends with the process."""

    def __init__(self, file: Path | None) -> None:
        """Open or create the file.

        Raises:
            LocalError: it is in use, damaged, or cannot be written.
        """
        self._db = open_database(file, _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def accept(self, events: Iterable[tuple[Event, list[str]]]) -> list[int]:
        """Take events with the keys of the subscriptions they go to: all or none, durably.

        Returns:
            The sequence number of each event, in order.
        """
        sequences = []
        with transaction(self._db) as db:
            for event, subscriptions in events:
                row = (
                    event.internal_id,
                    event.input_schema,
                    event.published,
                    as_json(event.attributes).decode(),
                )
                insert = (
                    "INSERT INTO events (internal_id, input_schema, published, attributes) "
                    "VALUES (?, ?, ?, ?)"
                )
                sequence = db.execute(insert, row).lastrowid
                assert sequence is not None, "an INSERT has a row id"
                db.executemany(
                    "INSERT INTO deliveries (subscription, sequence, due) VALUES (?, ?, ?)",
                    [(subscription, sequence, event.published) for subscription in subscriptions],
                )
                sequences.append(sequence)
        return sequences

    def event(self, sequence: int) -> Event:
        """An event that is still on its way."""
        row = self._db.execute(
            "SELECT internal_id, input_schema, published, attributes FROM events "
            "WHERE sequence = ?",
            (sequence,),
        ).fetchone()
        return Event(
            internal_id=row[0],
            input_schema=row[1],
            published=row[2],
            attributes=json.loads(row[3]),
        )

    def deliveries(self, subscription: str) -> list[Delivery]:
        """Everything that still has to go to a subscription, oldest first."""
        rows = self._db.execute(
            "SELECT d.sequence, e.published, d.due, d.attempts, d.last_attempt, d.last_outcome, "
            "d.last_status, d.dead_letter_reason FROM deliveries d JOIN events e USING (sequence) "
            "WHERE d.subscription = ? ORDER BY d.sequence",
            (subscription,),
        )
        names = (
            *("sequence", "published", "due", "attempts", "last_attempt", "last_outcome"),
            *("last_status", "dead_letter_reason"),
        )
        return [Delivery(**dict(zip(names, row, strict=True))) for row in rows]

    def record(self, subscription: str, deliveries: Iterable[Delivery]) -> None:
        """Write down what the last attempt changed."""
        update = (
            "UPDATE deliveries SET due = ?, attempts = ?, last_attempt = ?, last_outcome = ?, "
            "last_status = ?, dead_letter_reason = ? WHERE subscription = ? AND sequence = ?"
        )
        with transaction(self._db) as db:
            db.executemany(
                update,
                [
                    (
                        *(d.due, d.attempts, d.last_attempt, d.last_outcome, d.last_status),
                        *(d.dead_letter_reason, subscription, d.sequence),
                    )
                    for d in deliveries
                ],
            )

    def finish(self, subscription: str, sequences: Iterable[int]) -> None:
        """Forget deliveries: done, dead-lettered or dropped. An event goes with its last one."""
        numbers = [(sequence,) for sequence in sequences]
        with transaction(self._db) as db:
            db.executemany(
                "DELETE FROM deliveries WHERE sequence = ? AND subscription = ?",
                [(sequence, subscription) for (sequence,) in numbers],
            )
            db.executemany(
                "DELETE FROM events WHERE sequence = ?1 AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE sequence = ?1)",
                numbers,
            )

    def subscriptions_with_deliveries(self) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT subscription FROM deliveries")
        return [key for (key,) in rows]

    def forget_subscription(self, key: str) -> int:
        """Drop what still had to go to a subscription that is gone; how much that was."""
        sequences = [delivery.sequence for delivery in self.deliveries(key)]
        self.finish(key, sequences)
        self._db.execute("DELETE FROM validated WHERE subscription = ?", (key,))
        return len(sequences)

    def save_subscription(self, topic: str, name: str, document: dict[str, object]) -> None:
        """Keep an event subscription that was created at run time."""
        self._db.execute(
            "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)",
            (topic, name, as_json(document).decode()),
        )

    def delete_subscription(self, topic: str, name: str) -> None:
        self._db.execute("DELETE FROM subscriptions WHERE topic = ? AND name = ?", (topic, name))

    def saved_subscriptions(self, topic: str) -> list[dict[str, object]]:
        rows = self._db.execute("SELECT document FROM subscriptions WHERE topic = ?", (topic,))
        return [json.loads(document) for (document,) in rows]

    def mark_validated(self, key: str, endpoint: str) -> None:
        """Remember that an endpoint has agreed to get the events of a subscription."""
        self._db.execute("INSERT OR REPLACE INTO validated VALUES (?, ?)", (key, endpoint))

    def is_validated(self, key: str, endpoint: str) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM validated WHERE subscription = ? AND endpoint = ?", (key, endpoint)
        ).fetchone()
        return row is not None
