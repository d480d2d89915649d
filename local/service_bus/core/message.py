"""A message as the broker sees it: what the sender gave, and where it stands now."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

Value = None | bool | int | float | str | bytes | uuid.UUID | dt.datetime
"""What a property of a message may hold."""


class State(IntEnum):
    """The state of a message, with the numbers that peeked messages show."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a sender gave; it never changes.

    `time_to_live` is in seconds, `scheduled_at` in seconds since the epoch, `size` in bytes as
    received. `wire` belongs to the transport: the core hands it back unread.
    """

    message_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    to: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    partition_key: str | None = None
    time_to_live: float | None = None
    scheduled_at: float | None = None
    user: Mapping[str, Value] = field(default_factory=dict)
    size: int = 0
    wire: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What a rule's action or a settlement changes in a content.

    `system` maps field names of `Content` to new values; `user` sets properties; `removed` names
    user properties to drop.
    """

    system: Mapping[str, Value] = field(default_factory=dict)
    user: Mapping[str, Value] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.system or self.user or self.removed)


class ContentCodec(Protocol):
    """How the transport turns contents into bytes for the journal, and changes them."""

    def encode(self, content: Content) -> bytes:
        """Give the bytes from which `decode` restores the content."""

    def decode(self, encoded: bytes) -> Content:
        """Restore a content."""

    def rewrite(self, content: Content, changes: Changes) -> Content:
        """Give a copy with the changes made."""


class Message:
    """One message in one mailbox, with everything that changes during its life.

    Times are seconds since the epoch. `failed_deliveries` counts deliveries that ended in an
    abandon or an expired lock. `row` is the journal's name for it.
    """

    __slots__ = (
        "content",
        "dead_letter_source",
        "enqueued_at",
        "enqueued_sequence",
        "expires_at",
        "failed_deliveries",
        "hops",
        "locked_until",
        "row",
        "scheduled_at",
        "sequence",
        "state",
        "token",
    )

    def __init__(self, content: Content, *, sequence: int, enqueued_at: float) -> None:
        self.content = content
        self.sequence = sequence
        self.enqueued_sequence = sequence
        self.enqueued_at = enqueued_at
        self.expires_at: float | None = None
        self.scheduled_at: float | None = None
        self.state = State.ACTIVE
        self.failed_deliveries = 0
        self.hops = 0
        self.dead_letter_source: str | None = None
        self.token: bytes | None = None
        self.locked_until = 0.0
        self.row = 0
