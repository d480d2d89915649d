"""The durable journal: one SQLite file in write-ahead mode.

Why SQLite and not an append log: both need one `write` per commit, and a log would also need
compaction, a format and recovery of its own; SQLite brings all three, tested by everyone. What it
costs is measured in docs/decisions/0003-broker-durability.md.

What is promised. `synchronous=NORMAL`: a commit is in the operating system's hands when those who
wait are told, so it survives any end of this process, SIGKILL included. A power cut or a crash of
the operating system may lose the last commits (those since the last checkpoint), but never leaves
a damaged file. Commits are made once per turn of the event loop, for everything recorded in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from local.process import LocalError
from local.service_bus.core.errors import BrokerError
from local.service_bus.core.journal import Journal, Soon, StoredEntity, StoredSession
from local.service_bus.core.message import ContentCodec, Message, State

FILE_NAME = "service-bus.sqlite3"
FORMAT = 1
"""The version of the tables below, kept in the file as `user_version`."""

_TABLES = """
CREATE TABLE boxes (box INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE COLLATE NOCASE,
    reserved INTEGER NOT NULL DEFAULT 0);
CREATE TABLE messages (row INTEGER PRIMARY KEY, box INTEGER NOT NULL, sequence INTEGER NOT NULL,
    enqueued_sequence INTEGER NOT NULL, enqueued_at REAL NOT NULL, expires_at REAL,
    scheduled_at REAL, state INTEGER NOT NULL, failed INTEGER NOT NULL, hops INTEGER NOT NULL,
    source TEXT, content BLOB NOT NULL);
CREATE TABLE sessions (box INTEGER NOT NULL, session TEXT NOT NULL, state BLOB NOT NULL,
    updated_at REAL NOT NULL, PRIMARY KEY (box, session)) WITHOUT ROWID;
CREATE TABLE duplicates (box INTEGER NOT NULL, message_id TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (box, message_id)) WITHOUT ROWID;
CREATE TABLE entities (path TEXT PRIMARY KEY COLLATE NOCASE, spec TEXT NOT NULL, declared TEXT,
    created_at REAL NOT NULL, updated_at REAL NOT NULL);
"""
_COLUMNS = (
    "row, box, sequence, enqueued_sequence, enqueued_at, expires_at, scheduled_at, state, failed, "
    "hops, source, content"
)


class StorageError(BrokerError):
    """The file cannot be written."""


class SqliteJournal(Journal):
    """A journal in a folder.

    Raises:
        LocalError: another broker uses the folder, or its file is damaged or of another version.
    """

    def __init__(
        self,
        folder: Path,
        codec: ContentCodec,
        soon: Soon,
        failed: Callable[[LocalError], None],
    ) -> None:
        super().__init__(soon)
        self._path = folder / FILE_NAME
        self._codec, self._failed = codec, failed
        self._dirty = False
        self._given_up: StorageError | None = None
        self._connection = _open(self._path)
        self._execute = self._connection.execute
        last = self._execute("SELECT coalesce(max(row), 0) FROM messages").fetchone()
        self._row: int = last[0]

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        if self._given_up is not None:
            raise self._given_up
        try:
            if not self._dirty:
                self._execute("BEGIN")
                self._dirty = True
                self._call()
            self._execute(statement, values)
        except sqlite3.Error as refused:
            raise self._broken(refused) from refused

    def _commit(self) -> None:
        if self._given_up is not None:
            raise self._given_up
        if self._dirty:
            try:
                self._execute("COMMIT")
            except sqlite3.Error as refused:
                raise self._broken(refused) from refused
            self._dirty = False

    def flush(self) -> None:
        """Commit, and tell those who wait; if the disk refuses, tell nobody."""
        try:
            super().flush()
        except StorageError:
            self._waiting.clear()
            self._afterwards.clear()

    def _broken(self, refused: sqlite3.Error) -> StorageError:
        """Give up: the broker's memory and its file no longer agree."""
        message = (
            f"The broker's state cannot be written to {self._path}: {refused}. Make room or repair "
            "the folder, then start again; nothing that was not written was acknowledged."
        )
        self._given_up = StorageError(message)
        self._failed(LocalError(message))
        return self._given_up

    def close(self) -> None:
        """Commit and close the file."""
        super().close()
        self._connection.close()

    def open_box(self, path: str) -> int:
        """Give the number under which the messages of a mailbox are kept."""
        found = self._execute("SELECT box FROM boxes WHERE path = ?", (path,)).fetchone()
        if found is None:
            self._write("INSERT INTO boxes (path) VALUES (?)", (path,))
            found = self._execute("SELECT last_insert_rowid()").fetchone()
        box: int = found[0]
        return box

    def delete_box(self, box: int) -> None:
        """Forget a mailbox: messages, sessions, remembered ids."""
        for table in ("messages", "sessions", "duplicates", "boxes"):
            self._write(f"DELETE FROM {table} WHERE box = ?", (box,))  # noqa: S608 - fixed names

    def reserve(self, box: int, sequence: int) -> None:
        """Remember that sequence numbers up to this one may have been used."""
        self._write("UPDATE boxes SET reserved = ? WHERE box = ?", (sequence, box))

    def reserved(self, box: int) -> int:
        """Give the highest sequence number that may have been used."""
        found = self._execute("SELECT reserved FROM boxes WHERE box = ?", (box,)).fetchone()
        number: int = 0 if found is None else found[0]
        return number

    def insert(self, box: int, message: Message) -> None:
        """Record a new message."""
        self._row += 1
        message.row = self._row
        self._write(
            f"INSERT INTO messages ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
            (
                message.row,
                box,
                message.sequence,
                message.enqueued_sequence,
                message.enqueued_at,
                message.expires_at,
                message.scheduled_at,
                int(message.state),
                message.failed_deliveries,
                message.hops,
                message.dead_letter_source,
                self._codec.encode(message.content),
            ),
        )

    def update(self, message: Message) -> None:
        """Record where a message stands now."""
        self._write(
            "UPDATE messages SET state = ?, failed = ? WHERE row = ?",
            (int(message.state), message.failed_deliveries, message.row),
        )

    def rewrite(self, message: Message) -> None:
        """Record a message whose content changed, too."""
        content = self._codec.encode(message.content)
        self._write("UPDATE messages SET content = ? WHERE row = ?", (content, message.row))
        self.update(message)

    def move(self, box: int, message: Message) -> None:
        """Record that a message, rewritten, is in another mailbox."""
        self.delete(message)
        self.insert(box, message)

    def delete(self, message: Message) -> None:
        """Record that a message is gone."""
        if message.row:
            self._write("DELETE FROM messages WHERE row = ?", (message.row,))

    def messages(self, box: int) -> Iterable[Message]:
        """Give the messages of a mailbox in order of sequence numbers."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM messages WHERE box = ? ORDER BY sequence",  # noqa: S608
            (box,),
        )
        for row in rows:
            message = Message(self._codec.decode(row[11]), sequence=row[2], enqueued_at=row[4])
            message.row, message.enqueued_sequence = row[0], row[3]
            message.expires_at, message.scheduled_at = row[5], row[6]
            message.state, message.failed_deliveries = State(row[7]), row[8]
            message.hops, message.dead_letter_source = row[9], row[10]
            yield message

    def save_session(self, box: int, session: StoredSession) -> None:
        """Record a session's state."""
        values = (box, session.session_id, session.state, session.updated_at)
        self._write("INSERT OR REPLACE INTO sessions VALUES (?,?,?,?)", values)

    def delete_session(self, box: int, session_id: str) -> None:
        """Record that a session has no state."""
        self._write("DELETE FROM sessions WHERE box = ? AND session = ?", (box, session_id))

    def sessions(self, box: int) -> Iterable[StoredSession]:
        """Give the sessions of a mailbox that have a state."""
        rows = self._execute(
            "SELECT session, state, updated_at FROM sessions WHERE box = ?", (box,)
        ).fetchall()
        return [StoredSession(session_id=r[0], state=r[1], updated_at=r[2]) for r in rows]

    def remember(self, box: int, message_id: str, until: float) -> None:
        """Record an id for duplicate detection."""
        self._write("INSERT OR REPLACE INTO duplicates VALUES (?,?,?)", (box, message_id, until))

    def forget(self, box: int, before: float) -> None:
        """Drop ids whose time has passed."""
        self._write("DELETE FROM duplicates WHERE box = ? AND until <= ?", (box, before))

    def remembered(self, box: int) -> Iterable[tuple[str, float]]:
        """Give ids and the times until which they are remembered."""
        statement = "SELECT message_id, until FROM duplicates WHERE box = ?"
        return list(self._execute(statement, (box,)))

    def save_entity(self, entity: StoredEntity) -> None:
        """Record an entity's description."""
        values = (entity.path, entity.spec, entity.declared, entity.created_at, entity.updated_at)
        self._write("INSERT OR REPLACE INTO entities VALUES (?,?,?,?,?)", values)

    def delete_entity(self, path: str) -> None:
        """Record that an entity is gone."""
        self._write("DELETE FROM entities WHERE path = ?", (path,))

    def entities(self) -> Iterable[StoredEntity]:
        """Give the recorded entities, topics before their subscriptions."""
        rows = self._execute(
            "SELECT path, spec, declared, created_at, updated_at FROM entities "
            "ORDER BY length(path)"
        )
        return [
            StoredEntity(path=r[0], spec=r[1], declared=r[2], created_at=r[3], updated_at=r[4])
            for r in rows.fetchall()
        ]


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, timeout=0, cached_statements=64)
    except (OSError, sqlite3.Error) as refused:
        message = f"The state folder {path.parent} cannot be used: {refused}."
        raise LocalError(message) from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as refused:
        connection.close()
        raise LocalError(_explained(path, refused)) from None
    except LocalError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")
    elif version != FORMAT:
        message = (
            f"{path} was written by another version of the broker (format {version}, "
            f"this one reads {FORMAT}). Use that version, or start with another --state folder."
        )
        raise LocalError(message)
    damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise sqlite3.DatabaseError(damage)


def _explained(path: Path, refused: sqlite3.Error) -> str:
    if "locked" in str(refused):
        return (
            f"{path} is in use by another broker. Stop it, or start this one with another "
            "--state folder."
        )
    return (
        f"{path} is damaged ({refused}). Move it away to begin with an empty broker, "
        "or put back a copy of it."
    )
