"""What a mailbox deals with: who receives, by which policy, and what is around it."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from local.service_bus.core.errors import BrokerError
from local.service_bus.core.journal import Journal
from local.service_bus.core.message import Changes, ContentCodec, Message

_TOKEN_PREFIX = secrets.token_bytes(8)
_TOKEN_COUNTER = itertools.count(1)


def new_token() -> bytes:
    """Give a lock token, 16 bytes, that no other lock has, nor had before a restart."""
    return _TOKEN_PREFIX + next(_TOKEN_COUNTER).to_bytes(8, "big")


MAX_DELIVERY = "MaxDeliveryCountExceeded"
EXPIRED = "TTLExpiredException"


class Consumer(Protocol):
    """A receiver, as the mailbox sees it."""

    name: str
    settles: bool
    """Whether messages are locked until the consumer settles them, or removed as they are given."""

    def credit(self) -> int:
        """Say how many messages the consumer would take now."""

    def deliver(self, message: Message) -> None:
        """Take a message; credit falls by one."""

    def session_accepted(self, session_id: str, locked_until: float) -> None:
        """Learn that the session which the consumer waited for is its own."""

    def lost(self, error: BrokerError) -> None:
        """Learn that no more messages will come: the session's lock expired, the entity is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a mailbox does with its messages. A dead-letter queue has no limit of deliveries."""

    lock_duration: float
    max_delivery_count: int | None
    dead_letter_expired: bool = False


Bury = Callable[[Message, str, str, Changes], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a mailbox needs from around it.

    `alarm` asks for `run_due` at a time; `bury` dead-letters a message that was taken out;
    `due` takes a scheduled message whose time has come.
    """

    clock: Callable[[], float]
    alarm: Callable[[float], None]
    journal: Journal
    codec: ContentCodec
    bury: Bury | None = None
    due: Callable[[Message], None] | None = None
