"""What must be durable before anyone hears of it.

The broker works on messages in memory and tells the journal of every change. What others may
learn (an acknowledged send, an echoed settlement, a delivery) waits for `when_durable`. Changes
made in one turn of the event loop become durable together: one commit for all of them.

This class remembers nothing: it is the journal of a broker without a state folder. The durable
one is `local.service_bus.store.SqliteJournal`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.service_bus.core.message import Message

_log = logging.getLogger(__name__)

Soon = Callable[[Callable[[], None]], object]
"""Runs a callback in the next turn of the event loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSession:
    """A session's state as the journal keeps it."""

    session_id: str
    state: bytes
    updated_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntity:
    """An entity's description: JSON of its spec and, if a file declared it, of that declaration."""

    path: str
    spec: str
    declared: str | None
    created_at: float
    updated_at: float


def _tell(callbacks: Iterable[Callable[[], None]]) -> None:
    """Run callbacks; one that fails must not keep the others from hearing."""
    for callback in callbacks:
        try:
            callback()
        except Exception:  # noqa: BLE001 - whatever it is, the others must hear
            _log.exception("A callback of the broker failed.")


class Journal:
    """The journal's interface, and its version without memory."""

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._waiting: list[Callable[[], None]] = []
        self._afterwards: list[Callable[[], None]] = []
        self._called = False

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call back once everything recorded so far is durable."""
        self._waiting.append(callback)
        self._call()

    def afterwards(self, callback: Callable[[], None]) -> None:
        """Call back at the end of this turn, when all who wait have been told."""
        self._afterwards.append(callback)
        self._call()

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._soon(self.flush)

    def flush(self) -> None:
        """Make everything recorded durable, and tell those who wait.

        What they record in turn becomes durable, and is told, before this returns.
        """
        while True:
            self._commit()
            waiting, self._waiting = self._waiting, []
            if not waiting:
                break
            _tell(waiting)
        self._called = False
        last, self._afterwards = self._afterwards, []
        _tell(last)

    def _commit(self) -> None:
        """Commit what is pending."""

    def close(self) -> None:
        """Make everything durable, tell those who wait, and let go of the storage."""
        self.flush()

    def open_box(self, path: str) -> int:  # noqa: ARG002 - used where boxes are stored
        """Give the number under which the messages of a mailbox are kept."""
        return 0

    def delete_box(self, box: int) -> None:
        """Forget a mailbox: messages, sessions, remembered ids."""

    def reserve(self, box: int, sequence: int) -> None:
        """Remember that sequence numbers up to this one may have been used."""

    def reserved(self, box: int) -> int:  # noqa: ARG002
        """Give the highest sequence number that may have been used."""
        return 0

    def insert(self, box: int, message: Message) -> None:
        """Record a new message."""

    def update(self, message: Message) -> None:
        """Record where a message stands now."""

    def rewrite(self, message: Message) -> None:
        """Record a message whose content changed, too."""

    def move(self, box: int, message: Message) -> None:
        """Record that a message, rewritten, is in another mailbox."""

    def delete(self, message: Message) -> None:
        """Record that a message is gone."""

    def messages(self, box: int) -> Iterable[Message]:  # noqa: ARG002
        """Give the messages of a mailbox in order of sequence numbers."""
        return ()

    def save_session(self, box: int, session: StoredSession) -> None:
        """Record a session's state."""

    def delete_session(self, box: int, session_id: str) -> None:
        """Record that a session has no state."""

    def sessions(self, box: int) -> Iterable[StoredSession]:  # noqa: ARG002
        """Give the sessions of a mailbox that have a state."""
        return ()

    def remember(self, box: int, message_id: str, until: float) -> None:
        """Record an id for duplicate detection."""

    def forget(self, box: int, before: float) -> None:
        """Drop ids whose time has passed."""

    def remembered(self, box: int) -> Iterable[tuple[str, float]]:  # noqa: ARG002
        """Give ids and the times until which they are remembered."""
        return ()

    def save_entity(self, entity: StoredEntity) -> None:
        """Record an entity's description."""

    def delete_entity(self, path: str) -> None:
        """Record that an entity is gone."""

    def entities(self) -> Iterable[StoredEntity]:
        """Give the recorded entities."""
        return ()
