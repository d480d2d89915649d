"""Open a SQLite file that holds the state of a part."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.process import LocalError


def open_database(file: Path | None, schema: str) -> sqlite3.Connection:
    """Open `file` for this process alone, and create what is missing; None keeps all in memory.

    WAL mode without forcing to the disk: a commit survives the death of the process at any moment
    (`kill -9`), while a power cut may cost the last moments, as with Azurite.

    Raises:
        LocalError: another process has it open, it is damaged, or cannot be written.
    """
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(file or ":memory:", isolation_level=None, timeout=0)
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(schema)
    except sqlite3.OperationalError as problem:
        if "locked" in str(problem):
            message = (
                f"Another process works with the state file {file}. "
                "Stop it, or choose another folder with --state."
            )
        else:
            message = f"Cannot open the state file {file}: {problem}."
        raise LocalError(message) from None
    except sqlite3.DatabaseError as problem:
        message = (
            f"The state file {file} is damaged ({problem}). Move it away to start empty, "
            "or put back a copy."
        )
        raise LocalError(message) from None
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of the statements in the block, or none."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
